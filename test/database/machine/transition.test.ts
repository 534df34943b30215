import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { faultConditions } from '../../../src/config/settings.ts'
import { effectsOf } from '../../../src/database/machine/effects.ts'
import type { Event, EventType, Happening } from '../../../src/database/machine/event.ts'
import { type Policy, times } from '../../../src/database/machine/policy.ts'
import {
  type HealthRow,
  healthRow,
  heldStores,
  initialState,
  releasedStores,
  type State,
  type StateName,
} from '../../../src/database/machine/state.ts'
import { transition } from '../../../src/database/machine/transition.ts'
import type { FaultKind } from '../../../src/driver/fault.ts'
import fc from '../../support/property.ts'
import { faultLike } from '../../support/scripted-driver.ts'

const policy: Policy = {
  declared: true,
  fallback: true,
  conditions: new Set(faultConditions.filter((kind) => kind !== 'transient')),
  timeoutMs: 5_000,
  attempts: 3,
  retryDelayMs: 500,
  connectMs: 30_000,
}
const local: Policy = { ...policy, declared: false }
const alone: Policy = { ...policy, fallback: false }

type Step = Happening<string> | 'wait 1 s' | ((state: State<string>) => Happening<string>)

/** Events 100 ms apart, and further where a step waits. */
function walk(steps: readonly Step[], rules = policy, from: State<string> = initialState(0)): State<string> {
  let at = from.since
  return steps.reduce((state, step) => {
    at += step === 'wait 1 s' ? 1_000 : 100
    if (step === 'wait 1 s') return state
    const happening = typeof step === 'function' ? step(state) : step
    return transition(state, { ...happening, at, chance: 0.5 }, rules)
  }, from)
}

function idOf(run: string): (state: State<string>) => number {
  return (state) => {
    const effect = effectsOf(state).find((candidate) => candidate.run === run)
    assert.ok(effect, `${state.name} does not want ${run}`)
    return effect.id
  }
}

const requested: Step = { type: 'requested' }
const lost = (store: string, kind: FaultKind = 'lost'): Happening<string> => ({
  type: 'store.lost',
  store,
  fault: faultLike(kind),
})
/** A loss that another host may cure. */
const lostMember = (store: string, kind: FaultKind = 'lost', host = 'h1'): Happening<string> => ({
  ...{ type: 'store.lost', store, host, failoverMs: 3_000 },
  fault: faultLike(kind),
})
const primaryOpened: Step = (state) => ({ type: 'primary.opened', id: idOf('open-primary')(state), store: 'P' })
const primaryFailed =
  (kind: FaultKind): Step =>
  (state) => ({ type: 'primary.failed', id: idOf('open-primary')(state), fault: faultLike(kind) })
const fallbackOpened: Step = (state) => ({ type: 'fallback.opened', id: idOf('open-fallback')(state), store: 'F' })
const fallbackFailed: Step = (state) => ({
  type: 'fallback.failed',
  id: idOf('open-fallback')(state),
  fault: faultLike('unwritable'),
})
const due: Step = (state) => ({ type: 'timer.due', id: idOf('wait')(state) })
const proved: Step = (state) => ({ type: 'probe.passed', id: idOf('probe')(state) })
const drained: Step = (state) => ({ type: 'journal.drained', id: idOf('drain')(state) })
const drainFailed =
  (kind: FaultKind): Step =>
  (state) => ({ type: 'drain.failed', id: idOf('drain')(state), fault: faultLike(kind) })
const carried: Step = (state) => ({ type: 'carried', id: idOf('carry')(state), primary: 'P2' })
const switched: Step = (state) => ({ type: 'switched', id: idOf('switch')(state) })
const deadline: Step = (state) => {
  assert.ok(state.name === 'CONNECTING_PRIMARY')
  return { type: 'timer.due', id: state.deadlineId }
}

/** Nothing happens for a second. */
const wait1s = 'wait 1 s'

const toCarrying = [requested, fallbackOpened, primaryOpened]
const toPrimary = [...toCarrying, drained]
const toFallback = [requested, fallbackOpened, primaryFailed('auth'), due]
const toReplaying = [...toFallback, due, proved, due, proved]
const toSwitching = [...toReplaying, carried]
/** The hold was too short. */
const holdOver: Step = (state) => {
  assert.ok(state.name === 'FALLBACK_CONNECTED' && state.recovery.step === 'switching')
  return { type: 'timer.due', id: state.recovery.deadlineId }
}

/** Every state and sub-step by name, as the machine itself reaches it. */
const states: Readonly<Record<string, { readonly state: State<string>; readonly rules: Policy }>> = {
  disconnected: { state: initialState(0), rules: policy },
  closed: { state: walk([{ type: 'closed' }]), rules: policy },
  reconfigured: { state: walk([...toPrimary, { type: 'reconfigured' }]), rules: policy },
  'primary opening': { state: walk([requested]), rules: policy },
  'primary waiting': { state: walk([requested, primaryFailed('lost')]), rules: policy },
  'primary opened, fallback opening': { state: walk([requested, primaryOpened]), rules: policy },
  'primary opened, journal draining': { state: walk(toCarrying), rules: policy },
  'primary opened, journal waiting': { state: walk([...toCarrying, drainFailed('lost')]), rules: policy },
  'fallback opening': { state: walk([requested, primaryFailed('auth')]), rules: policy },
  'fallback open': { state: walk([requested, fallbackOpened, primaryFailed('auth')]), rules: policy },
  'local opening': { state: walk([requested], local), rules: local },
  primary: { state: walk(toPrimary), rules: policy },
  'primary, journal draining': { state: walk([...toCarrying, deadline]), rules: policy },
  'primary, journal waiting': { state: walk([...toCarrying, drainFailed('auth')]), rules: policy },
  'primary, fallback opening': { state: walk([...toPrimary, lost('F')]), rules: policy },
  'primary, fallback failed': { state: walk([requested, fallbackFailed, primaryOpened]), rules: policy },
  'primary alone': { state: walk([requested, primaryOpened], alone), rules: alone },
  local: { state: walk([requested, fallbackOpened], local), rules: local },
  'failover opening': { state: walk([...toPrimary, wait1s, lostMember('P')]), rules: policy },
  'failover waiting': {
    state: walk([...toPrimary, wait1s, lostMember('P'), primaryFailed('read-only')]),
    rules: policy,
  },
  'failover opened': { state: walk([...toPrimary, wait1s, lostMember('P'), primaryOpened]), rules: policy },
  'failover alone': { state: walk([requested, primaryOpened, wait1s, lostMember('P')], alone), rules: alone },
  'fallback waiting': { state: walk(toFallback), rules: policy },
  'fallback probing': { state: walk([...toFallback, due]), rules: policy },
  'fallback replaying': { state: walk(toReplaying), rules: policy },
  'fallback switching': { state: walk(toSwitching), rules: policy },
  'fallback pausing': { state: walk([...toSwitching, holdOver]), rules: policy },
  error: { state: walk([requested, primaryFailed('auth')], alone), rules: alone },
}

/** What each event does in each state: the name that follows, `~` for other data in the same state; absent: nothing. */
const table: Readonly<Record<keyof typeof states, Partial<Record<EventType, StateName | '~'>>>> = {
  disconnected: { requested: 'CONNECTING_PRIMARY' },
  closed: {},
  reconfigured: { requested: 'CONNECTING_PRIMARY' },
  'primary opening': {
    'timer.due': 'CONNECTING_FALLBACK',
    'primary.opened': '~',
    'primary.failed': 'CONNECTING_FALLBACK',
    'fallback.opened': '~',
    'fallback.failed': '~',
  },
  // The deadline; the end of the pause is tested by itself.
  'primary waiting': { 'timer.due': 'CONNECTING_FALLBACK', 'fallback.opened': '~', 'fallback.failed': '~' },
  'primary opened, fallback opening': {
    'timer.due': 'PRIMARY_CONNECTED',
    'fallback.opened': '~',
    'fallback.failed': 'PRIMARY_CONNECTED',
    'store.lost': 'CONNECTING_FALLBACK',
  },
  'primary opened, journal draining': {
    'timer.due': 'PRIMARY_CONNECTED',
    'journal.drained': 'PRIMARY_CONNECTED',
    'drain.failed': 'PRIMARY_CONNECTED',
    'store.lost': '~',
  },
  'primary opened, journal waiting': { 'timer.due': 'PRIMARY_CONNECTED', 'store.lost': '~' },
  'fallback opening': { 'fallback.opened': 'FALLBACK_CONNECTED', 'fallback.failed': 'CONNECTION_ERROR' },
  'fallback open': { 'timer.due': 'FALLBACK_CONNECTED', 'store.lost': '~' },
  'local opening': { 'fallback.opened': 'FALLBACK_CONNECTED', 'fallback.failed': 'CONNECTION_ERROR' },
  primary: { 'carry.wanted': '~', 'store.lost': 'CONNECTING_FALLBACK' },
  'primary, journal draining': { 'journal.drained': '~', 'drain.failed': '~', 'store.lost': 'CONNECTING_FALLBACK' },
  'primary, journal waiting': { 'timer.due': '~', 'carry.wanted': '~', 'store.lost': 'CONNECTING_FALLBACK' },
  'primary, fallback opening': { 'fallback.opened': '~', 'fallback.failed': '~', 'store.lost': 'CONNECTING_FALLBACK' },
  'primary, fallback failed': { 'timer.due': '~', 'store.lost': 'CONNECTING_FALLBACK' },
  'primary alone': { 'store.lost': 'CONNECTING_PRIMARY' },
  local: { 'store.lost': 'CONNECTING_FALLBACK' },
  'failover opening': {
    'timer.due': 'CONNECTING_FALLBACK',
    'primary.opened': '~',
    'primary.failed': 'CONNECTING_FALLBACK',
    'store.lost': '~',
  },
  'failover waiting': { 'timer.due': 'CONNECTING_FALLBACK', 'store.lost': '~' },
  'failover opened': {
    'timer.due': 'PRIMARY_CONNECTED',
    'journal.drained': 'PRIMARY_CONNECTED',
    'drain.failed': 'PRIMARY_CONNECTED',
    'store.lost': '~',
  },
  'failover alone': {
    'timer.due': 'CONNECTION_ERROR',
    'primary.opened': 'PRIMARY_CONNECTED',
    'primary.failed': 'CONNECTION_ERROR',
  },
  'fallback waiting': { 'timer.due': '~', 'store.lost': 'CONNECTING_FALLBACK' },
  'fallback probing': { 'probe.passed': '~', 'probe.failed': '~', 'store.lost': 'CONNECTING_FALLBACK' },
  'fallback replaying': { carried: '~', 'carry.failed': '~', 'store.lost': 'CONNECTING_FALLBACK' },
  'fallback switching': {
    'timer.due': '~',
    switched: 'PRIMARY_CONNECTED',
    'switch.failed': '~',
    'store.lost': 'CONNECTING_FALLBACK',
  },
  'fallback pausing': { 'timer.due': '~', 'store.lost': 'CONNECTING_FALLBACK' },
  error: { 'timer.due': 'CONNECTING_PRIMARY' },
}

const eventTypes: readonly EventType[] = [
  'requested',
  'timer.due',
  'primary.opened',
  'primary.failed',
  'fallback.opened',
  'fallback.failed',
  'store.lost',
  'probe.passed',
  'probe.failed',
  'carried',
  'carry.failed',
  'switched',
  'switch.failed',
  'journal.drained',
  'drain.failed',
  'carry.wanted',
  'closed',
  'reconfigured',
]

const answers: Partial<Record<EventType, string>> = {
  'primary.opened': 'open-primary',
  'primary.failed': 'open-primary',
  'fallback.opened': 'open-fallback',
  'fallback.failed': 'open-fallback',
  'probe.passed': 'probe',
  'probe.failed': 'probe',
  carried: 'carry',
  'carry.failed': 'carry',
  switched: 'switch',
  'switch.failed': 'switch',
  'journal.drained': 'drain',
  'drain.failed': 'drain',
  'timer.due': 'wait',
}

/** The event that this state would take as its own; where it awaits no such answer, one with an id that is nobody's. */
function eventFor(type: EventType, state: State<string>): Event<string> {
  const effect = effectsOf(state).find((candidate) => candidate.run === answers[type])
  const serving = heldStores(state)[0] ?? 'nobody'
  const store = type === 'store.lost' ? serving : type.startsWith('primary') ? 'P' : 'F'
  const all = { at: state.since + 2_000, chance: 0.5, id: effect?.id ?? -1, store, primary: 'P2' }
  return { ...all, fault: faultLike('auth'), type } as Event<string> // Carries what any event may carry.
}

describe('each event in each state', () => {
  for (const [name, { state, rules }] of Object.entries(states)) {
    for (const type of eventTypes) {
      const isEnd = type === 'closed' || type === 'reconfigured'
      const ends =
        name === 'closed' || (name === 'reconfigured' && type === 'reconfigured') ? undefined : 'DISCONNECTED'
      const expected = isEnd ? ends : table[name]?.[type]
      test(`${name}: ${type} ${expected === undefined ? 'means nothing' : `leads to ${expected}`}`, () => {
        const next = transition(state, eventFor(type, state), rules)
        if (expected === undefined) return assert.equal(next, state)
        assert.notEqual(next, state)
        if (name === 'disconnected' && isEnd) return assert.equal(next.name, 'DISCONNECTED')
        assert.equal(next.name, expected === '~' ? state.name : expected)
      })
    }
  }
})

test('an answer to anything but what the state waits for means nothing', () => {
  for (const [name, { state, rules }] of Object.entries(states)) {
    for (const type of eventTypes.filter((one) => answers[one] !== undefined)) {
      for (const id of [-1, state.lastId + 100]) {
        const event = { ...eventFor(type, state), id } as Event<string> // Of the same type.
        assert.equal(transition(state, event, rules), state, `${name}: ${type} ${id}`)
      }
    }
  }
})

test('a fault that says nothing against a database loses no store', () => {
  for (const [name, { state, rules }] of Object.entries(states)) {
    for (const store of heldStores(state)) {
      for (const kind of ['statement', 'constraint', 'transient'] as const)
        assert.equal(walk([lost(store, kind)], rules, state), state, `${name}: ${kind}`)
    }
  }
})

test('health tells a first connection from a later one, and one without another store', () => {
  const again: readonly Step[] = [{ type: 'reconfigured' }, requested]
  const rows: readonly (readonly [HealthRow, readonly Step[], Policy])[] = [
    ['not-asked', [], policy],
    ['connecting-first', [requested], policy],
    ['connecting-first', [requested], alone],
    ['connecting-first', [requested, fallbackOpened, primaryFailed('auth')], policy],
    ['connecting-later', [...toPrimary, ...again], policy],
    ['connecting-later', [...toFallback, ...again], policy],
    ['connecting-later-alone', [requested, primaryOpened, ...again], alone],
    ['connecting-later-alone', [requested, primaryFailed('auth'), due], alone],
    ['primary', [...toPrimary, lost('P')], policy],
    ['local', [requested, fallbackOpened], local],
    ['fallback', toFallback, policy],
    ['error', [requested, primaryFailed('auth')], alone],
  ]
  for (const [row, steps, rules] of rows) assert.equal(healthRow(walk(steps, rules)), row)
})

describe('the way to the primary', () => {
  test('an open primary serves when the journal of the fallback is drained, and the carrying is over then', () => {
    assert.equal(walk([requested, primaryOpened]).name, 'CONNECTING_PRIMARY')
    const draining = walk([requested, primaryOpened, fallbackOpened])
    assert.equal(draining.name, 'CONNECTING_PRIMARY')
    const serving = walk([drained], policy, draining)
    assert.ok(serving.name === 'PRIMARY_CONNECTED')
    assert.equal(serving.carrying.step, 'none')
  })

  test('half a second after it opened the primary serves, whether the journal is drained or its file still opens', () => {
    for (const steps of [toCarrying, [requested, primaryOpened]]) {
      const opened = walk(steps)
      assert.ok(opened.name === 'CONNECTING_PRIMARY' && opened.step.at === 'opened')
      const { id, until } = opened.step
      assert.equal(until, 100 * steps.length + times.carryFirstMs)
      assert.ok(effectsOf(opened).some((effect) => effect.run === 'wait' && effect.id === id && effect.until === until))
      const serving = walk([{ type: 'timer.due', id }], policy, opened)
      assert.ok(serving.name === 'PRIMARY_CONNECTED')
      assert.deepEqual([serving.carrying, serving.standby], [opened.carrying, opened.standby])
    }
  })

  test('at the deadline the primary serves, and the same carrying goes on next to it', () => {
    const draining = walk(toCarrying)
    const id = idOf('drain')(draining)
    const serving = walk([deadline], policy, draining)
    assert.equal(serving.name, 'PRIMARY_CONNECTED')
    assert.equal(idOf('drain')(serving), id)
    const done = walk([drained], policy, serving)
    assert.ok(done.name === 'PRIMARY_CONNECTED' && done.carrying.step === 'none')
    assert.equal(done.since, serving.since)
  })

  test('a journal that could not be carried is tried again until the deadline, unless it would only fail again', () => {
    const waiting = walk([...toCarrying, drainFailed('lost')])
    assert.ok(waiting.name === 'CONNECTING_PRIMARY' && waiting.carrying.step === 'waiting')
    const again: Step = { type: 'timer.due', id: waiting.carrying.id }
    assert.equal(walk([again, drained], policy, waiting).name, 'PRIMARY_CONNECTED')
    const serving = walk([deadline], policy, waiting)
    assert.ok(serving.name === 'PRIMARY_CONNECTED' && serving.carrying.step === 'waiting')
    assert.ok(serving.carrying.id === waiting.carrying.id)
    const refused = walk([...toCarrying, drainFailed('configuration')])
    assert.ok(refused.name === 'PRIMARY_CONNECTED' && refused.carrying.step === 'waiting')
  })

  test('next to a serving primary the tries come ever later, at most 30 s apart, and at once when asked for', () => {
    let state = walk([...toCarrying, deadline])
    const waits: number[] = []
    for (let round = 0; round < 12; round += 1) {
      const at = state.since + 40_000 * (round + 1)
      const failed = { type: 'drain.failed', id: idOf('drain')(state), fault: faultLike('lost') } as const
      state = transition(state, { ...failed, at, chance: 0.999 }, policy)
      assert.ok(state.name === 'PRIMARY_CONNECTED' && state.carrying.step === 'waiting')
      assert.equal(state.carrying.lastFault.kind, 'lost')
      waits.push(state.carrying.until - at)
      const wanted = walk([{ type: 'carry.wanted' }], policy, state)
      assert.ok(wanted.name === 'PRIMARY_CONNECTED' && wanted.carrying.step === 'running')
      state = walk([{ type: 'timer.due', id: state.carrying.id }], policy, state)
    }
    assert.ok((waits[1] ?? 0) < 1_000 && (waits[8] ?? 0) > 20_000, String(waits))
    assert.ok(Math.max(...waits) <= 30_000)
  })

  test('a fallback that opens late is carried next to the primary, which goes on serving', () => {
    const alone = walk([requested, fallbackFailed, primaryOpened])
    const late = walk([due, fallbackOpened], policy, alone)
    assert.ok(late.name === 'PRIMARY_CONNECTED' && late.carrying.step === 'running')
    assert.equal(late.since, alone.since)
    const atDeadline = walk([requested, primaryOpened, deadline, fallbackOpened])
    assert.ok(atDeadline.name === 'PRIMARY_CONNECTED' && atDeadline.carrying.step === 'running')
  })

  test('losing the fallback ends the carrying, and the next one is carried', () => {
    const serving = walk([...toCarrying, deadline, lost('F')])
    assert.ok(serving.name === 'PRIMARY_CONNECTED')
    assert.deepEqual([serving.standby.status, serving.carrying.step], ['opening', 'none'])
    assert.ok(!effectsOf(serving).some(({ run }) => run === 'drain'))
    const connecting = walk([...toCarrying, lost('F')])
    assert.ok(connecting.name === 'CONNECTING_PRIMARY' && connecting.carrying.step === 'none')
    assert.equal(idOf('drain')(walk([fallbackOpened], policy, connecting)), connecting.lastId + 1)
  })

  test('a primary that is lost while the journal is carried is tried again, then the fallback serves', () => {
    const again = walk([...toCarrying, lost('P')])
    assert.ok(again.name === 'CONNECTING_PRIMARY' && again.step.at === 'waiting' && again.carrying.step === 'none')
    const serving = walk([...toCarrying, deadline])
    const left = transition(serving, { ...lost('P'), at: serving.since + 2_000, chance: 0.5 }, policy)
    assert.equal(left.name, 'CONNECTING_FALLBACK')
    assert.equal(walk([due], policy, left).name, 'FALLBACK_CONNECTED')
  })

  test('the primary is tried three times, and a wrong password only once', () => {
    const thrice = walk([requested, fallbackOpened, primaryFailed('lost')])
    assert.ok(thrice.name === 'CONNECTING_PRIMARY' && thrice.step.at === 'waiting')
    const again: Step = (state) => {
      assert.ok(state.name === 'CONNECTING_PRIMARY' && state.step.at === 'waiting')
      return { type: 'timer.due', id: state.step.id }
    }
    const last = walk([again, primaryFailed('lost'), again, primaryFailed('lost')], policy, thrice)
    assert.equal(last.name, 'CONNECTING_FALLBACK')
    assert.equal(walk([requested, primaryFailed('auth')]).name, 'CONNECTING_FALLBACK')
  })

  test('a try that could only begin after FALLBACK_TIMEOUT is not waited for', () => {
    const opening = walk([requested, fallbackOpened])
    assert.ok(opening.name === 'CONNECTING_PRIMARY')
    const failed = (leftMs: number): StateName => {
      const happening = { type: 'primary.failed', id: idOf('open-primary')(opening), fault: faultLike('lost') } as const
      return transition(opening, { ...happening, at: opening.deadline - leftMs, chance: 0 }, policy).name
    }
    assert.deepEqual([failed(501), failed(500)], ['CONNECTING_PRIMARY', 'CONNECTING_FALLBACK'])
  })

  test('a fault outside FALLBACK_CONDITIONS is an error that is retried', () => {
    const rules = { ...policy, conditions: new Set(['unreachable'] as const) }
    assert.equal(walk([requested, primaryFailed('auth')], rules).name, 'CONNECTION_ERROR')
  })

  test('a wrong statement while opening counts as a wrong configuration', () => {
    assert.equal(walk([requested, primaryFailed('statement')]).name, 'CONNECTING_FALLBACK')
  })

  test('a primary that does not answer is left at the deadline, whatever it answered before', () => {
    const state = walk([requested, fallbackOpened, primaryFailed('transient'), deadline])
    assert.ok(state.name === 'CONNECTING_FALLBACK')
    assert.equal(state.cause?.code, 'FALLBACK_TIMEOUT')
  })

  test('a slow primary gets its full CONNECTION_TIMEOUT when no other store can serve, and the fault names it', () => {
    const state = walk([requested], alone)
    assert.ok(state.name === 'CONNECTING_PRIMARY')
    assert.equal(state.deadline - state.since, 30_000)
    const left = walk([deadline], alone, state)
    assert.ok(left.name === 'CONNECTION_ERROR')
    assert.equal(left.fault.code, 'CONNECTION_TIMEOUT')
    // A monotonic clock has fractions, whose sums are not exact.
    for (let at = 1_000; at < 4_000; at += 1.234567) {
      const state = walk([requested, deadline], policy, initialState(at))
      assert.ok(state.name === 'CONNECTING_FALLBACK')
      assert.equal(state.cause?.code, 'FALLBACK_TIMEOUT', `${at}`)
    }
    const beside = walk([requested])
    assert.ok(beside.name === 'CONNECTING_PRIMARY')
    assert.equal(beside.deadline - beside.since, 5_000)
  })

  test('a disabled fallback is never opened', () => {
    const state = walk([requested, primaryOpened], alone)
    assert.equal(transition(state, { ...lost('P'), at: 9_000, chance: 0 }, alone).name, 'CONNECTING_PRIMARY')
  })
})

describe('another member of the cluster', () => {
  const serving = walk(toPrimary)

  test('is looked for before the fallback serves, for as long as the loss says, the lost host last', () => {
    const state = walk([wait1s, lostMember('P')], policy, serving)
    assert.ok(state.name === 'CONNECTING_PRIMARY')
    assert.equal(state.deadline - state.since, 3_000)
    assert.ok(!heldStores(state).includes('P') && heldStores(state).includes('F'), 'the fallback is kept open')
    const opening = effectsOf(state).find(({ run }) => run === 'open-primary')
    assert.deepEqual(opening?.run === 'open-primary' && opening.failover, { last: 'h1', avoid: null })
    const first = effectsOf(walk([requested])).find(({ run }) => run === 'open-primary')
    assert.ok(first?.run === 'open-primary' && first.failover === null, 'an opening like any other')
    const found = walk([primaryOpened, drained], policy, state)
    assert.equal(found.name, 'PRIMARY_CONNECTED')
  })

  test('is not looked for where the loss allows no time, or no other host would help', () => {
    const named = (happening: Happening<string>): StateName => walk([wait1s, happening], policy, serving).name
    for (const kind of ['lost', 'unreachable', 'read-only'] as const) {
      assert.equal(named(lostMember('P', kind)), 'CONNECTING_PRIMARY', kind)
      assert.equal(named(lost('P', kind)), 'CONNECTING_FALLBACK', `${kind}, no time`)
      const everywhere = { ...lostMember('P'), fault: faultLike(kind, { everywhere: true }) }
      assert.equal(named(everywhere), 'CONNECTING_FALLBACK', `${kind} everywhere`)
    }
    const others = faultConditions.filter((kind) => !['lost', 'unreachable', 'read-only', 'transient'].includes(kind))
    for (const kind of others) assert.equal(named(lostMember('P', kind)), 'CONNECTING_FALLBACK', kind)
  })

  test('is tried every 100 ms until the time is over, however often it refuses, while a promotion may be under way', () => {
    let state = walk([wait1s, lostMember('P')], policy, serving)
    assert.ok(state.name === 'CONNECTING_PRIMARY')
    const { since, deadlineId } = state
    const kinds = ['read-only', 'unreachable', 'lost', 'transient', 'capacity'] as const
    for (let tries = 1; tries <= 29; tries += 1) {
      const at = since + 100 * (tries - 1)
      const fault = faultLike(kinds[tries % kinds.length] ?? 'lost')
      state = transition(
        state,
        { type: 'primary.failed', id: idOf('open-primary')(state), fault, at, chance: 0 },
        policy,
      )
      assert.ok(
        state.name === 'CONNECTING_PRIMARY' && state.step.at === 'waiting',
        `${state.name} after ${tries} tries`,
      )
      assert.equal(state.step.until, at + 100)
      state = transition(state, { type: 'timer.due', id: state.step.id, at: at + 100, chance: 0 }, policy)
    }
    const over = transition(state, { type: 'timer.due', id: deadlineId, at: since + 3_000, chance: 0 }, policy)
    assert.ok(over.name === 'CONNECTING_FALLBACK')
    assert.equal(over.cause?.code, 'TEST_lost', 'the cause is why the primary was lost')
  })

  test('is not waited for once one fails for a reason that no other host would cure', () => {
    for (const kind of ['auth', 'tls', 'configuration', 'unwritable'] as const) {
      const state = walk([wait1s, lostMember('P'), primaryFailed(kind)], policy, serving)
      assert.ok(state.name === 'CONNECTING_FALLBACK', kind)
      assert.equal(state.cause?.code, `TEST_${kind}`)
    }
    const everywhere: Step = (state) => ({
      ...{ type: 'primary.failed', id: idOf('open-primary')(state) },
      fault: faultLike('read-only', { everywhere: true }),
    })
    assert.equal(walk([wait1s, lostMember('P'), everywhere], policy, serving).name, 'CONNECTING_FALLBACK')
  })

  test('without a fallback, or with one that may not serve, the end of the time is an error that is retried', () => {
    const lonely = walk([requested, primaryOpened, wait1s, lostMember('P'), deadline], alone)
    assert.ok(lonely.name === 'CONNECTION_ERROR')
    assert.equal(lonely.fault.code, 'TEST_lost')
    assert.equal(walk([due], alone, lonely).name, 'CONNECTING_PRIMARY')
    const rules = { ...policy, conditions: new Set(['unreachable'] as const) }
    assert.equal(walk([wait1s, lostMember('P'), deadline], rules, serving).name, 'CONNECTION_ERROR')
  })

  test('members that lose every connection at once are opened after growing pauses, and then no more', () => {
    let state = walk([wait1s, lostMember('P')], policy, serving)
    const steps: string[] = []
    for (let round = 0; round < 3; round += 1) {
      state = walk([primaryOpened, drained], policy, state)
      assert.ok(state.name === 'PRIMARY_CONNECTED')
      state = walk([lostMember(state.store)], policy, state)
      steps.push(state.name === 'CONNECTING_PRIMARY' ? state.step.at : state.name)
      if (state.name === 'CONNECTING_PRIMARY') state = walk([(was) => stepTimer(was)], policy, state)
    }
    assert.deepEqual(steps, ['waiting', 'waiting', 'CONNECTING_FALLBACK'])
  })

  test('the health of the search is its own row, and that of the fallback that follows', () => {
    const state = walk([wait1s, lostMember('P')], policy, serving)
    assert.equal(healthRow(state), 'failover')
    assert.equal(healthRow(walk([requested, primaryOpened, wait1s, lostMember('P')], alone)), 'failover')
    assert.equal(healthRow(walk([deadline, due], policy, state)), 'fallback')
  })
})

/** The end of the pause before the next attempt. */
function stepTimer(state: State<string>): Happening<string> {
  assert.ok(state.name === 'CONNECTING_PRIMARY' && state.step.at === 'waiting')
  return { type: 'timer.due', id: state.step.id }
}

describe('damping of one host among several', () => {
  const returned = walk([...toSwitching, switched])
  const toFallbackAfter = (happening: Happening<string>, from: State<string>): State<string> =>
    walk([wait1s, happening, deadline, due], policy, from)
  const [without, last] = [
    { last: null, avoid: 'h1' },
    { last: 'h1', avoid: null },
  ]
  const avoided = (state: State<string>): readonly unknown[] =>
    effectsOf(state).flatMap((effect) => ('hosts' in effect ? [effect.hosts] : []))

  test('only the host that was lost again is left alone; the others are probed at once and opened', () => {
    const state = toFallbackAfter(lostMember('P2'), returned)
    assert.ok(state.name === 'FALLBACK_CONNECTED' && state.recovery.step === 'waiting')
    assert.ok(state.recovery.until - state.since <= times.backoffBaseMs)
    assert.deepEqual(state.recovery.lost, { host: 'h1', avoidedUntil: state.since + 5_000 })
    assert.deepEqual(avoided(walk([due], policy, state)), [without])
    assert.deepEqual(avoided(walk([due, proved], policy, state)), [without], 'what was proven is opened')
  })

  test('once its stay is over, it is tried after the others', () => {
    const state = toFallbackAfter(lostMember('P2'), returned)
    assert.ok(state.name === 'FALLBACK_CONNECTED' && state.recovery.step === 'waiting')
    const { id } = state.recovery
    const at = (ms: number) =>
      avoided(transition(state, { type: 'timer.due', id, at: state.since + ms, chance: 0 }, policy))
    assert.deepEqual([at(4_999), at(5_000)], [[without], [last]])
  })

  test('a host whose address has no other stays away as a whole', () => {
    const { host: _, ...unnamed } = lostMember('P2') as Extract<Happening<string>, { type: 'store.lost' }>
    const state = toFallbackAfter(unnamed, returned)
    assert.ok(state.name === 'FALLBACK_CONNECTED' && state.recovery.step === 'waiting')
    assert.equal(state.recovery.until - state.since, 5_000)
  })

  test('another host that is lost starts at zero, the same one doubles', () => {
    const stayAfter = (host: string): number | undefined => {
      const flapped = walk([due, proved, carried, switched], policy, firstStay)
      const state = walk([wait1s, lostMember('P2', 'lost', host)], policy, flapped)
      return state.name === 'CONNECTING_PRIMARY' ? state.failover?.loss.stayMs : undefined
    }
    const firstStay = toFallbackAfter(lostMember('P2'), returned)
    assert.deepEqual([stayAfter('h1'), stayAfter('h2')], [10_000, 5_000])
    // Found by a search, without the fallback: a loss of it is the first one.
    const found = walk([wait1s, lostMember('P2'), primaryOpened, drained], policy, returned)
    const again = walk([wait1s, lostMember('P', 'lost', 'h2')], policy, found)
    assert.ok(again.name === 'CONNECTING_PRIMARY')
    assert.equal(again.failover?.loss.stayMs, 0)
  })

  test('losing the fallback keeps which host is left alone', () => {
    const state = toFallbackAfter(lostMember('P2'), returned)
    const reopened = transition(state, { ...lost('F', 'corrupt'), at: state.since + 1_500, chance: 0.5 }, policy)
    assert.ok(reopened.name === 'CONNECTING_FALLBACK')
    assert.deepEqual(reopened.loss, { stayMs: 3_500, host: 'h1', hasOthers: true })
  })

  test('where a member may be promoted, the write of its opening is the second one: one probe is enough', () => {
    const state = toFallbackAfter(lostMember('P'), walk(toPrimary))
    const proven = walk([due, proved], policy, state)
    assert.ok(proven.name === 'FALLBACK_CONNECTED' && proven.recovery.step === 'replaying')
    assert.equal(proven.recovery.primary, null, 'it is opened, with a proof')
    const alone = walk([...toFallback, due, proved])
    assert.ok(alone.name === 'FALLBACK_CONNECTED' && alone.recovery.step === 'waiting')
  })

  test('a member that may be promoted at any moment is probed more often, for about a minute', () => {
    const state = toFallbackAfter(lostMember('P'), walk(toPrimary))
    const pauseAfter = (failures: number, from: State<string>): number => {
      assert.ok(from.name === 'FALLBACK_CONNECTED' && from.recovery.step === 'waiting')
      const waited = { ...from, recovery: { ...from.recovery, failures } }
      const failed: Step = (at) => ({ type: 'probe.failed', id: idOf('probe')(at), fault: faultLike('read-only') })
      const next = walk([due, failed], policy, waited)
      assert.ok(next.name === 'FALLBACK_CONNECTED' && next.recovery.step === 'waiting')
      return next.recovery.until - (waited.since + 200)
    }
    assert.equal(pauseAfter(10, state), 187.5)
    assert.equal(pauseAfter(times.promotionProbes, state), 750)
    assert.equal(pauseAfter(10, walk(toFallback)), 750, 'nothing says that there are others')
  })
})

describe('the way back', () => {
  test('holds last 250 ms, 1 s and then 5 s; writes are let in for at least as long between them, and the primary is kept', () => {
    let state = walk(toSwitching)
    const holds: number[] = []
    for (let round = 0; round < 4; round += 1) {
      assert.ok(state.name === 'FALLBACK_CONNECTED' && state.recovery.step === 'switching')
      const at = state.recovery.deadline
      state = transition(state, { type: 'timer.due', id: state.recovery.deadlineId, at, chance: 0.5 }, policy)
      assert.ok(state.name === 'FALLBACK_CONNECTED' && state.recovery.step === 'pausing')
      assert.ok(heldStores(state).includes('P2'))
      const { id, until } = state.recovery
      state = transition(state, { type: 'timer.due', id, at: until, chance: 0.5 }, policy)
      const carry = effectsOf(state).find(({ run }) => run === 'carry')
      assert.ok(carry?.run === 'carry' && carry.primary === 'P2')
      state = transition(state, { type: 'carried', id: carry.id, primary: 'P2', at: until, chance: 0 }, policy)
      assert.ok(state.name === 'FALLBACK_CONNECTED' && state.recovery.step === 'switching')
      holds.push(state.recovery.deadline - until)
      assert.ok(until - at >= (holds.at(-2) ?? 250), `let in for ${until - at} ms`)
    }
    assert.deepEqual(holds, [1_000, 5_000, 5_000, 5_000])
    const first = walk(toReplaying)
    const at = first.since + 10_000
    const held = transition(first, { type: 'carried', id: idOf('carry')(first), primary: 'P2', at, chance: 0 }, policy)
    assert.ok(held.name === 'FALLBACK_CONNECTED' && held.recovery.step === 'switching')
    assert.equal(held.recovery.deadline - at, 250)
  })

  test('the primary is left in the hold when it is lost, and the fallback goes on', () => {
    const state = walk([...toSwitching, lost('P2')])
    assert.ok(state.name === 'FALLBACK_CONNECTED' && state.recovery.step === 'waiting')
    assert.ok(!heldStores(state).includes('P2') && !effectsOf(state).some(({ run }) => run === 'switch'))
    const held = walk(toSwitching)
    const reopening = transition(held, { ...lost('F'), at: held.since + 2_000, chance: 0.5 }, policy)
    assert.equal(reopening.name, 'CONNECTING_FALLBACK')
  })

  test('after three carries in a row that failed, the proven primary serves, and the rest is carried next to it', () => {
    const failed: Step = (state) => ({ type: 'carry.failed', id: idOf('carry')(state), fault: faultLike('lost') })
    const proving = [due, proved, due, proved]
    const mayOwe = (state: State<string>): readonly boolean[] =>
      effectsOf(state).flatMap((effect) => ('mayOwe' in effect ? [effect.mayOwe] : []))
    const twice = walk([...toReplaying, failed, ...proving, failed, ...proving])
    assert.deepEqual(mayOwe(twice), [false])
    const thrice = walk([failed, ...proving], policy, twice)
    assert.deepEqual(mayOwe(thrice), [true])
    const switching = walk([carried], policy, thrice)
    assert.deepEqual(mayOwe(switching), [true])
    const serving = walk([switched], policy, switching)
    assert.ok(serving.name === 'PRIMARY_CONNECTED' && serving.carrying.step === 'running')
    // A probe that fails in between says that the primary was not back.
    const probeFailed: Step = (state) => ({ type: 'probe.failed', id: idOf('probe')(state), fault: faultLike('lost') })
    assert.deepEqual(mayOwe(walk([failed, due, probeFailed, ...proving], policy, twice)), [false])
    const switchFailed: Step = (state) => ({
      type: 'switch.failed',
      id: idOf('switch')(state),
      fault: faultLike('lost'),
    })
    const inHold = [carried, switchFailed, ...proving]
    assert.deepEqual(mayOwe(walk([...toReplaying, ...inHold, ...inHold, ...inHold])), [true])
  })

  test('backoff grows while probes pass and carrying fails', () => {
    let state = walk(toReplaying)
    const waits: number[] = []
    for (let round = 0; round < 4; round += 1) {
      const at = state.since + 10_000 * (round + 1)
      state = transition(
        state,
        { type: 'carry.failed', id: idOf('carry')(state), fault: faultLike('lost'), at, chance: 0.5 },
        policy,
      )
      assert.ok(state.name === 'FALLBACK_CONNECTED' && state.recovery.step === 'waiting')
      waits.push(state.recovery.until - at)
      state = walk([due, proved, due, proved], policy, state)
    }
    assert.ok((waits[3] ?? 0) > (waits[0] ?? 0) * 3, String(waits))
  })

  test('a flapping primary stays away for 5 s, doubling to 30 s, and is trusted again after 5 min', () => {
    let state = walk([...toSwitching, switched])
    const stays: number[] = []
    for (let round = 0; round < 5; round += 1) {
      assert.ok(state.name === 'PRIMARY_CONNECTED')
      const at = state.since + 2_000
      state = transition(state, { ...lost(state.store), at, chance: 0.5 }, policy)
      assert.ok(state.name === 'CONNECTING_FALLBACK')
      stays.push(state.loss.stayMs)
      state = walk([due, due, proved, due, proved, carried, switched], policy, state)
    }
    assert.deepEqual(stays, [5_000, 10_000, 20_000, 30_000, 30_000])
    assert.ok(state.name === 'PRIMARY_CONNECTED')
    const later = transition(state, { ...lost(state.store), at: state.since + 300_000, chance: 0.5 }, policy)
    assert.ok(later.name === 'CONNECTING_FALLBACK')
    assert.equal(later.loss.stayMs, 0)
    assert.equal(later.damping.lastMs, 0)
  })

  test('losing the fallback keeps the rest of a stay', () => {
    const serving = walk([...toSwitching, switched])
    const left = transition(serving, { ...lost('P2'), at: serving.since + 2_000, chance: 0.5 }, policy)
    const waiting = walk([due], policy, left)
    const reopened = transition(waiting, { ...lost('F', 'corrupt'), at: waiting.since + 1_500, chance: 0.5 }, policy)
    assert.ok(reopened.name === 'CONNECTING_FALLBACK')
    assert.equal(reopened.loss.stayMs, 3_500)
  })

  test('new settings forget that a primary was flapping', () => {
    const left = walk([...toSwitching, switched, lost('P2')])
    assert.ok(left.damping.lastMs > 0)
    const state = walk([{ type: 'reconfigured' }, ...toPrimary], policy, left)
    assert.deepEqual(state.damping, { returnedAt: null, lastMs: 0, host: null })
  })

  test('a fallback that is lost next to a serving primary is opened again', () => {
    const state = walk([...toPrimary, lost('F')])
    assert.ok(state.name === 'PRIMARY_CONNECTED' && state.standby.status === 'opening')
    const open = walk([fallbackOpened], policy, state)
    assert.ok(open.name === 'PRIMARY_CONNECTED' && open.standby.status === 'open')
  })

  test('losing the fallback keeps the reason why it serves', () => {
    const causeAfter = (steps: readonly Step[], rules = policy): string | undefined => {
      const serving = walk(steps, rules)
      const reopened = transition(serving, { ...lost('F', 'corrupt'), at: serving.since + 2_000, chance: 0.5 }, rules)
      assert.ok(reopened.name === 'CONNECTING_FALLBACK')
      return reopened.cause?.code
    }
    assert.equal(causeAfter(toFallback), 'TEST_auth')
    assert.equal(causeAfter([...toSwitching, switched, lost('P2'), due]), 'TEST_lost')
    assert.equal(causeAfter([requested, fallbackOpened], local), undefined)
  })

  test('a fallback that is lost while nothing serves is not used again', () => {
    const rules = { ...policy, conditions: new Set(['unreachable'] as const) }
    const error = walk([requested, fallbackOpened, primaryFailed('auth')], rules)
    assert.ok(error.name === 'CONNECTION_ERROR' && error.standby.status === 'open')
    const without = walk([lost('F')], rules, error)
    assert.ok(without.name === 'CONNECTION_ERROR' && without.standby.status === 'off')
    const again = walk([due], rules, without)
    assert.ok(again.name === 'CONNECTING_PRIMARY' && again.standby.status === 'opening')
  })

  test('a store that is lost at once is opened again only after a pause', () => {
    const serving = walk([requested, primaryOpened], alone)
    const soon = transition(serving, { ...lost('P'), at: serving.since + 50, chance: 0.5 }, alone)
    assert.equal(soon.name, 'CONNECTION_ERROR')
  })
})

/** Any event, with ids and stores that are sometimes the right ones. */
const anyStep = fc.record({
  type: fc.constantFrom(...eventTypes.filter((type) => type !== 'closed')),
  isRight: fc.boolean(),
  pick: fc.nat(3),
  elapsedMs: fc.integer({ min: 0, max: 40_000 }),
  chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
  kind: fc.constantFrom<FaultKind>(...faultConditions, 'constraint', 'statement'),
})

/** A serving primary is left only when it is lost, writes are held at most for 5 s, and only open stores are carried. */
function assertNeverPulled(before: State<string>, event: Event<string>, after: State<string>): void {
  const isEnd = event.type === 'closed' || event.type === 'reconfigured'
  if (before.name === 'PRIMARY_CONNECTED' && after.name !== 'PRIMARY_CONNECTED' && !isEnd) {
    assert.ok(event.type === 'store.lost' && event.store === before.store, `left because of ${event.type}`)
  }
  if (after.name === 'CONNECTING_PRIMARY' && after.failover !== null) {
    assert.ok(['lost', 'unreachable', 'read-only'].includes(after.failover.cause.kind), 'no other host would help')
    assert.ok(after.deadline - after.since <= 3_000, 'requests wait for too long')
    const isBegun = before.name === 'CONNECTING_PRIMARY' && before.failover === after.failover
    assert.ok(isBegun || (event.type === 'store.lost' && (event.failoverMs ?? 0) > 0))
    const timers = effectsOf(after).flatMap((effect) => (effect.run === 'wait' ? [effect.until] : []))
    assert.ok(timers.includes(after.deadline), 'the search has no end')
  }
  if (after.name === 'CONNECTING_FALLBACK' && after.declared) assert.ok(after.cause !== null, 'left without a fault')
  const held = heldStores(after)
  for (const effect of effectsOf(after)) {
    if (effect.run === 'drain') assert.ok(held.includes(effect.from) && held.includes(effect.to))
    if (effect.run !== 'switch') continue
    assert.ok(after.name === 'FALLBACK_CONNECTED' && after.recovery.step === 'switching')
    assert.ok(after.recovery.deadline - event.at <= 5_000)
  }
}

describe('any sequence of events', () => {
  test('ids are unique, no state is stuck, late answers change nothing, each store is closed exactly once', () => {
    const few = { state: initialState(0), rules: { ...policy, conditions: new Set(['lost', 'unreachable'] as const) } }
    // At random the later states are hardly ever reached from the first one.
    const starts = fc.constantFrom(...Object.values(states), few)
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 60 }), starts, (steps, { state: start, rules }) => {
        let state = start
        let at = start.since
        let made = 0
        const open = new Set(heldStores(start))
        const apply = (event: Event<string>): void => {
          const before = state
          state = transition(before, event, rules)
          for (const store of releasedStores(before, event, state)) {
            assert.ok(open.delete(store), `${store} is closed twice, or was never opened`)
          }
          for (const store of heldStores(state)) assert.ok(open.has(store))
          assert.equal(open.size, new Set(heldStores(state)).size)
          const ids = effectsOf(state).map((effect) => effect.id)
          assert.equal(new Set(ids).size, ids.length)
          assert.ok(ids.every((id) => id <= state.lastId))
          assertNeverPulled(before, event, state)
          const isAtRest = state.name === 'DISCONNECTED' || state.name === 'PRIMARY_CONNECTED' || !rules.declared
          assert.ok(isAtRest || ids.length > 0, `${state.name} waits for nothing`)
          if (!rules.fallback && rules.declared) assert.notEqual(state.name, 'FALLBACK_CONNECTED')
        }
        for (const step of steps) {
          at += step.elapsedMs
          const awaited = effectsOf(state).filter((effect) => effect.run === answers[step.type])
          const id = step.isRight ? awaited[step.pick % Math.max(1, awaited.length)]?.id : undefined
          const lossOf = { failoverMs: 1_000 * (step.pick % 3), ...(step.pick > 1 ? { host: `h${step.pick}` } : {}) }
          const base = { at, chance: step.chance, id: id ?? -7, fault: faultLike(step.kind), ...lossOf }
          const held = heldStores<string>(state)
          let store: string = held[step.pick % Math.max(1, held.length)] ?? 'unknown'
          if (step.type === 'store.lost' && !step.isRight) store = 'unknown'
          if (step.type === 'store.lost' && store === 'unknown') continue
          if (step.type.endsWith('opened') || step.type === 'carried') {
            made += 1
            store = `S${made}`
            const kept = effectsOf<string>(state).find((effect) => effect.run === 'carry')
            if (step.type === 'carried' && id !== undefined && kept?.run === 'carry' && kept.primary !== null) {
              store = kept.primary
            } else open.add(store)
          }
          const before: State<string> = state
          apply({ ...base, store, primary: store, type: step.type } as Event<string>) // Carries what any event may carry.
          const isAnswer = answers[step.type] !== undefined
          if (isAnswer && id === undefined) assert.equal(state, before, `a late ${step.type} was taken`)
        }
        apply({ type: 'closed', at, chance: 0 })
        assert.equal(open.size, 0)
        assert.equal(transition(state, { type: 'requested', at, chance: 0 }, rules), state)
      }),
      { numRuns: 400 },
    )
  })
})

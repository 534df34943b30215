import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { times } from '../../../src/database/machine/policy.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { connectionStatusOf } from '../../../src/database/supervisor/connection-status.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { settle } from '../../support/fake-clock.ts'
import { ScriptedClaims } from '../../support/scripted-claims.ts'
import { faultLike, type Script } from '../../support/scripted-driver.ts'
import { until } from '../../support/until.ts'
import { defaults, endRig, path, type Rig, type RigOptions, rigOf } from '../rig.ts'

const hosts = ['h1', 'h2', 'h3'] as const

/** A primary of three hosts, of which the first one serves for longer than a second. */
async function onFirstHost(options: RigOptions = {}): Promise<{ readonly rig: Rig; readonly store: Store }> {
  const rig = rigOf({ hosts, ...options })
  const { store } = await rig.supervisor.serving()
  assert.equal(store.label, options.hosts?.[0] ?? 'h1')
  await rig.clock.advance(2_000)
  rig.primary.asked.length = 0
  rig.seen.length = 0
  return { rig, store }
}

function answering(rig: Rig, scripts: Readonly<Record<string, Script>>): void {
  for (const [host, script] of Object.entries(scripts)) rig.primary.scriptOf.set(host, script)
}

/** The primary is lost, as its check says. */
async function lose(rig: Rig, store: Store): Promise<void> {
  assert.equal(await rig.supervisor.report(store, faultLike('lost')), 'lost')
}

/** Waits until a store serves; its label. The clock stands still meanwhile. */
async function servedBy(rig: Rig): Promise<string> {
  await until(() => rig.supervisor.current !== null, { withinMs: 5_000, what: 'a store that serves' })
  return rig.supervisor.current?.store.label ?? 'none'
}

describe('a primary with several hosts that is lost', () => {
  test('holds requests until another host serves, and the fallback never does', async () => {
    const { rig, store } = await onFirstHost()
    answering(rig, { h1: 'unreachable', h2: 'read-only', h3: 'read-only' })
    await lose(rig, store)
    const write = rig.work.run(async (session) => session.store.label, { kind: 'write', rerun: 'never' })
    const read = rig.work.run(async (session) => session.store.label, { kind: 'read', rerun: 'never' })
    await rig.clock.advance(1_500)
    assert.equal(rig.gate.active, 0, 'both wait')
    answering(rig, { h2: 'works' })
    await rig.clock.advance(100)
    assert.deepEqual([(await write).value, (await read).value], ['h2', 'h2'])
    assert.deepEqual(path(rig), ['CONNECTING_PRIMARY', 'PRIMARY_CONNECTED'])
    await endRig(rig)
  })

  test('tries the lost host last, and it may serve again', async () => {
    const { rig, store } = await onFirstHost()
    answering(rig, { h1: 'unreachable', h2: 'unreachable', h3: 'read-only' })
    await lose(rig, store)
    await settle()
    // The first one is the check of the lost host.
    assert.deepEqual(rig.primary.asked.slice(0, 4), ['h1', 'h2', 'h3', 'h1'])
    answering(rig, { h1: 'works' })
    await rig.clock.advance(100)
    assert.equal(await servedBy(rig), 'h1')
    await endRig(rig)
  })

  test('leaves it to the fallback after FAILOVER_WAIT, and returns to the first host that becomes writable, however late', async () => {
    const { rig, store } = await onFirstHost()
    answering(rig, { h1: 'read-only', h2: 'read-only', h3: 'read-only' })
    await lose(rig, store)
    await rig.clock.advance(2_999)
    assert.equal(rig.supervisor.state.name, 'CONNECTING_PRIMARY')
    const asked = rig.primary.asked.length
    assert.ok(asked >= 85 && asked <= 95, `asked ${asked} times, every 100 ms`)
    await rig.clock.advance(1)
    assert.equal(rig.supervisor.current?.shown, 'fallback')
    rig.primary.asked.length = 0
    await rig.clock.advance(10_000)
    assert.ok(rig.primary.asked.length > 3 * 35, 'a promotion is expected soon')
    await rig.clock.advance(120_000)
    rig.primary.asked.length = 0
    await rig.clock.advance(10_000)
    assert.ok(rig.primary.asked.length < 3 * 20, 'a promotion is not expected any more')
    answering(rig, { h3: 'works' })
    await rig.clock.advance(1_500)
    assert.equal(await servedBy(rig), 'h3')
    await endRig(rig)
  })

  test('is not kept from the next host by one that hangs', async () => {
    for (const hanging of ['h1', 'h3'] as const) {
      const { rig, store } = await onFirstHost()
      answering(rig, { h1: 'unreachable', h2: 'read-only', h3: 'unreachable' })
      await lose(rig, store)
      // It hung as soon as it was lost.
      answering(rig, { [hanging]: 'hangs' })
      await rig.clock.advance(1_000)
      answering(rig, { h2: 'works' })
      await rig.clock.advance(times.hedgeMs)
      assert.equal(await servedBy(rig), 'h2', `${hanging} hangs`)
      rig.primary.answer('unreachable')
      await settle()
      await endRig(rig)
    }
  })

  test('goes to the fallback at once with FAILOVER_WAIT=0, for a fault of every host, and where another host refuses the password', async () => {
    const never = await onFirstHost({ settings: { failoverMs: 0 } })
    answering(never.rig, { h1: 'unreachable' })
    await lose(never.rig, never.store)
    assert.equal(await servedBy(never.rig), 'fallback-db-store')
    await endRig(never.rig)
    for (const kind of ['auth', 'tls', 'configuration'] as const) {
      const { rig, store } = await onFirstHost()
      answering(rig, { h1: kind, h2: 'works' })
      await lose(rig, store)
      assert.equal(await servedBy(rig), 'fallback-db-store', kind)
      await rig.supervisor.close(5_000)
      rig.work.close()
    }
    const { rig, store } = await onFirstHost()
    answering(rig, { h1: 'unreachable', h2: 'auth', h3: 'auth' })
    await lose(rig, store)
    assert.equal(await servedBy(rig), 'fallback-db-store')
    await endRig(rig)
  })

  test('without a fallback ends in an error after FAILOVER_WAIT, and is opened again', async () => {
    const { rig, store } = await onFirstHost({ settings: { fallbackEnabled: false } })
    answering(rig, { h1: 'unreachable', h2: 'unreachable', h3: 'unreachable' })
    await lose(rig, store)
    const waiting = assert.rejects(rig.supervisor.serving(), { code: 'STORE_UNAVAILABLE' })
    await rig.clock.advance(3_000)
    await waiting
    answering(rig, { h2: 'works' })
    await rig.clock.advance(1_000)
    assert.equal(await servedBy(rig), 'h2')
    await endRig(rig)
  })

  test('a second loss within a minute leads to the next host, not to the fallback', async () => {
    const { rig, store } = await onFirstHost()
    answering(rig, { h1: 'unreachable' })
    await lose(rig, store)
    const { store: second } = await rig.supervisor.serving()
    assert.equal(second.label, 'h2')
    await rig.clock.advance(5_000)
    answering(rig, { h2: 'unreachable' })
    await lose(rig, second)
    assert.equal(await servedBy(rig), 'h3')
    assert.ok(!path(rig).includes('FALLBACK_CONNECTED'))
    await endRig(rig)
  })

  test('only the host that was lost again is left alone: the fallback serves until another one is writable', async () => {
    const { rig, store } = await onFirstHost()
    const refusing = { h1: 'unreachable', h2: 'read-only', h3: 'read-only' } as const
    answering(rig, refusing)
    await lose(rig, store)
    await rig.clock.advance(4_000)
    answering(rig, { h1: 'works' })
    await rig.clock.advance(1_000)
    const { store: again } = await rig.supervisor.serving()
    assert.equal(again.label, 'h1')
    await rig.clock.advance(2_000)
    answering(rig, refusing)
    await lose(rig, again)
    await rig.clock.advance(3_010)
    assert.equal(rig.supervisor.current?.shown, 'fallback')
    answering(rig, { h1: 'works' })
    rig.primary.asked.length = 0
    await rig.clock.advance(4_000)
    assert.ok(rig.primary.asked.length > 10 && !rig.primary.asked.includes('h1'), 'it flaps')
    answering(rig, { h3: 'works' })
    await rig.clock.advance(800)
    assert.equal(await servedBy(rig), 'h3')
    await endRig(rig)
  })

  test('shows the search, and why: state, health row, status and log', async () => {
    const { rig, store } = await onFirstHost()
    answering(rig, { h1: 'unreachable', h2: 'read-only', h3: 'read-only' })
    await lose(rig, store)
    await rig.clock.advance(500)
    const { state, row, why, transitions } = connectionStatusOf(rig.supervisor)
    assert.deepEqual([state, row, why?.code], ['CONNECTING_PRIMARY', 'failover', 'TEST_unreachable'])
    assert.equal(transitions.at(-1)?.to, 'CONNECTING_PRIMARY')
    const changed = rig.seen.findLast(({ type }) => type === 'connection.changed')
    assert.ok(changed?.type === 'connection.changed' && changed.isFailover)
    await endRig(rig)
  })
})

describe('a cluster whose members stall together', () => {
  const facts = { stallMs: 7_000 }

  test('is looked for until it goes on, for longer than another cluster', async () => {
    const { rig, store } = await onFirstHost({ primaryFacts: facts })
    answering(rig, { h1: 'unreachable', h2: 'unreachable', h3: 'unreachable' })
    await lose(rig, store)
    await rig.clock.advance(9_500)
    assert.equal(rig.supervisor.state.name, 'CONNECTING_PRIMARY')
    answering(rig, { h2: 'works' })
    await rig.clock.advance(100)
    assert.equal(await servedBy(rig), 'h2')
    await endRig(rig)
  })

  test('may write late: the check of a member that reads waits for it, one that does not read is lost as soon as any other', async () => {
    const { rig, store } = await onFirstHost({ primaryFacts: facts })
    const stalled = Promise.withResolvers<void>()
    rig.primary.onVerify = async ({ proof }) => (proof === 'write' ? await stalled.promise : undefined)
    const checked = rig.supervisor.report(store, null)
    await rig.clock.advance(6_000)
    stalled.resolve()
    assert.equal(await checked, 'kept')
    rig.primary.scriptOf.set('h1', 'hangs')
    const lost = rig.supervisor.report(store, null)
    await rig.clock.advance(2_500)
    assert.equal(await lost, 'lost')
    rig.primary.answer('unreachable')
    await endRig(rig)
  })
})

describe('a primary with one host that is lost', () => {
  test('is looked for where FAILOVER_WAIT is set, as behind a balancer, and flaps as a whole', async () => {
    const { rig, store } = await onFirstHost({ hosts: ['balancer'], settings: { failoverMs: 1_000 } })
    rig.primary.script = ['unreachable', 'unreachable', 'read-only', 'works']
    await lose(rig, store)
    await rig.clock.advance(250)
    assert.equal(await servedBy(rig), 'balancer')
    assert.deepEqual(path(rig), ['CONNECTING_PRIMARY', 'PRIMARY_CONNECTED'])
    await endRig(rig)
  })

  test('is looked for where the server says that it has other members', async () => {
    const standing = { cluster: 'c', server: 's', isWritable: true, timeline: 1, position: 1n, members: 3 }
    for (const members of [3, 1]) {
      const facts = { standing: { ...standing, members } }
      const { rig, store } = await onFirstHost({ hosts: ['balancer'], primaryFacts: facts })
      rig.primary.script = ['unreachable', 'works']
      await lose(rig, store)
      const { shown } = await rig.supervisor.serving()
      assert.equal(shown, members > 1 ? 'primary' : 'fallback')
      await endRig(rig)
    }
  })
})

describe('work that is lost with its host', () => {
  test('runs again on the next host, also after an unknown COMMIT, which it claims although no fallback may write', async () => {
    const { rig } = await onFirstHost({ settings: { ...defaults, fallbackMode: 'read-only' } })
    const claims = new ScriptedClaims()
    rig.primary.engine = claims.engine
    answering(rig, { h1: 'unreachable' })
    const seen: (readonly [string, string | null])[] = []
    const { value, store } = await rig.work.run(
      async (session) => {
        seen.push([session.store.label, session.claims])
        if (seen.length === 1) throw new FaultError(faultLike('lost', { ambiguous: true }))
        return session.store.label
      },
      { kind: 'write', rerun: 'always', isKeyed: true, claims: true },
    )
    assert.deepEqual([value, store], ['h2', 'primary'])
    assert.deepEqual(seen.at(-1), ['h2', 'driver'])
    await endRig(rig)
  })

  test('claims nothing where no other host may serve and no fallback accepts writes', async () => {
    const claimed = async (failoverMs: number): Promise<string | null> => {
      const rig = rigOf({ hosts, settings: { fallbackMode: 'read-only', failoverMs } })
      rig.primary.engine = new ScriptedClaims().engine
      const write = { kind: 'write', rerun: 'always', claims: true } as const
      const { value } = await rig.work.run(async (session) => session.claims, write)
      await rig.work.forgetClaims(1_000)
      await endRig(rig)
      return value
    }
    assert.deepEqual([await claimed(0), await claimed(1_000)], [null, 'driver'])
  })

  test('waits for longer than FALLBACK_TIMEOUT and CONNECTION_TIMEOUT where FAILOVER_WAIT is longer', async () => {
    const settings = { failoverMs: 9_000, fallbackEnabled: false, limits: { ...defaults.limits, connectMs: 1_000 } }
    const { rig, store } = await onFirstHost({ settings })
    answering(rig, { h1: 'unreachable', h2: 'read-only', h3: 'read-only' })
    await lose(rig, store)
    const write = rig.work.run(async (session) => session.store.label, { kind: 'write', rerun: 'never' })
    await rig.clock.advance(8_000)
    answering(rig, { h3: 'works' })
    await rig.clock.advance(100)
    assert.equal((await write).value, 'h3')
    await endRig(rig)
  })
})

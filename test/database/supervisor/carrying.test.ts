import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { times } from '../../../src/database/machine/policy.ts'
import type { Store } from '../../../src/database/store/store.ts'
import { connectionStatusOf } from '../../../src/database/supervisor/connection-status.ts'
import { emptySteps, JournalFault, type StoreSteps } from '../../../src/database/supervisor/steps.ts'
import { restingCode } from '../../../src/driver/facet/journal.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { settle } from '../../support/fake-clock.ts'
import { configOf, faultLike } from '../../support/scripted-driver.ts'
import { defaults, path, type Rig, type RigOptions, rigOf } from '../rig.ts'

const write = { kind: 'write', rerun: 'never' } as const
const read = { kind: 'read', rerun: 'never' } as const

/** Steps over a journal that is a number; everything that they are told is in `log`. */
class ScriptedJournal implements StoreSteps {
  readonly restore = emptySteps.restore
  readonly prepare = emptySteps.prepare
  readonly lacks = emptySteps.lacks
  readonly changed = emptySteps.changed
  readonly leave = emptySteps.leave
  readonly stood = emptySteps.stood
  readonly log: string[] = []
  waiting = 0
  /** Whether the fallback accepts changes. */
  isServing = false
  /** What the next carries do, before they empty the journal; the last stays. */
  script: ((tail: number, signal: AbortSignal) => Promise<void>)[] = []
  resting: (signal: AbortSignal) => Promise<void> = async () => {}
  isHeld: () => boolean = () => false
  #running = 0

  owed(): number {
    return this.waiting
  }

  async carry(_from: Store, _to: Store, tail: number, signal: AbortSignal): Promise<void> {
    this.log.push(`carry ${tail}${this.isHeld() ? ' held' : ''}`)
    this.#running += 1
    assert.equal(this.#running, 1, 'two carry at once')
    try {
      const script = this.script.length > 1 ? this.script.shift() : this.script[0]
      await script?.(tail, signal)
      signal.throwIfAborted()
      this.waiting = 0
    } finally {
      this.#running -= 1
    }
  }

  serve(_fallback: Store, isServing: boolean): void {
    this.log.push(isServing ? 'serve' : 'close')
    this.isServing = isServing
  }

  async rest(_fallback: Store, signal: AbortSignal): Promise<void> {
    await this.resting(signal)
    signal.throwIfAborted()
    this.log.push('rest')
    this.isServing = false
  }

  async returned(): Promise<void> {
    this.log.push('returned')
  }
}

interface JournaledRig extends Rig {
  readonly journal: ScriptedJournal
}

function journaled(options: RigOptions = {}): JournaledRig {
  const journal = new ScriptedJournal()
  const rig = rigOf({ ...options, steps: journal })
  journal.isHeld = () => rig.gate.isHeld
  return Object.assign(rig, { journal })
}

/** The fallback serves, because the primary refused its first opening. */
async function onFallback(options: RigOptions = {}): Promise<JournaledRig> {
  const rig = journaled(options)
  rig.primary.script = ['auth', 'works']
  assert.equal((await rig.supervisor.serving()).shown, 'fallback')
  return rig
}

async function end(rig: Rig): Promise<void> {
  const closed = rig.supervisor.close(5_000)
  await rig.clock.advance(5_000)
  await closed
  rig.work.close()
  await settle()
  for (const { calls } of [rig.primary, rig.fallback]) {
    assert.equal(calls.connectionsOpen, 0, 'a connection is left')
    assert.equal(calls.ormsMade, calls.ormsClosed, 'an ORM is left')
  }
  assert.equal(rig.clock.pending, 0, 'a timer is left')
  assert.equal(rig.gate.isHeld, false, 'writes are held')
}

/** Settles as a step does when its signal aborts. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

const hangs = (_tail: number, signal: AbortSignal): Promise<void> => untilAborted(signal)
const works = async (): Promise<void> => {}
const fails = async (): Promise<void> => {
  throw new FaultError(faultLike('lost'))
}
const recoveryOf = ({ supervisor: { state } }: Rig): string | null =>
  state.name === 'FALLBACK_CONNECTED' ? state.recovery.step : null
const carryingOf = ({ supervisor: { state } }: Rig): string | null => ('carrying' in state ? state.carrying.step : null)

describe('next to the primary', () => {
  test('a journal is carried before the primary serves; then carried rows leave, and the fallback accepts no change', async () => {
    const rig = journaled()
    rig.journal.waiting = 3
    assert.equal((await rig.supervisor.serving()).shown, 'primary')
    await settle()
    assert.deepEqual(path(rig), ['CONNECTING_PRIMARY', 'PRIMARY_CONNECTED'])
    assert.deepEqual(rig.journal.log, ['carry 0', 'returned'])
    await end(rig)
  })

  test('a journal whose file fails is opened again, and the primary goes on', async () => {
    const rig = journaled()
    rig.journal.waiting = 3
    rig.journal.script = [
      async () => {
        throw new JournalFault(faultLike('corrupt'))
      },
      works,
    ]
    const { store } = await rig.supervisor.serving()
    await rig.clock.advance(1_000)
    assert.equal(rig.supervisor.current?.store, store)
    assert.deepEqual([rig.primary.calls.ormsMade, rig.fallback.calls.ormsMade, rig.journal.waiting], [1, 2, 0])
    await end(rig)
  })

  test('the primary waits half a second for a long journal, and the same carrying goes on until the journal is empty', async () => {
    const rig = journaled()
    let finish = (): void => {}
    rig.journal.waiting = 3
    rig.journal.script = [() => new Promise((resolve) => (finish = resolve))]
    const serving = rig.supervisor.serving()
    await rig.clock.advance(times.carryFirstMs - 1)
    assert.equal(rig.supervisor.current, null)
    await rig.clock.advance(1)
    assert.equal((await serving).shown, 'primary')
    assert.equal((await rig.work.run(async () => 1, write)).store, 'primary')
    assert.equal(connectionStatusOf(rig.supervisor).carrying, 'running')
    finish()
    await settle()
    assert.deepEqual(rig.journal.log, ['carry 0', 'returned'])
    assert.equal(connectionStatusOf(rig.supervisor).carrying, 'none')
    await end(rig)
  })

  test('carrying that fails is tried again ever later, with no request, until the journal is empty', async () => {
    const rig = journaled()
    rig.journal.waiting = 3
    rig.journal.script = [fails, fails, fails, works]
    void rig.supervisor.open()
    await rig.clock.advance(10)
    assert.equal(carryingOf(rig), 'waiting')
    await rig.clock.advance(10_000)
    assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
    assert.equal(rig.journal.waiting, 0)
    assert.equal(rig.journal.log.filter((line) => line === 'carry 0').length, 4)
    const failed = rig.seen.flatMap((seen) =>
      seen.type === 'connection.attempt.failed' ? [`${seen.what} ${seen.attempt}`] : [],
    )
    assert.deepEqual(failed, ['carry 1', 'carry 2', 'carry 3'])
    await end(rig)
  })

  test('a primary that dies while a journal is carried to it is noticed with no request', async () => {
    const rig = journaled()
    rig.journal.waiting = 3
    rig.journal.script = [hangs]
    void rig.supervisor.open()
    await rig.clock.advance(6_000)
    assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
    rig.fallback.script = ['unwritable', 'works']
    const { fallback } = rig.supervisor
    assert.ok(fallback)
    rig.journal.script = [fails]
    assert.equal(await rig.supervisor.report(fallback, faultLike('corrupt')), 'lost')
    rig.primary.script = ['unreachable']
    await rig.clock.advance(40_000)
    assert.equal(rig.supervisor.current?.shown, 'fallback')
    await end(rig)
  })

  test('a fallback that opens late and owes is carried next to the primary, which serves all the time', async () => {
    const rig = journaled()
    rig.journal.waiting = 3
    rig.fallback.script = ['unwritable', 'works']
    assert.equal((await rig.supervisor.serving()).shown, 'primary')
    assert.deepEqual(rig.journal.log, [])
    await rig.clock.advance(30_000)
    assert.deepEqual(rig.journal.log, ['carry 0', 'returned'])
    assert.equal(rig.journal.waiting, 0)
    assert.deepEqual(path(rig), ['CONNECTING_PRIMARY', 'PRIMARY_CONNECTED'])
    await end(rig)
  })

  test('a file that another process holds leaves the primary serving, is named, and is tried again', async () => {
    const rig = journaled()
    rig.fallback.script = ['transient', 'transient', 'works']
    assert.equal((await rig.supervisor.serving()).shown, 'primary')
    assert.equal(connectionStatusOf(rig.supervisor).standby?.fault?.code, 'TEST_transient')
    await rig.clock.advance(4_000)
    assert.equal(connectionStatusOf(rig.supervisor).standby?.status, 'open')
    await end(rig)
  })

  test('without a primary, too, a file that another process holds is tried again', async () => {
    const rig = journaled()
    rig.primary.script = ['auth']
    rig.fallback.script = ['transient', 'transient', 'transient', 'works']
    await assert.rejects(rig.supervisor.serving(), /STORE_UNAVAILABLE/)
    await rig.clock.advance(10_000)
    assert.equal(rig.supervisor.current?.shown, 'fallback')
    await end(rig)
  })

  test('our tables that appear while the primary serves are used at once', async () => {
    const rig = journaled()
    rig.primary.ownTables = 'absent'
    rig.journal.script = [
      async () => {
        throw new FaultError(faultLike('configuration'))
      },
    ]
    rig.journal.waiting = 3
    assert.equal((await rig.supervisor.serving()).shown, 'primary')
    await rig.clock.advance(20_000)
    rig.journal.script = [works]
    rig.primary.ownTables = 'ours'
    const { store } = await rig.supervisor.serving()
    await rig.supervisor.report(store, faultLike('lost'))
    await settle()
    assert.equal(rig.journal.waiting, 0)
    await end(rig)
  })
})

describe('the way back', () => {
  test('carries to a short tail, holds new writes, closes the fallback, carries the rest, then lets them in', async () => {
    const rig = await onFallback()
    assert.ok(rig.journal.isServing)
    await rig.clock.advance(1_000)
    assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
    assert.deepEqual(rig.journal.log, ['serve', 'carry 1000', 'rest', 'carry 0 held', 'carry 0', 'returned'])
    await end(rig)
  })

  test('the journal empties with no request at all', async () => {
    const rig = journaled()
    rig.primary.script = ['unreachable']
    void rig.supervisor.open()
    await rig.clock.advance(20_000)
    rig.journal.waiting = 7
    assert.equal(rig.supervisor.current?.shown, 'fallback')
    rig.primary.script = ['works']
    await rig.clock.advance(3_000)
    assert.equal(rig.supervisor.current?.shown, 'primary')
    assert.equal(rig.journal.waiting, 0)
    await end(rig)
  })

  test('neither a session nor a write that is running keeps the service on the fallback', async () => {
    const rig = await onFallback()
    let finish = (): void => {}
    const open = rig.work.run(() => new Promise<void>((resolve) => (finish = resolve)), write)
    await rig.clock.advance(1_000)
    assert.equal(rig.supervisor.current?.shown, 'primary')
    finish()
    assert.equal((await open).store, 'fallback')
    await end(rig)
  })

  test('reads go on during the hold, a new write waits for it and goes to the primary', async () => {
    const rig = await onFallback()
    let finish = (): void => {}
    rig.journal.resting = () => new Promise((resolve) => (finish = resolve))
    await rig.clock.advance(400)
    assert.equal(recoveryOf(rig), 'switching')
    const late = rig.work.run(async () => {}, write)
    assert.equal((await rig.work.run(async () => 'read', read)).store, 'fallback')
    finish()
    assert.equal((await late).store, 'primary')
    await end(rig)
  })

  test('a hold that is too short opens the fallback again, only after it has settled; the next ones are longer', async () => {
    const rig = await onFallback()
    const settled: (() => void)[] = []
    rig.journal.resting = (signal) =>
      new Promise((resolve) => {
        settled.push(resolve)
        signal.addEventListener('abort', () => {}, { once: true })
      })
    const holds: number[] = []
    for (const holdMs of [250, 1_000, 5_000, 5_000]) {
      while (!rig.gate.isHeld) await rig.clock.advance(10)
      const heldAt = rig.clock.now()
      const held = rig.work.run(async () => {}, write)
      while (recoveryOf(rig) === 'switching') await rig.clock.advance(10)
      holds.push(rig.clock.now() - heldAt)
      assert.ok(Math.abs((holds.at(-1) ?? 0) - holdMs) <= 20, String(holds))
      assert.equal(rig.gate.isHeld, true, 'not before the switch has settled')
      settled.pop()?.()
      await settle()
      assert.equal(rig.gate.isHeld, false)
      assert.ok(rig.journal.isServing, 'the fallback accepts changes again')
      assert.equal((await held).store, 'fallback')
    }
    rig.journal.resting = works
    await rig.clock.advance(10_000)
    assert.equal(rig.supervisor.current?.shown, 'primary')
    assert.ok(!rig.journal.isServing)
    await end(rig)
  })

  test('a switch that fails after the fallback was closed opens it before writes are let in', async () => {
    const rig = await onFallback()
    rig.journal.script = [works, fails, hangs]
    await rig.clock.advance(350)
    assert.deepEqual(rig.journal.log.slice(0, 5), ['serve', 'carry 1000', 'rest', 'carry 0 held', 'serve'])
    assert.equal(recoveryOf(rig), 'waiting')
    assert.equal((await rig.work.run(async () => {}, write)).store, 'fallback')
    await end(rig)
  })

  test('a primary that is lost in the hold is left, and the fallback serves writes again', async () => {
    const rig = await onFallback()
    rig.journal.script = [works, hangs]
    await rig.clock.advance(350)
    assert.equal(recoveryOf(rig), 'switching')
    assert.ok(!rig.journal.isServing)
    const held = rig.work.run(async () => {}, write)
    const primary = rig.supervisor.state.name === 'FALLBACK_CONNECTED' && rig.supervisor.state.recovery
    assert.ok(primary && 'primary' in primary && primary.primary !== null)
    rig.primary.script = ['unreachable']
    assert.equal(await rig.supervisor.report(primary.primary, faultLike('lost')), 'lost')
    await settle()
    assert.equal((await held).store, 'fallback')
    assert.ok(rig.journal.isServing)
    rig.journal.script = [works]
    rig.primary.script = ['works']
    await rig.clock.advance(3_000)
    assert.equal(rig.supervisor.current?.shown, 'primary')
    await end(rig)
  })

  test('a fallback that is lost in the hold is opened again, accepts changes, and the way back goes on', async () => {
    const rig = await onFallback()
    await rig.clock.advance(0)
    rig.primary.script = ['unreachable']
    await rig.clock.advance(2_000)
    rig.primary.script = ['works']
    rig.journal.script = [works, hangs]
    while (recoveryOf(rig) !== 'switching') await rig.clock.advance(10)
    const held = rig.work.run(async () => {}, write)
    const { store } = await rig.supervisor.serving()
    assert.equal(await rig.supervisor.report(store, faultLike('corrupt')), 'lost')
    await rig.clock.advance(10)
    assert.equal((await held).store, 'fallback')
    assert.ok(rig.journal.isServing)
    rig.journal.script = [works]
    await rig.clock.advance(3_000)
    assert.equal(rig.supervisor.current?.shown, 'primary')
    await end(rig)
  })

  test('new settings, and the end of the service, in the hold leave nothing held', async () => {
    const again = await onFallback()
    again.journal.script = [works, hangs]
    await again.clock.advance(350)
    assert.ok(again.gate.isHeld)
    again.journal.script = [works]
    const held = again.work.run(async () => {}, write)
    again.config = configOf(null, again.fallback)
    const state = await again.supervisor.reconfigure(defaults)
    assert.ok(state.name === 'FALLBACK_CONNECTED' && !state.declared)
    assert.equal((await held).store, 'local')
    await end(again)

    const ending = await onFallback()
    ending.journal.script = [works, hangs]
    await ending.clock.advance(350)
    const refused = ending.work.run(async () => {}, write).catch((error: unknown) => String(error))
    await end(ending)
    assert.match(String(await refused), /CLOSING/)
  })

  test('a journal that cannot be carried keeps the service from a proven primary only three times', async () => {
    const rig = await onFallback()
    rig.journal.waiting = 3
    rig.journal.script = [fails]
    await rig.clock.advance(10_000)
    assert.equal(rig.supervisor.current?.shown, 'primary')
    assert.equal(rig.journal.log.filter((line) => line === 'carry 1000').length, 3)
    assert.ok(!rig.journal.isServing)
    assert.equal(carryingOf(rig), 'waiting')
    rig.journal.script = [works]
    await rig.clock.advance(30_000)
    assert.equal(rig.journal.waiting, 0)
    assert.equal(rig.journal.log.at(-1), 'returned')
    await end(rig)
  })
})

describe('the fallback accepts changes', () => {
  test('exactly while it serves next to a declared primary and lets writes in', async () => {
    const local = journaled({ declared: false })
    await local.supervisor.serving()
    assert.deepEqual(local.journal.log, [])
    await end(local)

    const blocked = await onFallback({ settings: { fallbackMode: 'read-only' } })
    assert.ok(!blocked.journal.log.includes('serve'))
    await end(blocked)

    const rig = journaled()
    await rig.supervisor.serving()
    assert.ok(!rig.journal.log.includes('serve'))
    rig.primary.script = ['unreachable']
    const { store } = await rig.supervisor.serving()
    await rig.clock.advance(2_000)
    assert.equal(await rig.supervisor.report(store, faultLike('lost')), 'lost')
    assert.equal((await rig.supervisor.serving()).shown, 'fallback')
    assert.ok(rig.journal.isServing)
    rig.primary.ownTables = 'absent'
    rig.primary.script = ['works']
    rig.journal.script = [hangs]
    await rig.clock.advance(300)
    assert.equal(rig.supervisor.writeBlock, 'tables-absent')
    assert.ok(!rig.journal.isServing, 'the primary lost the tables that it is carried with')
    await end(rig)
  })

  test('a write that it refuses says nothing against it', async () => {
    const rig = await onFallback()
    await rig.clock.advance(1_000)
    const { fallback } = rig.supervisor
    assert.ok(fallback)
    assert.equal(await rig.supervisor.report(fallback, faultLike('lost', { code: restingCode })), 'kept')
    assert.equal(await rig.supervisor.report(fallback, faultLike('lost')), 'lost')
    await end(rig)
  })

  test('a running write may finish while the service closes', async () => {
    const rig = await onFallback()
    let finish = (): void => {}
    const running = rig.work.run(() => new Promise<void>((resolve) => (finish = resolve)), write)
    await settle()
    const closed = rig.supervisor.close(5_000)
    await settle()
    assert.ok(rig.journal.isServing)
    finish()
    await running
    await closed
    await end(rig)
  })
})

describe('a service that closes', () => {
  const left = (rig: Rig): unknown[] =>
    rig.seen.flatMap((seen) => (seen.type === 'journal.left' ? [[seen.entries, seen.isLosable]] : []))

  test('spends its time on carrying a journal that the next restart may lose, and opens the primary for it', async () => {
    const rig = await onFallback({ facts: { ephemeral: true } })
    rig.journal.waiting = 3
    rig.primary.script = ['unreachable', 'works']
    const closed = rig.supervisor.close(10_000)
    await rig.clock.advance(2_000)
    await closed
    assert.equal(rig.journal.waiting, 0)
    assert.deepEqual(left(rig), [])
    await end(rig)
  })

  test('uses the primary that serves, ends within its limit, and says what is left', async () => {
    const rig = journaled({ facts: { ephemeral: true } })
    rig.journal.waiting = 3
    rig.journal.script = [hangs]
    void rig.supervisor.open()
    await rig.clock.advance(6_000)
    const { opened } = rig.primary.calls
    let isClosed = false
    void rig.supervisor.close(10_000).then(() => (isClosed = true))
    await rig.clock.advance(8_900)
    assert.equal(rig.primary.calls.ormsClosed, 0)
    await rig.clock.advance(1_100)
    assert.ok(isClosed)
    assert.equal(rig.primary.calls.opened, opened)
    assert.deepEqual(left(rig), [[3, true]])
    await end(rig)
  })

  test('carries what running requests wrote after it began to close', async () => {
    const rig = journaled({ facts: { ephemeral: true } })
    rig.journal.waiting = 3
    rig.primary.script = ['auth', 'works']
    await rig.supervisor.serving()
    let finish = (): void => {}
    const running = rig.work.run(() => new Promise<void>((resolve) => (finish = resolve)), write)
    await settle()
    const closed = rig.supervisor.close(10_000)
    await settle(20)
    rig.journal.waiting += 1
    finish()
    await running
    await rig.clock.advance(9_000)
    await closed
    assert.deepEqual(left(rig), [])
    await end(rig)
  })

  test('leaves a journal on a lasting disk to the next start, and says so', async () => {
    const rig = await onFallback()
    rig.journal.waiting = 3
    const { length } = rig.journal.log
    await end(rig)
    assert.equal(rig.journal.log.length, length)
    assert.deepEqual(left(rig), [[3, false]])
  })

  test('does not wait for a primary whose address cannot be used', async () => {
    const rig = journaled({ facts: { ephemeral: true } })
    rig.config = { ...rig.config, primary: null }
    await rig.supervisor.serving()
    rig.journal.waiting = 3
    await rig.supervisor.close(10_000)
    assert.deepEqual(left(rig), [[3, true]])
    await end(rig)
  })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import type { Statements } from '../../../src/driver/facet/statements.ts'
import { FaultError } from '../../../src/driver/fault.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { settle } from '../../support/fake-clock.ts'
import { configOf, faultLike } from '../../support/scripted-driver.ts'
import { defaults, endRig, path, type Rig, type RigOptions, rigOf } from '../rig.ts'

function refusedWith(code: string): (error: unknown) => boolean {
  return (error) => error instanceof HoldfastError && error.code === code
}

/** A rig whose primary refused its first openings, so that the fallback serves. */
async function onFallback(options: RigOptions = {}): Promise<Rig> {
  const rig = rigOf(options)
  rig.primary.script = ['auth', 'works']
  assert.equal((await rig.supervisor.serving()).shown, 'fallback')
  return rig
}

describe('opening', () => {
  test('opens nothing before the first request', async () => {
    const rig = rigOf()
    await settle()
    assert.equal(rig.supervisor.state.name, 'DISCONNECTED')
    assert.equal(rig.resolved, 0)
    assert.equal(rig.primary.calls.opened + rig.fallback.calls.opened, 0)
    assert.equal(rig.clock.pending, 0)
    await endRig(rig)
  })

  test('opens primary and fallback side by side, once for all concurrent requests', async () => {
    const rig = rigOf()
    await Promise.all([rig.supervisor.serving(), rig.supervisor.serving(), rig.supervisor.open()])
    assert.deepEqual(path(rig), ['CONNECTING_PRIMARY', 'PRIMARY_CONNECTED'])
    assert.equal(rig.primary.calls.opened, 1)
    assert.equal(rig.fallback.calls.opened, 1)
    assert.equal(rig.primary.calls.ormsMade, 1)
    assert.deepEqual(rig.primary.calls.verified, [{ role: 'primary', proof: 'write' }])
    await endRig(rig)
  })

  test('serves the local store when no primary is declared', async () => {
    const rig = rigOf({ declared: false })
    assert.equal((await rig.supervisor.serving()).shown, 'local')
    assert.equal(rig.primary.calls.opened, 0)
    assert.deepEqual(rig.fallback.calls.verified, [{ role: 'fallback', proof: 'open' }])
    await endRig(rig)
  })

  test('a declared primary that is unusable is on the same path as one that fails', async () => {
    const rig = rigOf()
    const problem = {
      code: 'URL_PORT',
      severity: 'error',
      setting: 'database.url',
      origin: null,
      part: 'port',
    } as const
    rig.config = {
      ...rig.config,
      primary: null,
      problems: [{ ...problem, message: 'Port 99999 is none.', suggestion: 'Use 5432.' }],
    }
    assert.equal((await rig.supervisor.serving()).shown, 'fallback')
    const { state } = rig.supervisor
    assert.ok(state.name === 'FALLBACK_CONNECTED')
    assert.equal(state.cause?.kind, 'configuration')
    assert.equal(state.cause?.code, 'URL_PORT')
    await endRig(rig)
  })

  test('a failed opening is not kept: the next request finds the state of then', async () => {
    const rig = rigOf({ declared: false })
    rig.fallback.script = ['unwritable', 'works']
    await assert.rejects(rig.supervisor.serving(), (error) => {
      assert.ok(refusedWith('STORE_UNAVAILABLE')(error))
      assert.equal((error as HoldfastError).retryAfterS, 1)
      return true
    })
    assert.equal(rig.supervisor.state.name, 'CONNECTION_ERROR')
    await rig.clock.advance(1_000)
    assert.equal((await rig.supervisor.serving()).shown, 'local')
    await endRig(rig)
  })

  test('where settings cannot be re-read, those in memory count, and the defect is observed', async () => {
    const rig = rigOf()
    rig.onFresh = () => {
      throw new Error('no plugin')
    }
    assert.equal((await rig.supervisor.open()).name, 'PRIMARY_CONNECTED')
    assert.ok(rig.seen.some((seen) => seen.type === 'database.defect' && seen.where === 'resolution'))
    await endRig(rig)
  })

  test('the primary is tried 1 + MAX_RETRIES_PRIMARY times, RETRY_DELAY_MS apart, then the fallback serves', async () => {
    const rig = rigOf()
    rig.primary.script = ['unreachable']
    const serving = rig.supervisor.serving()
    await rig.clock.advance(499)
    assert.equal(rig.primary.calls.opened, 1)
    await rig.clock.advance(501)
    assert.equal((await serving).shown, 'fallback')
    assert.equal(rig.primary.calls.opened, 3)
    await endRig(rig)
  })

  test('a primary that hangs is left at FALLBACK_TIMEOUT, and its late connection is closed', async () => {
    const rig = rigOf()
    rig.primary.script = ['hangs']
    const serving = rig.supervisor.serving()
    await rig.clock.advance(4_999)
    assert.equal(rig.supervisor.state.name, 'CONNECTING_PRIMARY')
    await rig.clock.advance(1)
    assert.equal((await serving).shown, 'fallback')
    rig.primary.answer('works')
    await settle()
    assert.equal(rig.supervisor.state.name, 'FALLBACK_CONNECTED')
    assert.equal(rig.primary.calls.connectionsOpen, 0)
    assert.ok(rig.primary.calls.evicted >= 1)
    await endRig(rig)
  })

  test('a store that was opened too late is closed', async () => {
    let release = (): void => {}
    const prepare = async (store: { role: string }): Promise<void> => {
      if (store.role === 'primary') await new Promise<void>((resolve) => (release = resolve))
    }
    const rig = rigOf({ steps: { ...emptySteps, prepare } })
    const serving = rig.supervisor.serving()
    await rig.clock.advance(5_000)
    assert.equal((await serving).shown, 'fallback')
    assert.equal(rig.primary.calls.ormsMade, 1)
    assert.equal(rig.primary.calls.ormsClosed, 1)
    release()
    await endRig(rig)
  })

  test('CONNECTION_TIMEOUT ends one attempt where nothing else can serve', async () => {
    const rig = rigOf({ settings: { fallbackEnabled: false, limits: { ...defaults.limits, connectMs: 8_000 } } })
    rig.primary.script = ['hangs']
    const serving = rig.supervisor.serving().catch((error: unknown) => error)
    await rig.clock.advance(7_999)
    assert.equal(rig.supervisor.state.name, 'CONNECTING_PRIMARY')
    await rig.clock.advance(1)
    assert.ok(refusedWith('STORE_UNAVAILABLE')(await serving))
    await endRig(rig)
  })

  test('a caller whose signal aborts stops waiting; the opening goes on', async () => {
    const rig = rigOf()
    rig.primary.script = ['hangs']
    const controller = new AbortController()
    const serving = rig.supervisor.serving(controller.signal)
    await settle()
    controller.abort(new Error('gone'))
    await assert.rejects(serving, /gone/)
    rig.primary.answer('works')
    await settle()
    assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
    await endRig(rig)
  })

  test('a fallback that cannot be opened does not keep the primary from serving, and is retried', async () => {
    const rig = rigOf()
    rig.fallback.script = ['unwritable', 'works']
    assert.equal((await rig.supervisor.serving()).shown, 'primary')
    const failed = rig.supervisor.state
    assert.ok(failed.name === 'PRIMARY_CONNECTED' && failed.standby.status === 'failed')
    await rig.clock.advance(30_000)
    const { state } = rig.supervisor
    assert.ok(state.name === 'PRIMARY_CONNECTED' && state.standby.status === 'open')
    await endRig(rig)
  })

  test('the configuration is re-read before each attempt, so that a rotated secret takes effect', async () => {
    const rig = rigOf()
    rig.primary.script = ['unreachable', 'unreachable', 'works']
    const serving = rig.supervisor.serving()
    await rig.clock.advance(1_000)
    await serving
    assert.ok(rig.resolved >= 4, String(rig.resolved))
    await endRig(rig)
  })
})

describe('observations', () => {
  test('report each change of state with its reason, each failed attempt, and each store that opens or closes', async () => {
    const rig = rigOf()
    rig.primary.script = ['unreachable', 'auth']
    const serving = rig.supervisor.serving()
    await rig.clock.advance(500)
    await serving
    const changes = rig.seen.flatMap((seen) =>
      seen.type === 'connection.changed' ? [[seen.from, seen.to, seen.reason, seen.fault?.kind ?? null]] : [],
    )
    assert.deepEqual(changes, [
      ['DISCONNECTED', 'CONNECTING_PRIMARY', 'requested', null],
      ['CONNECTING_PRIMARY', 'CONNECTING_FALLBACK', 'primary.failed', 'auth'],
      ['CONNECTING_FALLBACK', 'FALLBACK_CONNECTED', 'timer.due', 'auth'],
    ])
    const tries = rig.seen.flatMap((seen) =>
      seen.type === 'connection.attempt.failed' ? [[seen.what, seen.attempt, seen.fault.kind]] : [],
    )
    assert.deepEqual(tries, [
      ['primary', 1, 'unreachable'],
      ['primary', 2, 'auth'],
    ])
    await endRig(rig)
    assert.equal(rig.seen.filter((seen) => seen.type === 'store.opened').length, 1)
    assert.equal(rig.seen.filter((seen) => seen.type === 'store.closed').length, 1)
  })

  test('an unusable declaration is reported by the change of state alone, and retried slowly', async () => {
    const rig = rigOf()
    const usable = rig.config
    rig.config = { ...usable, primary: null }
    await rig.supervisor.serving()
    const tries = () =>
      rig.seen.flatMap((seen) => (seen.type === 'connection.attempt.failed' ? [[seen.what, seen.attempt]] : []))
    assert.deepEqual(tries(), [])
    await rig.clock.advance(22_000)
    assert.deepEqual(tries(), [])
    await rig.clock.advance(1_000)
    await rig.clock.advance(22_500)
    assert.deepEqual(tries(), [
      ['probe', 1],
      ['probe', 2],
    ])
    rig.config = usable
    await rig.clock.advance(23_500)
    assert.equal(rig.supervisor.current?.shown, 'primary')
    await endRig(rig)
  })

  test('an observer that throws does not stop the machine', async () => {
    const rig = rigOf()
    rig.seen.push = () => {
      throw new Error('full')
    }
    assert.equal((await rig.supervisor.serving()).shown, 'primary')
    await endRig(rig)
  })
})

describe('recovery', () => {
  test('returns to the primary after two committed writes, 200 ms apart', async () => {
    const rig = await onFallback()
    rig.primary.calls.verified.length = 0
    const at: number[] = []
    const push = rig.primary.calls.verified.push.bind(rig.primary.calls.verified)
    rig.primary.calls.verified.push = (...wants) => {
      at.push(rig.clock.now())
      return push(...wants)
    }
    // The jitter of an `auth` fault is the same as any other's at first.
    await rig.clock.advance(500)
    assert.equal((await rig.supervisor.serving()).shown, 'primary')
    assert.deepEqual(
      rig.primary.calls.verified.map((want) => want.proof),
      ['write', 'write', 'write'],
    )
    assert.equal((at[1] ?? 0) - (at[0] ?? 0), 200)
    const { state } = rig.supervisor
    assert.ok(state.name === 'PRIMARY_CONNECTED' && state.standby.status === 'open', 'the fallback is kept open')
    await endRig(rig)
  })

  test('probes come at most 1 s apart, and 30 s after a wrong password', async () => {
    for (const [kind, cap] of [
      ['unreachable', 1_000],
      ['auth', 30_000],
    ] as const) {
      const rig = rigOf()
      rig.primary.script = [kind]
      const serving = rig.supervisor.serving()
      await rig.clock.advance(1_000)
      await serving
      await rig.clock.advance(120_000)
      const before = rig.primary.calls.opened
      await rig.clock.advance(cap * 10)
      const tries = rig.primary.calls.opened - before
      assert.ok(tries >= 10 && tries <= 20, `${kind}: ${tries}`)
      await endRig(rig)
    }
  })

  test('a lost fallback is opened again, and the way back goes on', async () => {
    const rig = await onFallback()
    rig.primary.script = ['unreachable']
    await rig.clock.advance(2_000)
    const { store } = await rig.supervisor.serving()
    assert.equal(await rig.supervisor.report(store, faultLike('corrupt')), 'lost')
    const again = await (async () => {
      const serving = rig.supervisor.serving()
      await rig.clock.advance(10)
      return await serving
    })()
    assert.equal(again.shown, 'fallback')
    assert.notEqual(again.store, store)
    rig.primary.script = ['works']
    await rig.clock.advance(3_000)
    assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
    await endRig(rig)
  })
})

describe('losing a store', () => {
  test('a fault of the primary is believed only when a fresh connection fails, too', async () => {
    const rig = rigOf()
    const { store } = await rig.supervisor.serving()
    assert.equal(await rig.supervisor.report(store, faultLike('lost')), 'kept')
    assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
    rig.primary.script = ['unreachable']
    const [one, two] = await Promise.all([
      rig.supervisor.report(store, faultLike('lost')),
      rig.supervisor.report(store, faultLike('lost')),
    ])
    assert.deepEqual([one, two], ['lost', 'lost'])
    assert.equal(rig.primary.calls.opened, 3, 'one probe for all that doubt at one time')
    await rig.clock.advance(0)
    assert.equal((await rig.supervisor.serving()).shown, 'fallback')
    await endRig(rig)
  })

  test('a busy writer, a full pool or a broken rule is no loss', async () => {
    const rig = rigOf()
    const { store } = await rig.supervisor.serving()
    for (const kind of ['transient', 'capacity'] as const) {
      rig.primary.script = [kind]
      assert.equal(await rig.supervisor.report(store, faultLike('lost')), 'kept')
    }
    assert.equal(await rig.supervisor.report(store, faultLike('constraint')), 'kept')
    assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
    await endRig(rig)
  })

  test('a full server is lost when it has ended every connection of the store', async () => {
    const rig = rigOf()
    const { store } = await rig.supervisor.serving()
    await rig.clock.advance(5_000)
    rig.primary.script = ['capacity']
    const own = store.statements as { read: Statements['read'] } // A runner of ours, which a test may bend.
    const read = own.read
    own.read = () => Promise.reject(new FaultError(faultLike('capacity', { code: 'TEST_POOL' })))
    assert.equal(await rig.supervisor.report(store, faultLike('lost')), 'kept', 'its pool is full')
    own.read = () => Promise.reject(new FaultError(faultLike('capacity')))
    const verdict = rig.supervisor.report(store, faultLike('lost'))
    await rig.clock.advance(200)
    assert.equal(await verdict, 'lost')
    own.read = read
    assert.equal((await rig.supervisor.serving()).shown, 'fallback')
    await endRig(rig)
  })

  test('a full disk does not lose a file of ours; a damaged one does', async () => {
    const rig = rigOf({ declared: false })
    const { store } = await rig.supervisor.serving()
    await rig.clock.advance(5_000)
    for (const kind of ['disk-full', 'transient'] as const) {
      assert.equal(await rig.supervisor.report(store, faultLike(kind)), 'kept')
    }
    assert.equal(await rig.supervisor.report(store, faultLike('unwritable')), 'lost')
    await settle()
    assert.notEqual((await rig.supervisor.serving()).store, store)
    assert.equal(rig.fallback.calls.ormsClosed, 1)
    await endRig(rig)
  })

  test('with the fallback disabled the primary is opened again', async () => {
    const rig = rigOf({ settings: { fallbackEnabled: false } })
    const { store } = await rig.supervisor.serving()
    await rig.clock.advance(5_000)
    rig.primary.script = ['unreachable', 'works']
    assert.equal(await rig.supervisor.report(store, faultLike('lost')), 'lost')
    await rig.clock.advance(600)
    assert.equal((await rig.supervisor.serving()).shown, 'primary')
    assert.equal(rig.fallback.calls.opened, 0)
    await endRig(rig)
  })

  test('a primary that flaps is left alone for 5 s, then for 10 s', async () => {
    const rig = await onFallback()
    await rig.clock.advance(1_000)
    for (const stayMs of [5_000, 10_000]) {
      const { store, shown } = await rig.supervisor.serving()
      assert.equal(shown, 'primary')
      rig.primary.script = ['unreachable', 'works']
      assert.equal(await rig.supervisor.report(store, faultLike('lost')), 'lost')
      await rig.clock.advance(stayMs - 10)
      assert.equal(rig.supervisor.state.name, 'FALLBACK_CONNECTED')
      await rig.clock.advance(1_000)
      assert.equal(rig.supervisor.state.name, 'PRIMARY_CONNECTED')
    }
    await endRig(rig)
  })
})

describe('settings and the end', () => {
  test('new settings apply after the running work has ended', async () => {
    const rig = rigOf()
    await rig.supervisor.serving()
    rig.config = configOf(null, rig.fallback)
    const state = await rig.supervisor.reconfigure(defaults)
    assert.ok(state.name === 'FALLBACK_CONNECTED' && !state.declared)
    assert.equal(rig.primary.calls.ormsClosed, 1)
    await endRig(rig)
  })

  test('new settings before the first request open nothing', async () => {
    const rig = rigOf()
    assert.equal((await rig.supervisor.reconfigure(defaults)).name, 'DISCONNECTED')
    assert.equal(rig.primary.calls.opened, 0)
    await endRig(rig)
  })

  test('callers that wait while settings change get a store of the new settings', async () => {
    const rig = rigOf()
    rig.primary.script = ['hangs']
    const serving = rig.supervisor.serving()
    await settle()
    rig.config = configOf(null, rig.fallback)
    await rig.supervisor.reconfigure(defaults)
    assert.equal((await serving).shown, 'local')
    await endRig(rig)
  })

  test('close lets running work finish, and refuses new work', async () => {
    const rig = rigOf()
    let finish = (): void => {}
    const running = rig.work.run(() => new Promise<void>((resolve) => (finish = resolve)), {
      kind: 'read',
      rerun: 'never',
    })
    await settle()
    const closed = rig.supervisor.close(5_000)
    await settle()
    assert.equal(rig.primary.calls.ormsClosed, 0)
    await assert.rejects(rig.supervisor.serving(), refusedWith('CLOSING'))
    finish()
    await running
    await closed
    assert.equal(rig.primary.calls.ormsClosed, 1)
    await endRig(rig)
  })

  test('close ends within its limit when a driver hangs', async () => {
    const rig = rigOf()
    await rig.supervisor.serving()
    rig.primary.isCloseHanging = true
    let isClosed = false
    const closed = rig.supervisor.close(3_000).then(() => (isClosed = true))
    await rig.clock.advance(2_999)
    await rig.clock.advance(1)
    await closed
    assert.equal(isClosed, true)
    assert.equal(rig.clock.pending, 0)
  })

  test('close is safe twice and before open, and is final', async () => {
    const rig = rigOf()
    await Promise.all([rig.supervisor.close(1_000), rig.supervisor.close(1_000)])
    assert.equal((await rig.supervisor.open()).name, 'DISCONNECTED')
    await assert.rejects(rig.supervisor.serving(), refusedWith('CLOSING'))
    await rig.supervisor.reconfigure(defaults)
    await assert.rejects(rig.supervisor.serving(), refusedWith('CLOSING'))
    assert.equal(rig.primary.calls.opened, 0)
  })

  test('callers that wait for an opening get CLOSING', async () => {
    const rig = rigOf()
    rig.primary.script = ['hangs']
    const serving = rig.supervisor.serving()
    await settle()
    await rig.supervisor.close(1_000)
    await assert.rejects(serving, refusedWith('CLOSING'))
  })
})

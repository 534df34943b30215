import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Session } from '../../../src/database/work/session.ts'
import { syncWaitCancelledCode } from '../../../src/driver/facet/standing.ts'
import { type Fault, FaultError } from '../../../src/driver/fault.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { ScriptedClaims } from '../../support/scripted-claims.ts'
import { faultLike } from '../../support/scripted-driver.ts'
import { type Rig, type RigOptions, refusal, rigOf } from '../rig.ts'

const always = { kind: 'write', rerun: 'always' } as const

const conflict = faultLike('transient', { undone: true })

const moved = faultLike('read-only', { undone: true })

/** Work that meets these faults, one in each try, and is done in the one behind them. */
function meeting(faults: readonly Fault[]) {
  const tries: { readonly atMs: number; readonly attempt: string; readonly shown: string }[] = []
  return {
    tries,
    work: (rig: Rig) => async (session: Session) => {
      tries.push({ atMs: rig.clock.now(), attempt: session.attempt, shown: session.shown })
      const fault = faults[tries.length - 1]
      if (fault !== undefined) throw new FaultError(fault)
      return 'done'
    },
  }
}

function setUp(t: { after(end: () => Promise<void>): void }, options: RigOptions = {}): Rig {
  const rig = rigOf(options)
  t.after(async () => {
    await rig.supervisor.close(1_000)
    rig.work.close()
    assert.equal(rig.gate.admitted, 0)
  })
  return rig
}

/** The result, while time goes on. */
async function passing<T>(rig: Rig, work: Promise<T>): Promise<T> {
  let isOver = false
  const over = (): void => {
    isOver = true
  }
  work.then(over, over)
  while (!isOver) await rig.clock.advance(1)
  return await work
}

describe('work that the database has undone', () => {
  test('is run again up to three times, with the same attempt and after pauses that grow', async (t) => {
    const rig = setUp(t)
    const { tries, work } = meeting([conflict, conflict, conflict])
    const outcome = await passing(rig, rig.work.run(work(rig), always))
    assert.deepEqual([outcome.value, outcome.store], ['done', 'primary'])
    assert.equal(new Set(tries.map(({ attempt }) => attempt)).size, 1)
    const pauses = tries.slice(1).map(({ atMs }, at) => atMs - (tries[at]?.atMs ?? 0))
    const bounds = [
      [10, 20],
      [17, 35],
      [25, 50],
    ]
    for (const [at, [least = 0, most = 0]] of bounds.entries()) {
      const pause = pauses[at] ?? 0
      assert.ok(pause >= least && pause <= most + 1, `${pause} ms before try ${at + 2}`)
    }
    assert.equal(rig.seen.filter(({ type }) => type === 'store.checked').length, 0, 'nothing is wrong with the store')
  })

  test('is refused after that, and the refusal says that the rows were changed elsewhere', async (t) => {
    const rig = setUp(t)
    const { tries, work } = meeting(Array.from({ length: 9 }, () => conflict))
    const error = await passing(rig, refusal(rig.work.run(work(rig), always), 'STORE_BUSY'))
    assert.match(error.detail ?? '', /changed at the same time elsewhere/)
    assert.equal(error.retryAfterS, 1)
    assert.equal(tries.length, 4)
  })

  test('is not begun again once it has taken as long as one statement may', async (t) => {
    const rig = setUp(t)
    let tries = 0
    const slow = async (): Promise<never> => {
      tries += 1
      await new Promise<void>((resolve) => rig.clock.wait(2_600, resolve))
      throw new FaultError(conflict)
    }
    await passing(rig, refusal(rig.work.run(slow, always), 'STORE_BUSY'))
    assert.equal(tries, 2)
  })

  test('goes on in the store that serves by then', async (t) => {
    const rig = setUp(t)
    const { tries, work } = meeting([conflict])
    const first = work(rig)
    const outcome = await rig.work.run(async (session) => {
      if (tries.length === 0) {
        rig.primary.script = ['unreachable']
        assert.equal(await rig.supervisor.report(session.store, faultLike('lost')), 'lost')
      }
      return await first(session)
    }, always)
    assert.deepEqual([outcome.store, tries.length], ['fallback', 2])
  })

  test('is run again where only its connection led to a server without writes, unless each host would say so', async (t) => {
    const rig = setUp(t)
    const { tries, work } = meeting([moved])
    assert.equal((await passing(rig, rig.work.run(work(rig), always))).store, 'primary')
    assert.equal(tries.length, 2)
    const own = meeting([{ ...moved, everywhere: true }])
    await passing(rig, refusal(rig.work.run(own.work(rig), always), 'STORE_READ_ONLY'))
    assert.equal(own.tries.length, 1)
  })

  test('is not run again where its COMMIT is unknown', async (t) => {
    const rig = setUp(t)
    const { tries, work } = meeting([{ ...conflict, kind: 'lost', ambiguous: true }])
    await refusal(rig.work.run(work(rig), always), 'COMMIT_UNKNOWN')
    assert.equal(tries.length, 1)
  })
})

describe('an application whose transaction was undone', () => {
  test('may run it again at once, or has said that it is run again', async (t) => {
    const rig = setUp(t)
    for (const fault of [conflict, moved]) {
      const { tries, work } = meeting([fault])
      const error = await refusal(rig.work.transactional(work(rig)), 'STORE_LOST')
      assert.equal(error.retryAfterS, 0)
      assert.match(error.detail ?? '', /Nothing was written\.$/)
      assert.equal(tries.length, 1)
      const again = meeting([fault])
      await passing(rig, rig.work.transactional(again.work(rig), { rerun: 'before-commit' }))
      assert.equal(again.tries.length, 2)
    }
    const many = meeting(Array.from({ length: 9 }, () => conflict))
    await passing(rig, refusal(rig.work.transactional(many.work(rig), { rerun: 'always' }), 'STORE_BUSY'))
    assert.equal(many.tries.length, 4)
  })

  test('gets the same from a session of its own', async (t) => {
    const rig = setUp(t)
    const serving = await rig.supervisor.serving()
    const error = await rig.work.refusal(serving, new FaultError(conflict), 'commit')
    assert.ok(error instanceof HoldfastError)
    assert.deepEqual([error.code, error.retryAfterS], ['STORE_LOST', 0])
  })
})

describe('a COMMIT that no synchronous standby has confirmed', () => {
  const alone = faultLike('lost', { code: syncWaitCancelledCode, ambiguous: true })

  test('is unknown, says why, and says nothing against the server', async (t) => {
    const rig = setUp(t)
    rig.primary.engine = new ScriptedClaims().engine
    let looks = 0
    const find = async (): Promise<string> => {
      looks += 1
      return 'found'
    }
    const { tries, work } = meeting([alone])
    const error = await refusal(rig.work.run(work(rig), { ...always, claims: true }, find), 'COMMIT_UNKNOWN')
    assert.match(error.detail ?? '', /committed on the server that answers, but perhaps on no standby/)
    assert.deepEqual([tries.length, looks], [1, 0])
    await refusal(rig.work.transactional(meeting([alone]).work(rig), { rerun: 'always' }), 'COMMIT_UNKNOWN')
    assert.equal(rig.seen.filter(({ type }) => type === 'store.checked').length, 0)
    assert.equal(rig.supervisor.current?.shown, 'primary')
  })

  test('stays unknown where the try before it had no answer', async (t) => {
    const rig = setUp(t)
    rig.primary.engine = new ScriptedClaims().engine
    const { tries, work } = meeting([faultLike('lost', { ambiguous: true }), alone])
    const found = async (): Promise<string> => 'found'
    const error = await refusal(rig.work.run(work(rig), { ...always, claims: true }, found), 'COMMIT_UNKNOWN')
    assert.match(error.detail ?? '', /perhaps on no standby/)
    assert.equal(tries.length, 2)
  })
})

describe('claims where other hosts may take over', () => {
  const off = { fallbackEnabled: false } as const

  for (const [why, options, isClaiming] of [
    ['one host alone', { settings: off }, false],
    ['several hosts', { settings: off, hosts: ['a', 'b'] }, true],
    ['several hosts, with the wait for them off', { settings: { ...off, failoverMs: 0 }, hosts: ['a', 'b'] }, false],
    ['one name, whose server has other members', { settings: off, primaryFacts: { standing: standingOf(3) } }, true],
    ['one name, with a wait that was asked for', { settings: { ...off, failoverMs: 3_000 } }, true],
  ] as const) {
    test(`are ${isClaiming ? '' : 'not '}made without a fallback: ${why}`, async (t) => {
      const rig = setUp(t, options)
      rig.primary.engine = new ScriptedClaims().engine
      const { value } = await rig.work.run(async ({ claims }) => claims, { ...always, claims: true })
      assert.equal(value, isClaiming ? 'driver' : null)
    })
  }
})

for (const isSilent of [false, true]) {
  const what = isSilent ? 'answers nothing is left as soon as any other' : 'holds a write back is kept while it answers'
  test(`a member of a cluster that ${what}`, async (t) => {
    const rig = setUp(t, { primaryFacts: { stallMs: 7_000 } })
    const { store } = await rig.supervisor.serving()
    const { promise, resolve } = Promise.withResolvers<void>()
    rig.primary.onVerify = async ({ proof }) => (isSilent || proof === 'write' ? await promise : undefined)
    const stalled = rig.work.run(() => promise, always)
    await rig.clock.advance(isSilent ? 5_000 : 6_500)
    assert.equal(rig.supervisor.current?.store === store, !isSilent)
    resolve()
    await stalled
    await rig.clock.advance(1_000)
    assert.equal(rig.supervisor.current?.store === store, !isSilent)
  })
}

function standingOf(members: number) {
  return { cluster: 'c', server: 's', isWritable: true, timeline: null, position: null, members }
}

import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import { FaultError } from '../../../src/driver/fault.ts'
import { ConnectionPool } from '../../../src/driver/kit/pool.ts'
import type { Evictable, PooledClient } from '../../../src/driver/kit/pooled-client.ts'
import { faultError } from '../../../src/driver/kit/read-error.ts'

/** A busy machine may be late, a limit never early. */
const mostLateMs = 150

function assertDue(tookMs: number, limitMs: number): void {
  assert.ok(tookMs >= limitMs - 1 && tookMs < limitMs + mostLateMs, `after ${tookMs} ms, not ${limitMs}`)
}

/** A connection to nothing, which the test breaks at will. */
class FakeClient implements PooledClient {
  isIdle = false
  isOutdated = false
  isOver = false
  readonly #open: Set<Evictable>
  readonly #connecting: () => Promise<void>
  readonly #listeners: (() => void)[] = []
  ended = 0
  evicted = 0
  gathered = 0

  constructor(open: Set<Evictable>, connecting: () => Promise<void>) {
    this.#open = open
    this.#connecting = connecting
  }

  get isReady(): boolean {
    return this.isIdle
  }

  async connect(): Promise<void> {
    this.#open.add(this)
    await this.#connecting()
    this.isIdle = true
  }

  async run(): Promise<void> {}

  gather(): void {
    this.gathered += 1
  }

  async end(): Promise<void> {
    this.ended += 1
    this.lose()
  }

  evict(): void {
    this.evicted += 1
    this.lose()
  }

  onEnd(listener: () => void): void {
    if (this.isOver) listener()
    else this.#listeners.push(listener)
  }

  /** As when the server closes it. */
  lose(): void {
    this.isIdle = false
    this.isOver = true
    this.#open.delete(this)
    for (const listener of this.#listeners.splice(0)) listener()
  }
}

interface Scene {
  readonly pool: ConnectionPool<FakeClient>
  readonly clients: FakeClient[]
  readonly open: Set<Evictable>
}

function scene(
  limits: { queryMs?: number; poolSize?: number; poolMaxOverflow?: number } = {},
  connecting: () => Promise<void> = async () => {},
  unfit: (client: FakeClient) => FaultError | null = () => null,
): Scene {
  const clients: FakeClient[] = []
  const open = new Set<Evictable>()
  const pool = new ConnectionPool<FakeClient>({
    limits: { connectMs: 2_000, queryMs: 300, transactionMs: 1_000, poolSize: 1, poolMaxOverflow: 0, ...limits },
    create: () => {
      const client = new FakeClient(open, connecting)
      clients.push(client)
      return client
    },
    open,
    unopened: (cause) => faultError('unreachable', 'CONNECTION_TIMEOUT', 'Not opened.', 'Look.', { cause }),
    unfit,
  })
  return { pool, clients, open }
}

/** The code of the fault that work ends with, and when. */
async function codeOf(work: Promise<unknown>): Promise<{ readonly code: string; readonly atMs: number }> {
  const error = await work.then(
    () => assert.fail('it did not fail'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof FaultError)
  assert.equal(error.fault.ambiguous, false)
  return { code: error.fault.code, atMs: performance.now() }
}

describe('waiting for a connection', () => {
  test('each waits its own limit, in the order of their coming, and is no burden after it gave up', async () => {
    const { pool } = scene()
    const held = await pool.acquire()
    const begun = performance.now()
    const first = codeOf(pool.acquire())
    await new Promise((resolve) => setTimeout(resolve, 150))
    const later = performance.now()
    const second = codeOf(pool.acquire())
    const { code, atMs } = await first
    assert.equal(code, 'POOL_EXHAUSTED')
    assertDue(atMs - begun, 300)
    const order: number[] = []
    const [third, fourth] = [3, 4].map((at) =>
      pool.acquire().then((client) => {
        order.push(at)
        return client
      }),
    )
    assertDue((await second).atMs - later, 300)
    pool.release(held)
    const client = await third
    assert.ok(client === held)
    assert.deepEqual(order, [3])
    pool.release(client)
    assert.ok((await fourth) === held)
    pool.release(held)
    // A free one is given at once.
    assert.ok(pool.take() === held)
    assert.equal(pool.take(), null)
    pool.release(held)
    assert.equal(pool.size, 1)
    await pool.close(0)
  })

  test('while a connection is being opened, a wait that is over says that nothing answered', async () => {
    const { pool } = scene({ queryMs: 30 }, () => new Promise(() => {}))
    assert.equal((await codeOf(pool.acquire())).code, 'CONNECTION_TIMEOUT')
    await pool.close(0)
  })

  test('a connection that cannot be opened fails the oldest wait, and each other one has its own attempt', async () => {
    let attempts = 0
    const { pool, clients } = scene({ poolSize: 2 }, async () => {
      attempts += 1
      if (attempts <= 2) throw new Error('no')
    })
    const waiting = [1, 2, 3].map(() => pool.acquire())
    const outcomes = await Promise.allSettled(waiting)
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected', 'fulfilled'],
    )
    assert.equal(pool.size, 1)
    assert.deepEqual(
      clients.map(({ evicted }) => evicted),
      [1, 1, 0],
    )
    await pool.close(0)
  })

  test('an attempt that outlives its wait fails no wait that began after it', async () => {
    const attempts: PromiseWithResolvers<void>[] = []
    const { pool, clients } = scene({ queryMs: 60 }, () => {
      const attempt = Promise.withResolvers<void>()
      attempts.push(attempt)
      return attempt.promise
    })
    assert.equal((await codeOf(pool.acquire())).code, 'CONNECTION_TIMEOUT')
    const later = pool.acquire()
    attempts[0]?.reject(new Error('too late'))
    while (attempts.length < 2) await new Promise(setImmediate)
    attempts[1]?.resolve()
    assert.ok((await later) === clients[1])
    await pool.close(0)
  })

  test('no more are opened than the limit allows, nor than wait', async () => {
    const { pool, clients } = scene({ poolSize: 2, poolMaxOverflow: 1 })
    const held = await Promise.all([1, 2, 3].map(() => pool.acquire()))
    const fourth = pool.acquire()
    assert.equal(clients.length, 3)
    for (const client of held) pool.release(client)
    pool.release(await fourth)
    const [one] = await Promise.all([pool.acquire()])
    assert.ok(one)
    pool.release(one)
    assert.equal(clients.length, 3)
    await pool.close(0)
  })
})

describe('what comes back to a pool', () => {
  test('a connection that is not idle is reset, and who waits gets another one', async () => {
    const { pool, clients } = scene()
    const held = await pool.acquire()
    const waiting = pool.acquire()
    held.isIdle = false
    pool.release(held)
    const next = await waiting
    assert.ok(next !== held)
    assert.deepEqual([clients.length, held.evicted, pool.size], [2, 1, 1])
    await pool.close(0)
  })

  test('one that is lost while it is idle is not given out, and its place is free', async () => {
    const { pool, clients } = scene()
    const [first] = [await pool.acquire()]
    pool.release(first)
    first.lose()
    assert.equal(pool.size, 0)
    assert.ok((await pool.acquire()) !== first)
    assert.equal(clients.length, 2)
    await pool.close(0)
  })

  test('one that is lost in the hands of its holder frees its place at once', async () => {
    const { pool } = scene()
    const held = await pool.acquire()
    const waiting = pool.acquire()
    held.lose()
    const next = await waiting
    assert.ok(next !== held)
    pool.release(held)
    assert.equal(pool.size, 1)
    await pool.close(0)
  })

  test('connections above the kept ones are closed once they were unused for long, the others never', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const now = mock.method(performance, 'now', () => nowMs)
    t.after(() => now.mock.restore())
    let nowMs = 1_000
    const pass = (ms: number): void => {
      nowMs += ms
      t.mock.timers.tick(ms)
    }
    const { pool, clients } = scene({ queryMs: 2_000, poolSize: 1, poolMaxOverflow: 2 })
    const held = await Promise.all([1, 2, 3].map(() => pool.acquire()))
    const waiting = pool.acquire()
    for (const client of held) pool.release(client)
    const [first, second, third] = held
    // The one that was handed on is still in use when the others have been idle for long.
    assert.ok((await waiting) === first)
    pass(9_000)
    assert.equal(pool.size, 3)
    assert.ok(pool.take() === third)
    if (third !== undefined) pool.release(third)
    pass(1_500)
    assert.deepEqual([pool.size, second?.ended, third?.ended], [2, 1, 0])
    if (first !== undefined) pool.release(first)
    pass(9_000)
    assert.deepEqual([pool.size, third?.ended], [1, 1])
    pass(60_000)
    assert.deepEqual([pool.size, first?.ended, clients.length], [1, 0, 3])
  })
})

describe('the end of a pool', () => {
  test('refuses at once who waits and who comes, lets work end, and closes what it gets back', async () => {
    const { pool, clients, open } = scene({ poolSize: 2 })
    const [held, idle] = await Promise.all([pool.acquire(), pool.acquire()])
    const waiting = codeOf(pool.acquire())
    const ending = pool.close(1_000)
    for (const work of [waiting, codeOf(pool.acquire()), codeOf(pool.openAside())]) {
      assert.equal((await work).code, 'POOL_CLOSED')
    }
    assert.equal(pool.take(), null)
    assert.equal(open.size, 2)
    pool.release(held)
    pool.release(idle)
    await ending
    assert.equal(open.size, 0)
    assert.deepEqual(
      clients.map(({ ended, evicted }) => [ended, evicted]),
      [
        [1, 0],
        [1, 0],
      ],
    )
    await pool.close(0)
  })

  test('closes at once what is idle', async () => {
    const { pool, open } = scene()
    pool.release(await pool.acquire())
    const ending = pool.close(1_000)
    assert.equal(open.size, 0)
    await ending
  })

  test('resets what is not given back in time, and what was opened aside', async () => {
    const { pool, open } = scene()
    const held = await pool.acquire()
    const aside = await pool.openAside()
    const begun = performance.now()
    await pool.close(50)
    assertDue(performance.now() - begun, 50)
    assert.deepEqual([open.size, held.evicted, aside.evicted], [0, 1, 1])
  })

  test('a connection that opens afterwards is closed', async () => {
    const opening = Promise.withResolvers<void>()
    const { pool, clients } = scene({}, () => opening.promise)
    const waiting = codeOf(pool.acquire())
    const ending = pool.close(1_000)
    assert.equal((await waiting).code, 'POOL_CLOSED')
    opening.resolve()
    await ending
    assert.deepEqual([clients[0]?.ended, clients[0]?.isOver], [1, true])
  })
})

describe('sharing a connection', () => {
  /** A pool whose statements are known to be fast. */
  async function fast(limits: { poolSize: number; poolMaxOverflow: number }): Promise<Scene> {
    const made = scene(limits)
    made.pool.release(await made.pool.acquire('read'))
    for (let at = 0; at < 40; at += 1) {
      const client = made.pool.take('read')
      assert.ok(client !== null)
      made.pool.release(client)
    }
    return made
  }

  test('those that wait for the same get it together, and it is given on by the last of them', async () => {
    const { pool, clients } = await fast({ poolSize: 1, poolMaxOverflow: 0 })
    const held = pool.take('read')
    assert.ok(held !== null)
    const order: string[] = []
    const waiting = (['read', 'read', 'read', null, 'read'] as const).map((share, at) =>
      pool.acquire(share).then((client) => {
        order.push(`${share} ${at}`)
        return client
      }),
    )
    pool.release(held)
    await Promise.all(waiting.slice(0, 3))
    assert.deepEqual(order, ['read 0', 'read 1', 'read 2'])
    assert.equal(held.gathered, 1)
    pool.release(held)
    pool.release(held)
    await new Promise(setImmediate)
    assert.equal(order.length, 3, 'one has it still')
    pool.release(held)
    await waiting[3]
    assert.deepEqual(order.slice(3), ['null 3'], 'alone')
    pool.release(held)
    await waiting[4]
    pool.release(held)
    assert.equal(clients.length, 1)
    await pool.close(0)
  })

  test('reads do not wait behind a write', async () => {
    const { pool } = await fast({ poolSize: 1, poolMaxOverflow: 3 })
    const held = pool.take('read')
    assert.ok(held !== null)
    const order: string[] = []
    const waiting = (['write', 'write', 'read', 'read'] as const).map((share) =>
      pool.acquire(share).then((client) => {
        order.push(share)
        return client
      }),
    )
    pool.release(held)
    await Promise.all(waiting.slice(0, 2))
    assert.deepEqual(order, ['write', 'write'])
    await pool.close(0)
    await assert.rejects(Promise.all(waiting))
  })

  test('a connection that breaks is left by all of them, and the next one gets another', async () => {
    const { pool, clients } = await fast({ poolSize: 1, poolMaxOverflow: 0 })
    const held = pool.take('read')
    assert.ok(held !== null)
    const waiting = [pool.acquire('read'), pool.acquire('read')]
    pool.release(held)
    await Promise.all(waiting)
    held.lose()
    pool.release(held)
    pool.release(held)
    const next = await pool.acquire('read')
    assert.ok(next !== held && clients.length === 2)
    pool.release(next)
    assert.equal(pool.size, 1)
    await pool.close(0)
  })

  test('in place of a connection that breaks an idle one is lent, before another one is open', async () => {
    let isOpening = true
    const { pool } = scene({ poolMaxOverflow: 1 }, () => (isOpening ? Promise.resolve() : new Promise(() => {})))
    const [held, other] = [await pool.acquire('read'), await pool.acquire()]
    pool.release(other)
    isOpening = false
    const waiting = pool.acquire('read')
    held.lose()
    pool.release(held)
    assert.ok((await waiting) === other)
    pool.release(other)
    await pool.close(0)
  })

  test('connections above the kept ones are opened while the database keeps callers waiting, not before', async () => {
    const { pool } = await fast({ poolSize: 1, poolMaxOverflow: 1 })
    const held = pool.take('read')
    assert.ok(held !== null)
    const begun = performance.now()
    const other = pool.acquire('read')
    assert.equal(pool.size, 1)
    const second = await other
    assert.ok(second !== held && performance.now() - begun >= 9)
    assert.equal(pool.size, 2)
    // One that wants a connection for itself does not wait for that.
    pool.release(second)
    assert.ok((await pool.acquire()) === second)
    await pool.close(0)
  })
})

describe('connections to members of a cluster that are not wanted', () => {
  const standby = () => faultError('read-only', 'STANDBY', 'A standby.', 'Ask another one.')

  test('one that was opened is passed over for the next, and the caller learns nothing of it', async () => {
    const { pool, clients, open } = scene({}, undefined, (client) => (clients.indexOf(client) < 3 ? standby() : null))
    assert.equal(await pool.acquire(), clients[3])
    assert.deepEqual([pool.size, open.size], [1, 1])
    const next = pool.openAside()
    assert.equal(await next, clients[4])
  })

  test('where none is wanted, each caller hears of it after some, and none is left open', async () => {
    const { pool, clients, open } = scene({ queryMs: 5_000 }, undefined, standby)
    assert.deepEqual(
      (await Promise.all([pool.acquire(), pool.acquire()].map((work) => codeOf(work)))).map(({ code }) => code),
      ['STANDBY', 'STANDBY'],
    )
    assert.equal(clients.length, 16)
    assert.equal((await codeOf(pool.openAside())).code, 'STANDBY')
    assert.deepEqual([pool.size, open.size], [0, 0])
  })

  test('one that proves to be such a member goes with all idle ones that are older; newer ones stay', async () => {
    const { pool, clients } = scene({ poolSize: 4 })
    const held = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()))
    const [busy, idle, unwanted, newer] = held
    assert.ok(busy && idle && unwanted && newer)
    pool.release(newer)
    pool.release(idle)
    unwanted.isOutdated = true
    unwanted.isIdle = false
    pool.release(unwanted)
    assert.deepEqual(
      clients.map(({ isOver }) => isOver),
      [false, true, true, false],
    )
    assert.equal(await pool.acquire(), newer)
    pool.release(busy)
    assert.equal(busy.isOver, false)
  })
})

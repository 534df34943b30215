import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { Limit } from '../../../plugins/postgresql/client/limit.ts'
import { Waits } from '../../../plugins/postgresql/client/waits.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/postgres.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

/** A busy machine may be late, a limit never early. */
const mostLateMs = 150

function assertDue(tookMs: number, limitMs: number): void {
  assert.ok(tookMs >= limitMs - 1 && tookMs < limitMs + mostLateMs, `after ${tookMs} ms, not ${limitMs}`)
}

describe('the limit of a connection', () => {
  test('what begins while the timer of an earlier one runs has its whole limit, and no more', async () => {
    const limit = new Limit(200)
    const ended = (): void => assert.fail('it ended in time')
    limit.begin(performance.now(), ended)
    await new Promise((resolve) => setTimeout(resolve, 120))
    limit.end(ended)
    const begun = performance.now()
    await new Promise<void>((resolve) => limit.begin(begun, resolve))
    assertDue(performance.now() - begun, 200)
  })

  test('what ends late does not take the limit from what runs', async () => {
    const limit = new Limit(30)
    let rings = 0
    const first = (): void => {
      rings += 1
    }
    limit.begin(performance.now(), first)
    await until(() => rings === 1, { what: 'the first limit' })
    const second = Promise.withResolvers<void>()
    limit.begin(performance.now(), second.resolve)
    limit.end(first)
    await second.promise
    assert.equal(rings, 1)
  })

  test('nothing is called after the end of the connection', async () => {
    const limit = new Limit(10)
    limit.begin(performance.now(), () => assert.fail('it was stopped'))
    limit.stop()
    await new Promise((resolve) => setTimeout(resolve, 30))
  })
})

describe('waiting for a connection', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })

  test('each waits its own limit, in the order of their coming, and is no burden after it gave up', async () => {
    const pool = new pg.Pool({ connectionString: server.url(), max: 1, connectionTimeoutMillis: 5_000 })
    const waits = new Waits(pool, 300)
    const held = await waits.connect()
    const begun = performance.now()
    const first = assert.rejects(waits.connect(), /timeout exceeded/).then(() => performance.now() - begun)
    await new Promise((resolve) => setTimeout(resolve, 150))
    const later = performance.now()
    const second = assert.rejects(waits.connect(), /timeout exceeded/).then(() => performance.now() - later)
    assertDue(await first, 300)
    const order: number[] = []
    const third = waits.connect().then((client) => {
      order.push(3)
      return client
    })
    const fourth = waits.connect().then((client) => {
      order.push(4)
      return client
    })
    assertDue(await second, 300)
    assert.equal(pool.waitingCount, 2)
    held.release()
    const client = await third
    assert.deepEqual(order, [3])
    client.release()
    const last = await fourth
    last.release()
    // A free one is given at once.
    const again = await waits.connect()
    assert.equal((await again.query('select 1 as one')).rows[0]?.one, 1)
    again.release()
    assert.deepEqual([pool.totalCount, pool.idleCount, pool.waitingCount], [1, 1, 0])
    await pool.end()
  })

  test('connections that were handed on are closed all the same once nobody has used them for long', async () => {
    const pool = new pg.Pool({ connectionString: server.url(), max: 2, min: 1, idleTimeoutMillis: 100 })
    const waits = new Waits(pool, 2_000)
    const held = await Promise.all([waits.connect(), waits.connect()])
    const waiting = [waits.connect(), waits.connect()]
    for (const client of held) client.release()
    for (const client of await Promise.all(waiting)) client.release()
    assert.equal(pool.totalCount, 2)
    await until(() => pool.totalCount === 1, { what: 'the pool to shrink' })
    await pool.end()
  })

  test('a pool that has ended refuses at once', async () => {
    const pool = new pg.Pool({ connectionString: server.url(), max: 1 })
    const waits = new Waits(pool, 300)
    const client = await waits.connect()
    client.release()
    await pool.end()
    await assert.rejects(waits.connect(), /after calling end/)
  })
})

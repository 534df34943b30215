import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { type Service, startService } from '../../support/process.ts'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import type { Driven, ServerUnderTest } from './server-under-test.ts'

/** QUERY_TIMEOUT of the services under test. */
export const queryTimeoutMs = 1_000

/** How long an answer may take: QUERY_TIMEOUT and 500 ms, and as much again for a machine that does much else. */
export const answerLimitMs: number = queryTimeoutMs + 500 + 1_500

/** The admin token of the services under test. */
export const admin = 'an-admin-token-of-some-length'

/** One answer, read whole. */
export interface Answer {
  readonly status: number
  readonly type: string | null
  readonly store: string | null
  readonly durability: string | null
  /** Of a row. */
  readonly id: string | null
  /** Of an error. */
  readonly code: string | null
  readonly text: string
  readonly tookMs: number
  /** When the answer came, on the clock of `performance`. */
  readonly at: number
}

/**
 * Starts a service whose primary is a new database, reached through a proxy of its own; its pool is open. `entry`: of
 * `bundleProgram`.
 */
export async function drive(
  t: Cleanup,
  server: ServerUnderTest,
  { entry, poolSize }: { readonly entry: string; readonly poolSize: number },
): Promise<Driven> {
  const [front, database] = await Promise.all([server.front(t), server.createDatabase()])
  await server.query('create table mark (id varchar(80) primary key, note varchar(80) not null)', database)
  const feeds = front.proxy.watch(/holdfast source/)
  const service = await startService(t, {
    args: [entry],
    env: {
      DATA_DURABLE: 'true',
      DRIVERS: `sqlite,${server.driver}`,
      DATABASE_URL: front.url(database),
      ADMIN_TOKEN: admin,
      NODE_COMPILE_CACHE: join(dirname(entry), 'cache'),
      POOL_SIZE: String(poolSize),
      POOL_MAX_OVERFLOW: '0',
      QUERY_TIMEOUT: `${queryTimeoutMs}ms`,
      CONNECTION_TIMEOUT: '10s',
      // Of the start alone: two processes start at once, on a machine that may do much else.
      FALLBACK_TIMEOUT: '15s',
      MAX_RETRIES_PRIMARY: '0',
      RATE_LIMIT: '0',
    },
  })
  const driven = { service, front, database, poolSize, feeds }
  // Again where a busy machine was too slow for the limits, which are short for the failures that come.
  await until(
    async () => {
      const { status, store } = await ask(service, 'POST', '/api/feedback', { rating: 5 })
      if (status !== 201 || store !== `primary; driver=${server.driver}`) return false
      await wholePool(server, driven)
      return true
    },
    { withinMs: 60_000, what: 'a row in the primary, and a pool that is whole' },
  )
  return driven
}

/** Asks, and reads the answer whole. */
export async function ask(service: Service, method: string, path: string, body?: unknown): Promise<Answer> {
  const startedAt = performance.now()
  const answer = await service.send(method, path, body)
  const text = await answer.text()
  const at = performance.now()
  const { headers, status } = answer
  const said: { id?: string; code?: string } = text.startsWith('{') ? JSON.parse(text) : {}
  return {
    status,
    type: headers.get('content-type'),
    store: headers.get('holdfast-store'),
    durability: headers.get('holdfast-durability'),
    id: said.id ?? null,
    code: said.code ?? null,
    text,
    tookMs: at - startedAt,
    at,
  }
}

/** A success, or one 503 of the catalogue: never a 500, never a driver's own words. */
export function assertClean(answer: Answer): void {
  if (answer.status === 200 || answer.status === 201) return
  const shown = JSON.stringify(answer)
  assert.equal(answer.status, 503, shown)
  assert.match(answer.type ?? '', /^application\/problem\+json/, shown)
  assert.match(answer.code ?? '', /^(?:STORE_LOST|STORE_UNAVAILABLE|STORE_BUSY|QUERY_TIMEOUT|COMMIT_UNKNOWN)$/, shown)
}

/** Which store answers now; null while none does. */
export async function storeOf(service: Service): Promise<string | null> {
  const answer = await ask(service, 'GET', '/api/feedback?limit=1')
  return answer.status === 200 ? answer.store : null
}

/**
 * A query on every slot at once, each on a session of its own; and the server has no session more than the pool, but the
 * one of the copy.
 */
export async function wholePool(server: ServerUnderTest, driven: Driven): Promise<void> {
  const { service, database, poolSize, feeds } = driven
  // Again where a busy machine sent the second one after the first had ended: then one slot served both.
  const answers = await until(
    async () => {
      const asked = Array.from({ length: poolSize }, () => ask(service, 'POST', '/sql', { sql: server.sleep(0.2) }))
      const given = await Promise.all(asked)
      const isWhole = new Set(given.map(sessionOf)).size === poolSize
      return isWhole || given.some(({ status }) => status !== 200) ? given : null
    },
    { withinMs: 20_000, everyMs: 50, what: 'a session for every slot' },
  )
  for (const { status, text } of answers) {
    assert.equal(status, 200, text)
    assert.equal(JSON.parse(text).shown, 'primary')
  }
  await until(
    async () => {
      const sessions = await server.sessions(database)
      const copying = sessions.filter((port) => feeds.ports.includes(port))
      return copying.length <= 1 && sessions.length - copying.length <= poolSize
    },
    { withinMs: 20_000, everyMs: 50, what: 'no session but those of the pool, and one of the copy' },
  )
}

/** The server's session that ran the statement of our own route; null where it failed. */
function sessionOf({ status, text }: Answer): number | null {
  if (status !== 200) return null
  const { rows } = JSON.parse(text) as { rows: { session: number }[] } // Of our own route.
  return rows[0]?.session ?? null
}

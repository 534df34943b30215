import { after, before, describe } from 'node:test'
import { type Hosted, hostService } from './hosted.ts'
import { noMariadb, startMariadb } from './servers/mariadb.ts'
import { startBridge } from './servers/neon-bridge.ts'
import { type OtherSession, openSession } from './servers/other-session.ts'
import { noPostgres, type Postgres, startPostgres } from './servers/postgres.ts'
import { type Cleanup, cleanupOf } from './temp.ts'

/** The admin token of a service on a database. */
export const adminToken = 'an-admin-token-of-some-length'

/** What one request is sent with; a body that is no text is sent as JSON. */
export interface Sent {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Null: none. Absent: the admin's. */
  readonly token?: string | null
}

/** An answer, read. */
export interface Received {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of an answer, looked into by each test.
  readonly json: any
}

/** A service on one kind of database. */
export interface DatabaseApi {
  readonly kind: 'sqlite' | 'postgresql' | 'mariadb' | 'neon'
  call(method: string, path: string, sent?: Sent): Promise<Received>
  readonly service: Hosted
  /** Another service on the same database; of a file, on one of its own. */
  readonly start: () => Promise<DatabaseApi>
  /** Runs a statement as another program; null: it is a file. */
  readonly run: ((sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>) | null
  /** A connection of another program, which may hold a transaction open; null: it is a file. */
  readonly session: ((t: Cleanup) => Promise<OtherSession>) | null
}

/** All but Neon's protocol, behind which is the same PostgreSQL: for tests that take long. */
export const localKinds: readonly DatabaseApi['kind'][] = ['sqlite', 'postgresql', 'mariadb']

/** Declares the same tests for a service on each kind of database; `api` is known once tests run. */
export function onDatabases(
  title: string,
  given: {
    readonly collections: readonly object[]
    readonly env?: Readonly<Record<string, string>>
    readonly kinds?: readonly DatabaseApi['kind'][]
  },
  declare: (api: () => DatabaseApi) => void,
): void {
  const kinds = [
    { kind: 'sqlite', skip: false, open: async () => ({ env: {}, run: null, session: null }) },
    { kind: 'postgresql', skip: noPostgres, open: openPostgres },
    { kind: 'mariadb', skip: noMariadb, open: openMariadb },
    { kind: 'neon', skip: noPostgres, open: openNeon },
  ] as const
  for (const { kind, skip, open } of kinds) {
    if (given.kinds?.includes(kind) === false) continue
    describe(`${title} (${kind})`, { skip }, () => {
      const cleanup = cleanupOf(after)
      let api: DatabaseApi | undefined
      before(async () => {
        const { env: own, run, session } = await open(cleanup)
        const files = given.collections.map((one) => [
          `config/collections/${'name' in one ? one.name : ''}.json`,
          JSON.stringify(one),
        ])
        const env = { ADMIN_TOKEN: adminToken, RATE_LIMIT: '0', ...given.env, ...own }
        const start = async (): Promise<DatabaseApi> => {
          const service = await hostService(cleanup, { files: Object.fromEntries(files), env })
          return { kind, service, run, session, start, call: (method, path, sent) => call(service, method, path, sent) }
        }
        api = await start()
      })
      declare(() => {
        if (api === undefined) throw new Error('unreachable: tests run after "before"')
        return api
      })
    })
  }
}

async function openPostgres(t: Cleanup) {
  const server = await startPostgres(t)
  return await opened(server)
}

async function openMariadb(t: Cleanup) {
  const server = await startMariadb(t)
  return await opened(server)
}

async function opened(server: Pick<Postgres, 'createDatabase' | 'url' | 'query'>) {
  const database = await server.createDatabase()
  const url = server.url(database)
  const run = (sql: string) => server.query(sql, database)
  return { env: { DATABASE_URL: url }, run, session: (t: Cleanup) => openSession(t, url) }
}

/** A PostgreSQL behind WebSockets. */
async function openNeon(t: Cleanup) {
  const server = await startPostgres(t)
  const { port } = await startBridge(t, server)
  const { run, session, env: plain } = await opened(server)
  const env = {
    DRIVERS: 'sqlite,neon',
    DATABASE_URL: plain.DATABASE_URL.replace('postgres:', 'neon+https:'),
    NEON_WS_PROXY: `ws://127.0.0.1:${port}/v1`,
  }
  return { env, run, session }
}

async function call(service: Hosted, method: string, path: string, sent: Sent = {}): Promise<Received> {
  const { body, headers = {}, token = adminToken } = sent
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const own = {
    ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  }
  const answer = await service.fetch(path, {
    method,
    headers: { ...own, ...headers },
    ...(text === undefined ? {} : { body: text }),
  })
  const answered = await answer.text()
  const isJson = /json/.test(answer.headers.get('content-type') ?? '')
  const json = isJson && answered !== '' ? JSON.parse(answered) : null
  return { status: answer.status, headers: answer.headers, text: answered, json }
}

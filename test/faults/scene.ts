import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { startPostgres } from '../support/postgres.ts'
import { repository, type Service, startService } from '../support/process.ts'
import { startProxy } from '../support/tcp-proxy.ts'
import type { Cleanup } from '../support/temp.ts'
import type { Scene } from './fault.ts'
import type { FoundRow } from './ledger.ts'
import type { SoakOptions } from './options.ts'

/** The admin token of the service that is soaked. */
export const adminToken = 'an-admin-token-for-the-soak'

/** Connections that the service keeps to its database. */
export const poolSize = 5

const role = 'soak'
const password = 'soak-secret'

/** A private server with an ordinary role, and a proxy before it. */
export async function setScene(t: Cleanup): Promise<Scene> {
  const server = await startPostgres(t, { settings: ['max_connections = 60', 'idle_session_timeout = 0'] })
  const database = await server.createDatabase()
  await server.query(`create role ${role} login password '${password}'`)
  await server.query(`alter database ${database} owner to ${role}`)
  return { server, proxy: await startProxy(t, server), role, password, database }
}

/** The real process, as `npm start` starts it, with its database behind the proxy. */
export async function startSoaked(t: Cleanup, { proxy, database }: Scene, options: SoakOptions): Promise<Service> {
  return await startService(t, {
    env: {
      NODE_ENV: 'production',
      NODE_OPTIONS: nodeOptions(),
      DRIVERS: 'sqlite,postgresql',
      DATABASE_URL: `postgres://${role}:${password}@127.0.0.1:${proxy.port}/${database}`,
      ADMIN_TOKEN: adminToken,
      RATE_LIMIT: '0',
      LOG_REQUESTS: 'false',
      POOL_SIZE: String(poolSize),
      QUERY_TIMEOUT: `${options.queryMs}ms`,
      CONNECTION_TIMEOUT: `${options.fallbackMs}ms`,
      FALLBACK_TIMEOUT: `${options.fallbackMs}ms`,
    },
  })
}

/** Rows of the data API in PostgreSQL. */
export async function primaryRows({ server, database }: Scene): Promise<readonly FoundRow[]> {
  const rows = await server.query('select id, comment as token, model as value from feedback', database)
  return rows.map(({ id, token, value }) => ({ id: String(id), token: String(token), value: String(value) }))
}

/** Rows of the data API in the service's own file; none where there is no such file. The service has ended. */
export function fallbackRows(dir: string): readonly FoundRow[] {
  const database = new Database(join(dir, 'data/production.db'), { readonly: true })
  try {
    return database.prepare<[], FoundRow>('select id, comment as token, model as value from feedback').all()
  } finally {
    database.close()
  }
}

/** Sessions that the service has open at the server. */
export async function serverSessions({ server }: Scene): Promise<number> {
  const [row] = await server.query(`select count(*)::int as n from pg_stat_activity where usename = '${role}'`)
  return Number(row?.n)
}

/** What `npm start` gives to Node: it decides how much memory is held. */
function nodeOptions(): string {
  const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  const [, options = ''] = /NODE_OPTIONS:-([^}]*)\}/.exec(scripts.start) ?? []
  return options
}

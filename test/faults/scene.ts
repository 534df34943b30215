import { join } from 'node:path'
import Database from 'better-sqlite3'
import { repository, type Service, startEnvironment, startService } from '../support/process.ts'
import { startPostgres } from '../support/servers/postgres.ts'
import { startProxy } from '../support/servers/tcp-proxy.ts'
import type { Cleanup } from '../support/temp.ts'
import type { Books } from './business.ts'
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
  await server.query(
    'create table account (id int primary key, balance int not null); ' +
      'create table transfer (token text primary key, "from" int, "to" int); ' +
      'insert into account select id, 0 from generate_series(1, 4) id; ' +
      `alter table account owner to ${role}; alter table transfer owner to ${role}`,
    database,
  )
  return { server, proxy: await startProxy(t, server), role, password, database }
}

/** The real process, as `npm start` starts it, with its database behind the proxy. */
export async function startSoaked(t: Cleanup, scene: Scene, options: SoakOptions): Promise<Service> {
  return await startService(t, { env: environment(scene, options) })
}

/** An application that uses the library, with the same database. */
export async function startApplication(t: Cleanup, scene: Scene, options: SoakOptions): Promise<Service> {
  const args = [join(repository, 'test/faults/application.ts')]
  return await startService(t, { env: environment(scene, options), args })
}

function environment({ proxy, database }: Scene, options: SoakOptions): Readonly<Record<string, string>> {
  return {
    NODE_ENV: 'production',
    ...startEnvironment,
    DRIVERS: 'sqlite,postgresql',
    DATABASE_URL: `postgres://${role}:${password}@127.0.0.1:${proxy.port}/${database}`,
    ADMIN_TOKEN: adminToken,
    RATE_LIMIT: '0',
    LOG_REQUESTS: 'false',
    POOL_SIZE: String(poolSize),
    QUERY_TIMEOUT: `${options.queryMs}ms`,
    CONNECTION_TIMEOUT: `${options.fallbackMs}ms`,
    FALLBACK_TIMEOUT: `${options.fallbackMs}ms`,
  }
}

/** Rows of the data API in PostgreSQL. */
export async function primaryRows({ server, database }: Scene): Promise<readonly FoundRow[]> {
  const rows = await server.query('select id, comment as token, model as value from feedback', database)
  return rows.map(({ id, token, value }) => ({ id: String(id), token: String(token), value: String(value) }))
}

/** Rows of the data API in the service's own file. The service has ended. */
export function fallbackRows(dir: string): readonly FoundRow[] {
  return inFile(dir, (ask) => ask<FoundRow>('select id, comment as token, model as value from feedback'))
}

/** What the application has written in PostgreSQL. */
export async function primaryBooks({ server, database }: Scene): Promise<Books> {
  const ask = async (text: string): Promise<readonly Row[]> =>
    (await server.query(text, database)) as unknown as readonly Row[] // Its columns.
  return booksOf(await ask('select * from transfer'), await ask('select * from account'))
}

/** What the application has written in its own file; nothing where it never came to that. It has ended. */
export function fallbackBooks(dir: string): Books {
  return inFile(dir, (ask) => {
    const [there] = ask("select 1 from sqlite_master where name = 'transfer'")
    return there === undefined ? booksOf([], []) : booksOf(ask('select * from transfer'), ask('select * from account'))
  })
}

interface Row {
  readonly token: string
  readonly id: number
  readonly balance: number
  readonly from: number
  readonly to: number
}

function booksOf(transfers: readonly Row[], accounts: readonly Row[]): Books {
  return { transfers, accounts }
}

function inFile<T>(dir: string, look: (ask: <R = Row>(text: string) => readonly R[]) => T): T {
  const database = new Database(join(dir, 'data/production.db'), { readonly: true })
  try {
    return look(<R>(text: string) => database.prepare<[], R>(text).all())
  } finally {
    database.close()
  }
}

/** Sessions that the service has open at the server. */
export async function serverSessions({ server }: Scene): Promise<number> {
  const [row] = await server.query(`select count(*)::int as n from pg_stat_activity where usename = '${role}'`)
  return Number(row?.n)
}

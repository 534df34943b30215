import { startMariadb } from '../../support/servers/mariadb.ts'
import { startPostgres } from '../../support/servers/postgres.ts'
import type { Cleanup } from '../../support/temp.ts'

/** The servers that are tried, by the name of their driver. */
export type ServerKind = 'postgresql' | 'mysql'

/** What both private servers can do. */
export interface FaultyServer {
  readonly port: number
  createDatabase(): Promise<string>
  query(text: string, database?: string): Promise<readonly Record<string, unknown>[]>
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
  pause(): void
  resume(): void
}

/** A server, and the programs that are run against it. */
export interface Stage {
  readonly kind: ServerKind
  readonly server: FaultyServer
  /** The entry of the process under test (`bundleProgram`). */
  readonly entry: string
}

/** The user of the services under test: whatever another one writes was written by another client. */
export const serviceUser = { user: 'service', password: 'service-secret' } as const

/** Starts a private server with a user for the services; it ends with `t`. */
export async function startServer(t: Cleanup, kind: ServerKind): Promise<FaultyServer> {
  const { user, password } = serviceUser
  if (kind === 'mysql') {
    const server = await startMariadb(t, { settings: ['--max-connections=200'] })
    await server.query(`create user '${user}'@'%' identified by '${password}'`)
    await server.query(`grant all on *.* to '${user}'@'%'`)
    return server
  }
  const server = await startPostgres(t, { settings: ['max_connections = 200'] })
  await server.query(`create role ${user} login password '${password}'`)
  return server
}

/** The address of a database for a service, by a port of this machine. */
export function addressOf(kind: ServerKind, port: number, database: string): string {
  const { user, password } = serviceUser
  const scheme = kind === 'mysql' ? 'mariadb' : 'postgres'
  return `${scheme}://${user}:${password}@127.0.0.1:${port}/${database}`
}

/** Gives a new database to the user of the services. */
export async function createServiceDatabase({ kind, server }: Stage): Promise<string> {
  const database = await server.createDatabase()
  if (kind === 'postgresql') await server.query(`alter database ${database} owner to ${serviceUser.user}`)
  return database
}

/** The process under test, from the repository's root. */
export const program = 'test/faults/application.ts'

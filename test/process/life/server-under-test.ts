import type { Service } from '../../support/process.ts'
import type { TcpProxy, Watched } from '../../support/servers/tcp-proxy.ts'
import type { Cleanup } from '../../support/temp.ts'

/** A way to a server that leads through a proxy of its own. */
export interface Front {
  readonly proxy: TcpProxy
  url(database: string): string
}

/**
 * A database server that is to fail, as the table of failures (`table.ts`) drives it. A driver that wants to be in it
 * gives one of these.
 */
export interface ServerUnderTest {
  /** The word in `Holdfast-Store`, and in DRIVERS. */
  readonly driver: string
  /** Another proxy before it; ends with `t`. */
  front(t: Cleanup): Promise<Front>
  /** An empty database; its name. */
  createDatabase(): Promise<string>
  /** Runs a statement as the administrator. */
  query(sql: string, database?: string): Promise<readonly Record<string, unknown>[]>
  /** SIGKILL; the first signal is sent before it returns. */
  kill(): Promise<void>
  /** Resolves when it answers again. */
  start(): Promise<void>
  /** A graceful shutdown. */
  stop(): Promise<void>
  pause(): void
  resume(): void
  /** Ends the sessions of all others on this database, as an administrator does. */
  terminateAll(database: string): Promise<void>
  /** The client's port of each session of others on this database. */
  sessions(database: string): Promise<readonly number[]>
  /** One row with the session's number as `session`, after so many seconds. */
  sleep(seconds: number): string
  /** How its clients' bytes say it. */
  readonly words: { readonly begin: RegExp; readonly commit: RegExp }
}

/** A service under test, and what it was asked. */
export interface Driven {
  readonly service: Service
  readonly front: Front
  readonly database: string
  readonly poolSize: number
  /** The connections of the copy, which has one outside of the pool. */
  readonly feeds: Watched
}

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { EntitySchema } from '@mikro-orm/core'
import type { Collection } from '../collection/declaration/declaration.ts'
import type { LeftRows } from '../collection/row/left-rows.ts'
import type { Problem } from '../config/problem.ts'
import type { ResolvedSettings, SettingLine, SettingsInput } from '../config/settings.ts'
import type { State } from '../database/machine/state.ts'
import type { Durability, Store } from '../database/store/store.ts'
import type { DatabaseSessionContext } from '../database/supervisor/connection-status.ts'
import type { Outcome, Session } from '../database/work/session.ts'
import type { TransactionOptions } from '../database/work/work.ts'
import type { Driver } from '../driver/driver.ts'
import type { App } from '../http/server/app.ts'
import type { ListenAddress } from '../http/server/listen.ts'
import type { Observation } from '../observe/observation.ts'

/** What a Holdfast is made from. Nothing in it is required. */
export interface HoldfastOptions {
  /** Settings in code (parts are enough), or what `loadSettings` gave. Bad ones are problems, never a throw. */
  readonly settings?: SettingsInput | ResolvedSettings
  /** Stands in for the setting `drivers`: names, paths, or drivers themselves. */
  readonly drivers?: readonly (Driver | string)[]
  /** An application's own entities, in every store beside those of the collections. Their tables are the application's. */
  readonly entities?: readonly EntitySchema[]
  /** A folder of collection files (relative to the working directory), or collections themselves. None when absent. */
  readonly collections?: string | readonly Collection[]
  /** Adds an application's own routes; they come before ours. Called once, before the first request. */
  readonly routes?: (app: App, holdfast: Holdfast) => void
  /** Receives everything worth noticing. Must not throw. */
  readonly observe?: (observation: Observation) => void
}

/** What is known at this moment, from memory. No secret in it. */
export interface Status {
  readonly database: DatabaseSessionContext
  /** What a write would be answered with now; null when none can be made. */
  readonly durability: Durability | null
  /** Rows in the fallback that the primary does not have; null where no fallback stands beside a primary. */
  readonly left: LeftRows | null
  readonly problems: readonly Problem[]
  /** Every setting, masked, with its origin. */
  readonly settings: readonly SettingLine[]
  /** The collections that are served. */
  readonly collections: readonly string[]
}

/** What a reload did. Settings are named by key. */
export interface Reloaded {
  /** False: what was read is wrong, and the running configuration was left as it is. */
  readonly applied: boolean
  /** In force now. */
  readonly changed: readonly string[]
  /** Read, but in force only after a restart. */
  readonly needsRestart: readonly string[]
  readonly problems: readonly Problem[]
}

/** The data service as a library. */
export interface Holdfast extends AsyncDisposable {
  /** For Polka, Express, Fastify and `node:http`. Answers every request, never rejects. */
  readonly handler: RequestListener
  /**
   * Binds; resolves with the real address; touches no database.
   *
   * @throws ListenError when the port is taken or forbidden.
   */
  listen(at?: { readonly port?: number; readonly host?: string }): Promise<ListenAddress>
  /** Opens now instead of at first use; resolves with the state reached, also CONNECTION_ERROR. Never rejects. */
  open(): Promise<State<Store>>
  /**
   * This request's session: the same for the same `req`, forked at first use, released when the answer ends.
   *
   * @throws HoldfastError STORE_UNAVAILABLE, OVERLOADED, CLOSING.
   */
  session(req: IncomingMessage, res?: ServerResponse): Promise<Session>
  /** One transaction on the active store; resolves when the outcome is known. Rejects with `HoldfastError`, or with what the work threw. */
  transactional<T>(work: (session: Session) => Promise<T>, options?: TransactionOptions): Promise<Outcome<T>>
  /** From memory; no secret in it. */
  status(): Status
  /** Takes new settings (those of `loadSettings`), and reads the collection files anew. Never rejects. */
  reload(settings: ResolvedSettings): Promise<Reloaded>
  /** Stops accepting, finishes what runs, closes within the limit (SHUTDOWN_TIMEOUT unless told). Never rejects. Safe to call twice and before `open`. */
  close(options?: { readonly withinMs?: number }): Promise<void>
}

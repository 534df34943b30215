import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { EntitySchema } from '@mikro-orm/core'
import type { ArchiveState } from '../archive/archive-state.ts'
import type { Collection } from '../collection/declaration/declaration.ts'
import type { Problem } from '../config/problem.ts'
import type { ResolvedSettings, SettingLine, SettingsInput } from '../config/settings.ts'
import type { State } from '../database/machine/state.ts'
import type { Durability, Store } from '../database/store/store.ts'
import type { DatabaseSessionContext } from '../database/supervisor/connection-status.ts'
import type { Outcome, Session } from '../database/work/session.ts'
import type { TransactionOptions } from '../database/work/work.ts'
import type { Driver } from '../driver/driver.ts'
import type { Reloaded } from '../http/admin/admin-routes.ts'
import type { App } from '../http/server/app.ts'
import type { ListenAddress } from '../http/server/listen.ts'
import type { Observation } from '../observe/observation.ts'

/** The options of `createHoldfast`, all optional. */
export interface HoldfastOptions {
  /** Settings in code (any part of them), or those of `loadSettings`. Invalid ones are problems, never a throw. */
  readonly settings?: SettingsInput | ResolvedSettings
  /** Replaces the setting `drivers`: names, paths, or drivers. */
  readonly drivers?: readonly (Driver | string)[]
  /**
   * An application's own entities, in every store next to those of the collections. The application creates their tables, in
   * the primary or the local store. The fallback of a primary has rows of them only as `copyEntities` says: else sessions and
   * transactions there are refused with INCOMPLETE.
   */
  readonly entities?: readonly EntitySchema[]
  /**
   * Those of `entities`, or their names, whose rows are copied into the fallback of a primary. Once all rows of *all* the
   * application's entities were copied, sessions and transactions may read them there; a write to them gets INCOMPLETE. Each
   * needs a primary key of one column (a UUID, a whole number or a text); what cannot be copied is a problem.
   */
  readonly copyEntities?: readonly (EntitySchema | string)[]
  /** A folder of collection files (relative to the working directory), or collections. None when absent. */
  readonly collections?: string | readonly Collection[]
  /** Adds an application's own routes, which precede Holdfast's. Called once, before the first request. */
  readonly routes?: (app: App, holdfast: Holdfast) => void
  /** Receives every observation: what the log and the metrics are made from. Must not throw. */
  readonly observe?: (observation: Observation) => void
}

/** The state at this moment, from memory. Holds no secret. */
export interface Status {
  readonly database: DatabaseSessionContext
  /** The durability of a write made now; null when no write is possible. */
  readonly durability: Durability | null
  /** Changes that are kept aside in the primary, and not settled. */
  readonly conflicts: number
  /** The archive behind the rows; null without one. */
  readonly archive: ArchiveState | null
  readonly problems: readonly Problem[]
  /** Every setting, masked, with its origin. */
  readonly settings: readonly SettingLine[]
  /** The names of the collections. */
  readonly collections: readonly string[]
}

/** The data service as a library. */
export interface Holdfast extends AsyncDisposable {
  /**
   * For Polka, Express, Fastify and `node:http`. Answers every request. A body that was read before is taken from
   * `req.body`. The prefix of a mount, which Express and Polka cut off `req.url` (other code sets `req.baseUrl`), is kept in
   * `Location` and links.
   */
  readonly handler: RequestListener
  /**
   * Listens; resolves with the actual address. Opens no database.
   *
   * @throws ListenError when the port is taken or forbidden.
   */
  listen(at?: { readonly port?: number; readonly host?: string }): Promise<ListenAddress>
  /** Opens a database now instead of at first use; resolves with the state reached, which may be CONNECTION_ERROR. Never rejects. */
  open(): Promise<State<Store>>
  /**
   * The session of this request: one for each `req`, forked at first use, released when the response ends.
   *
   * @throws HoldfastError STORE_UNAVAILABLE, OVERLOADED, CLOSING, INCOMPLETE (see `entities`).
   */
  session(req: IncomingMessage, res?: ServerResponse): Promise<Session>
  /**
   * The error to answer with when a handler outside `routes` threw `error` after it had a session: a fault of the database
   * becomes a `HoldfastError`; any other error is returned as it is. Never rejects.
   */
  translateError(req: IncomingMessage, error: unknown): Promise<unknown>
  /** Answers with the translated error where it is a `HoldfastError`; false, and nothing is sent, for any other. Never rejects. */
  answerError(req: IncomingMessage, res: ServerResponse, error: unknown): Promise<boolean>
  /** One transaction on the active store; resolves when its outcome is known. Rejects with `HoldfastError`, or with what `work` threw. */
  transactional<T>(work: (session: Session) => Promise<T>, options?: TransactionOptions): Promise<Outcome<T>>
  /** From memory. Holds no secret. */
  status(): Status
  /** Applies new settings (those of `loadSettings`), and re-reads the collection files. Never rejects. */
  reload(settings: ResolvedSettings): Promise<Reloaded>
  /** Stops accepting requests, finishes those in progress, closes within the limit (default: SHUTDOWN_TIMEOUT). Never rejects. Safe to call twice and before `open`. */
  close(options?: { readonly withinMs?: number }): Promise<void>
}

import type { Access, Operation } from '../../collection/declaration/declaration.ts'
import type { LeftRows } from '../../collection/row/left-rows.ts'
import type { Problem } from '../../config/problem.ts'
import type { Secret } from '../../config/secret.ts'
import type { SettingLine, Settings } from '../../config/settings.ts'
import type { Durability } from '../../database/store/store.ts'
import type { DatabaseSessionContext } from '../../database/supervisor/connection-status.ts'

/** A collection as the front page shows it. */
export interface CollectionLine {
  readonly name: string
  /** Where it is: `/api/feedback`. */
  readonly path: string
  readonly description: string | null
  readonly access: Readonly<Record<Operation, Access>>
  /** A row that would be taken. */
  readonly example: Readonly<Record<string, unknown>>
}

/** Where the admin token was found. */
export type TokenSource =
  | { readonly from: 'setting' }
  /** `fresh`: drawn and written at this start. */
  | { readonly from: 'file'; readonly path: string; readonly fresh: boolean }
  /** It could neither be read nor written: nobody knows it. */
  | { readonly from: 'memory' }

/** What health, status and the front page are made from. Everything answers from memory, without waiting. */
export interface StatusSource {
  readonly version: string
  readonly startedAt: Date
  /** Called for every probe: cheap. Labels in it are for the admin only: they may name a host or a path. */
  database(): DatabaseSessionContext
  /** Rows in the fallback that the primary does not have; null where no fallback stands beside a primary. */
  left(): LeftRows | null
  /** The collections that the database that serves has no fitting table for; their requests are answered 503. */
  lacking(): readonly string[]
  /** What a write would be answered with now; null when none can be made. */
  durability(): Durability | null
  policy(): { readonly boot: Settings['database']['boot']; readonly readiness: Settings['http']['readiness'] }
  platform(): Settings['platform']
  /** Every setting, masked. */
  settings(): readonly SettingLine[]
  problems(): readonly Problem[]
  collections(): readonly CollectionLine[]
  adminToken(): { readonly token: Secret; readonly source: TokenSource }
  /** True once the service is shutting down. */
  isClosing(): boolean
}

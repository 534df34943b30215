import type { ArchiveState } from '../../archive/archive-state.ts'
import type { Operation } from '../../collection/declaration/declaration.ts'
import type { Problem } from '../../config/problem.ts'
import type { Secret } from '../../config/secret.ts'
import type { SettingLine, Settings } from '../../config/settings.ts'
import type { CopyLine } from '../../copy/copy-line.ts'
import type { Durability } from '../../database/store/store.ts'
import type { DatabaseSessionContext } from '../../database/supervisor/connection-status.ts'

/** A collection as the front page shows it. */
export interface CollectionLine {
  readonly name: string
  /** Its path: `/api/feedback`. */
  readonly path: string
  readonly description: string | null
  readonly access: Readonly<Record<Operation, string>>
  /** A row that the collection accepts. */
  readonly example: Readonly<Record<string, unknown>>
}

/** Where the admin token comes from. */
export type TokenSource =
  | { readonly from: 'setting' }
  /** `fresh`: created at this start. */
  | { readonly from: 'file'; readonly path: string; readonly fresh: boolean }
  /** The file could be neither read nor written: no one knows the token. */
  | { readonly from: 'memory' }

/** The data behind health, status and the front page. Every member returns from memory, without waiting. */
export interface StatusSource {
  readonly version: string
  readonly startedAt: Date
  /** Called for every probe, so cheap. Its labels may name a host or a path and are for the admin only. */
  database(): DatabaseSessionContext
  /** Changes that are kept aside in the primary, and not settled. */
  conflicts(): number
  /** What an outage means for each collection; none without a declared primary. */
  copy(): readonly CopyLine[]
  /** The archive behind the rows; null without one. */
  archive(): ArchiveState | null
  /** The collections without a usable table in the serving database; their requests get 503. */
  lacking(): readonly string[]
  /** The collections whose tables lack a key of their declaration there; writes get 503. */
  keyless(): readonly string[]
  /** The durability of a write made now; null if none can be made. */
  durability(): Durability | null
  policy(): { readonly boot: Settings['database']['boot']; readonly readiness: Settings['http']['readiness'] }
  platform(): Settings['platform']
  /** Every setting, masked. */
  settings(): readonly SettingLine[]
  problems(): readonly Problem[]
  collections(): readonly CollectionLine[]
  adminToken(): { readonly token: Secret; readonly source: TokenSource }
  /** True while the service shuts down. */
  isClosing(): boolean
}

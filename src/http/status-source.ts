import type { Access, Operation } from '../collection/declaration.ts'
import type { Disk } from '../config/disk.ts'
import type { Problem } from '../config/problem.ts'
import type { Secret } from '../config/secret.ts'
import type { SettingLine, Settings } from '../config/settings.ts'
import type { HealthRow, StateName } from '../database/state.ts'
import type { Durability, Shown } from '../database/store.ts'
import type { Fault } from '../driver/fault.ts'

/** What is known of the database at this moment, from memory. */
export interface DatabaseStatus {
  readonly state: StateName
  readonly row: HealthRow
  /** When the state was entered, RFC 3339. */
  readonly since: string
  /** Why the state is what it is, when a fault led to it. */
  readonly fault: Fault | null
  /** The store that answers. */
  readonly store: {
    readonly shown: Shown
    readonly driver: string
    /** For people with the admin token only: it may name a host or a path. */
    readonly label: string
    readonly disk: Disk | null
  } | null
  /** What a write would be answered with now; null when none can be made. */
  readonly durability: Durability | null
  /** The fallback beside a primary; `off` also where there is none. */
  readonly standby: 'off' | 'opening' | 'open' | 'failed'
  /** Tries since the state was entered. */
  readonly attempts: number
  /** RFC 3339; null before the first. */
  readonly lastAttempt: string | null
  readonly activeSessions: number
}

/** One change of state, as `/status` shows it. */
export interface TransitionLine {
  /** RFC 3339. */
  readonly at: string
  readonly from: StateName
  readonly to: StateName
  readonly reason: string
  readonly fault: { readonly kind: string; readonly code: string; readonly summary: string } | null
  readonly lastedMs: number
  readonly store: string | null
}

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
  /** Called for every probe: cheap. */
  database(): DatabaseStatus
  policy(): { readonly boot: Settings['database']['boot']; readonly readiness: Settings['http']['readiness'] }
  platform(): Settings['platform']
  /** Every setting, masked. */
  settings(): readonly SettingLine[]
  problems(): readonly Problem[]
  /** Of the last hour, the oldest first. */
  transitions(): readonly TransitionLine[]
  collections(): readonly CollectionLine[]
  adminToken(): { readonly token: Secret; readonly source: TokenSource }
  /** True once the service is shutting down. */
  isClosing(): boolean
}

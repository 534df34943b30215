import type { Disk } from '../../disk/disk.ts'
import type { Role, Target } from '../../driver/address.ts'
import type { Driver, Facts } from '../../driver/driver.ts'
import type { ArchiveSource } from '../../driver/facet/archive.ts'
import type { Attempts } from '../../driver/facet/attempts.ts'
import type { Copy, CopyView } from '../../driver/facet/copy.ts'
import type { Feed } from '../../driver/facet/feed.ts'
import type { Journal, JournalView } from '../../driver/facet/journal.ts'
import type { LocalRows } from '../../driver/facet/local-rows.ts'
import type { Replay } from '../../driver/facet/replay.ts'
import type { SchemaLock } from '../../driver/facet/schema-lock.ts'
import type { Statements } from '../../driver/facet/statements.ts'
import type { MikroORM } from '../../driver/orm.ts'

/** An opened database in a role. Made by `DatabaseEngineFactory`, owned by the supervisor, closed once. */
export interface Store {
  readonly role: Role
  readonly driver: Driver
  readonly target: Target
  /** For people and logs; no secret. */
  readonly label: string
  readonly facts: Facts
  /** How many hosts its address has: 1 also where several servers answer behind it. */
  readonly hosts: number
  /** The address has several hosts, or the server has said that its cluster has other members. */
  readonly hasOthers: boolean
  /** What its file would survive; null for a server. */
  readonly disk: Disk | null
  readonly orm: MikroORM
  /** The driver's own, or the same through kysely. */
  readonly statements: Statements
  /** Null: the driver has none. */
  readonly schemaLock: SchemaLock | null
  /** Null: it is not the fallback next to a primary, or the driver has none. */
  readonly journal: Journal | null
  /** Null: its file has no journal, or the driver has none. */
  readonly journalView: JournalView | null
  /** Null: it is not a local store, or the driver has none. */
  readonly localRows: LocalRows | null
  /** Null: it is not the fallback next to a primary, or the driver has none. */
  readonly copy: Copy | null
  /** Null: nothing was ever copied into its file, or the driver has none. */
  readonly copyView: CopyView | null
  /** Null: it is not a local store, or cannot be archived. */
  readonly archive: ArchiveSource | null
  /** Null: the driver has none. */
  readonly attempts: Attempts | null
  /** Null: the driver has none. */
  readonly replay: Replay | null
  /** Null: the driver has none. */
  readonly feed: Feed | null
  /** The database refuses every change from now on; `false` undoes it. Does nothing where the driver cannot. */
  setReadOnly(on: boolean): void
  /** Gracefully within `withinMs`, then by reset. Never throws. Safe to call twice. */
  close(withinMs: number): Promise<void>
}

/** How a store is shown in headers, health and logs: a fallback without any declared primary is `local`. */
export type Shown = 'primary' | 'fallback' | 'local'

/** The store that serves, and how it is shown. */
export interface Serving {
  readonly store: Store
  readonly shown: Shown
}

/**
 * How safe a write is that was answered with success (DESIGN, the guarantee). `primary-ephemeral`: the primary is a file on a
 * disk that a restart may empty. `journal`: it is on the fallback's disk while a primary is declared, and is carried to it.
 */
export type Durability =
  | 'primary'
  | 'primary-ephemeral'
  | 'journal'
  | 'journal-ephemeral'
  | 'archived'
  | 'local'
  | 'local-ephemeral'

/** What a caller may demand; what cannot be met is refused before anything is written. */
export type Demand = 'primary' | 'journal' | 'archived' | 'local'

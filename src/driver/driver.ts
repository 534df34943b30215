/**
 * The contract of a driver: types only. The core asks what a driver can do (is the member there?), never what it is called.
 * `define-driver.ts` checks a driver's shape; `kit/driver-kit.ts` is what a driver may use.
 */

import type { SettingDeclarations } from '../config/driver-settings.ts'
import type { Problem } from '../config/problem.ts'
import type { Settings } from '../config/settings.ts'
import type { Address, Parsed, Role, Target } from './address.ts'
import type { ArchiveSource } from './facet/archive.ts'
import type { Attempts } from './facet/attempts.ts'
import type { Copy, CopyView } from './facet/copy.ts'
import type { Embedded } from './facet/embedded.ts'
import type { Feed } from './facet/feed.ts'
import type { Journal, JournalView } from './facet/journal.ts'
import type { LocalRows } from './facet/local-rows.ts'
import type { Replay } from './facet/replay.ts'
import type { SchemaLock } from './facet/schema-lock.ts'
import type { Standing } from './facet/standing.ts'
import type { Statements } from './facet/statements.ts'
import type { Fault, Phase } from './fault.ts'
import type { MikroORM, OrmOptions } from './orm.ts'

/** A plugin for one kind of database. Importing its module opens nothing and loads no client. */
export interface Driver<T extends Target = Target> {
  /** Contract generation. The registry accepts the current one; any other is a problem, not a crash. */
  readonly contract: 1
  /** Folder, configuration value and test file carry this same word: lower case, digits, hyphens. Unique in a registry. */
  readonly name: string
  /** Lower case, without colon, aliases included (`postgres`, `postgresql`, `postgresql+psycopg2`). No two drivers share one. */
  readonly schemes: readonly string[]
  /** Schemes of other drivers that it can serve when `DATABASE_DRIVER` names it. */
  readonly accepts?: readonly string[]
  /** Settings of its own as plain data. Joined to the schema under `plugins.<name>` before it is resolved. */
  readonly settings?: SettingDeclarations
  /** Pure, total, never throws: a usable target, or problems naming part, reason and masked correction; both when repaired. */
  parse(address: Address, settings: Settings): Parsed<T>
  /** Reports what only looking can find: files named in the address. Changes nothing. Called by `check` and before `connect`, never by `parse`. */
  inspect?(target: T): Promise<Inspection>
  /** A label for people and logs. Holds no secret; stable for the same target. */
  describe(target: T): string
  /**
   * Total: any thrown value becomes a fault; the same error becomes the same fault. In phase `commit` it may be `ambiguous`.
   * A `FaultError` anywhere in the chain of causes keeps its fault, whatever the phase: the driver knew better.
   */
  classify(error: unknown, phase: Phase): Fault
  /** Loads the client; nothing is open afterwards. Several hosts (or files) give several candidates in the order to try; each has every timeout set. Throws what `classify` reads. */
  connect(target: T, limits: Limits): Promise<readonly Candidate[]>

  // Facets. Present: it can. Absent: it cannot, and the core says so instead of guessing.
  /** Lives in files of this machine: may be the local store and the fallback. */
  readonly embedded?: Embedded<T>
  /**
   * Its stores journal what they write next to a primary: `Engine.journal` is there. Without it such a fallback accepts no
   * writes.
   */
  readonly journals?: true
  /**
   * Its stores accept what a journal carries: `Engine.attempts` and `Engine.replay` are there. Without it the fallback next
   * to such a primary accepts no writes.
   */
  readonly replays?: true
  /**
   * A word that no other driver in the registry may share: `sqlite` for any driver that carries an SQLite. Two builds of it
   * on one file in one process damage the file (POSIX locks do not conflict within a process).
   */
  readonly exclusive?: string
  /**
   * The collation that orders text by its bytes, for the text columns that Holdfast creates, where another is the default
   * of the database. Absent: the engine's options or the database see to it.
   */
  readonly textCollation?: string
  /**
   * Its database has no exact decimals, and its native client gives integers of 64 bits as doubles: decimals are kept as
   * integers there, scaled, and both are read as text.
   */
  readonly integersOnly?: true
  /**
   * Whose SQL its database understands: filters, sorts and aggregates of collections are written in it. Absent: rows are read
   * by their ids and newest first alone.
   */
  readonly sqlDialect?: SqlDialect
  /**
   * A foreign key can be added to its tables at any time: the database holds the references of collections. Absent: the core
   * looks the rows up in the transaction of each write.
   */
  readonly holdsReferences?: true
}

/** The SQL of a family of databases. */
export type SqlDialect = 'sqlite' | 'postgresql' | 'mysql'

/** One host, or one file, that may be opened. Creating it opens nothing. */
export interface Candidate {
  /** For people and logs; no secret. Tells the hosts of an address apart. */
  readonly label: string
  /**
   * Candidates of a later round are tried only when each of an earlier one has failed; within a round they are tried side by
   * side. Absent: 0.
   */
  readonly round?: number
  /** Opens a connection outside any pool. Rejects with what `classify` reads, at the latest when `signal` aborts; then nothing stays open. */
  open(signal: AbortSignal): Promise<Connection>
  /** What one store is built from, for this candidate's own host. Opens nothing. `facts` are what `verify` found here. */
  engine(facts: Facts): Engine
}

/** One physical connection, opened by `Candidate.open`, in no pool. */
export interface Connection {
  /**
   * Resolves when the candidate can serve the wanted role (version, writable, whole, ours), else throws what `classify`
   * reads. Repeatable. A writer that is merely busy does not fail a proof.
   */
  verify(want: Want, signal: AbortSignal): Promise<Facts>
  /** What the server says of its place in a cluster. Repeatable, cheap, changes nothing. Absent: the driver knows no clusters. */
  standing?(signal: AbortSignal): Promise<Standing>
  /** Frees the caller now and closes by reset. Never throws. Safe to call twice. */
  evict(): void
  /** Ends gracefully. Never throws. Safe to call twice and after `evict`. */
  close(): Promise<void>
}

/** What one store is built from. Serves one ORM, made from `ormOptions`; the other members get that ORM, connected. */
export interface Engine {
  /**
   * Options for `new MikroORM`: the driver class with the safe connection, and every option that an environment variable
   * could fill. The caller adds `entities`. Connections limit each statement and leave the pool when a limit is exceeded.
   */
  readonly ormOptions: OrmOptions
  /** Compiled statements on the native client. Absent: the core goes through kysely, slower and equal. */
  statements?(orm: MikroORM): Statements
  /** Two processes never hold it at once; a dead holder frees it. */
  schemaLock?(orm: MikroORM): SchemaLock
  /** Null: the store stands next to no primary. */
  journal?(orm: MikroORM): Journal | null
  /** Null: the file has no journal. */
  journalView?(orm: MikroORM): JournalView | null
  /** Null: the store is not a local one. */
  localRows?(orm: MikroORM): LocalRows | null
  /** Null: the store stands next to no primary. */
  copy?(orm: MikroORM): Copy | null
  /** Null: nothing was ever copied into the file. */
  copyView?(orm: MikroORM): CopyView | null
  /** Null: the store is not a local one, or cannot be archived. */
  archive?(orm: MikroORM): ArchiveSource | null
  attempts?(orm: MikroORM): Attempts
  replay?(orm: MikroORM): Replay
  feed?(orm: MikroORM): Feed
  /**
   * At once: from now on every statement that would change something fails with kind `read-only`, also in open
   * transactions; reads go on. `false` undoes it. A commit in progress may finish. Repeatable.
   */
  setReadOnly?(orm: MikroORM, on: boolean): void
  /** Ends every connection of the ORM, gracefully within `withinMs`, then by reset. Resolves when none is left. Never throws. Safe to call twice, and for an ORM that never connected. */
  close(orm: MikroORM, withinMs: number): Promise<void>
}

/** The outcome of `inspect`. */
export interface Inspection {
  readonly problems: readonly Problem[]
  /** The file that would be used now; null for a server. */
  readonly path: string | null
}

/** Limits of one store; every driver enforces all of them. */
export interface Limits {
  /** One connection attempt. */
  readonly connectMs: number
  /** One statement, and one wait for a connection or for the writer; past it the caller is freed with a `lost` or `transient` fault. */
  readonly queryMs: number
  /** An idle write transaction. */
  readonly transactionMs: number
  readonly poolSize: number
  readonly poolMaxOverflow: number
  /** Called with each statement's text (never its values) when ECHO_SQL is on. */
  readonly echo?: (sql: string) => void
}

/** What `verify` must prove. */
export interface Want {
  readonly role: Role
  /**
   * `open`: it can serve (an empty database may be made ours). `write`: in addition a write of ours was committed just now.
   * `look`: as far as can be seen without changing anything; `Facts.insight` is given, and `ownTables` is `absent` without
   * a problem where our tables are merely not created yet. Never asked of an `embedded` driver.
   */
  readonly proof: 'look' | 'open' | 'write'
}

/** What `verify` found. */
export interface Facts {
  /** As the server or library reports it. */
  readonly version: string
  /** Absolute path of the file; null for a server. */
  readonly path: string | null
  /** True when the driver itself will remove the data at close (`:memory:`). */
  readonly ephemeral: boolean
  /** True when its disk has no room for a large row: it can be read. Left out: the driver cannot tell. */
  readonly full?: boolean
  /** True when connections go through a pooler that shares them between transactions. */
  readonly pooled: boolean
  /**
   * Of a primary: the tables that replay rests on (`holdfast_identity`, `holdfast_attempt`). `ours`: they exist and accept
   * our writes. `absent`: they do not exist and may not be created (SCHEMA_APPLY=none, a missing right). `newer`: a later
   * release created them, in a format that this one does not write. Unless `ours`, the fallback accepts no writes, because
   * nothing could carry them, and a problem says what to do. Left out: the driver keeps no such tables.
   */
  readonly ownTables?: 'ours' | 'absent' | 'newer'
  /** The id in `holdfast_identity`, which tells primaries apart; left out where `ownTables` is not `ours`. */
  readonly identity?: string
  /** Whether `holdfast_request` is there as `requestTable` describes it, and accepts writes. Left out: it is not. */
  readonly keepsRequests?: boolean
  /** Left out: the driver knows no clusters. */
  readonly standing?: Standing
  /**
   * For so long, in milliseconds, a write may stand still while the cluster finds out that another member is gone: nothing
   * is wrong with the server that was asked. Left out: 0.
   */
  readonly stallMs?: number
  /** For the proof `look` only, and where the driver knows it. */
  readonly insight?: Insight
  /** What an operator should know: a file set aside, another folder than the configured one, a slower mode. */
  readonly problems: readonly Problem[]
}

/** A connection and the rights of its user, as far as can be seen without changing anything. Null: unknown. */
export interface Insight {
  /** The protocol that encrypts the connection (`TLSv1.3`), `none`, or `local` where it never leaves the machine (a Unix socket). */
  readonly encryption: string | null
  /** Where tables would be created. */
  readonly schema: string | null
  readonly mayMakeTables: boolean | null
  /** Insert into Holdfast's own tables and delete from them; null also where they do not exist. */
  readonly mayWriteOwnTables: boolean | null
  /** True: it accepts no writes, as the address asks. */
  readonly isReadOnly: boolean
  /** One small statement, there and back, in milliseconds. */
  readonly roundTripMs: number
  /** What the server says of the cluster that it is a member of, by its own names. Left out or null: it says nothing. */
  readonly cluster?: Readonly<Record<string, string>> | null
}

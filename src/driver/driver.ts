/**
 * The contract of a driver: a plugin for one kind of database. With `errors.ts` this is all that a plugin may import.
 *
 * The core asks what a driver can do (is the facet there?), never what it is called.
 */

import type { SettingDeclarations } from '../config/driver-settings.ts'
import type { Problem } from '../config/problem.ts'
import type { Settings } from '../config/settings.ts'
import { driverDefects, InvalidDriver } from './defects.ts'
import type { Address, Parsed, Role, Target } from './kit/address/address.ts'
import type { Fault, Phase } from './kit/fault.ts'
import type { MikroORM, OrmOptions, SqlEntityManager } from './kit/orm.ts'

export type { SettingDeclaration, SettingDeclarations } from '../config/driver-settings.ts'
export { nearest } from '../config/nearest.ts'
export type { Origin, Problem, Severity } from '../config/problem.ts'
export { Secret } from '../config/secret.ts'
export type { FaultCondition, Settings } from '../config/settings.ts'
export type { Address, AddressRole, Parsed, PartsAddress, Role, Target, UrlAddress } from './kit/address/address.ts'
export { type AddressCode, addressProblems } from './kit/address/problems.ts'
export { type AddressSlip, findSlip } from './kit/address-slips.ts'
export { decodePart, type PartParameters, type Pieces, type Split, splitAddress } from './kit/address-split.ts'
export { type ClientPart, loadClient, missingClient } from './kit/client-part.ts'
export type { Fault, FaultKind, Phase } from './kit/fault.ts'
export { FaultError } from './kit/fault.ts'
export {
  formatHost,
  type Host,
  type HostDefect,
  type HostDefectCode,
  type HostsReading,
  readHosts,
} from './kit/hosts.ts'
export { type ConnectionHooks, createLeaseDriver, type LeaseDialect, type Portions } from './kit/lease.ts'
export type { EntityManager, MikroORM, Options, OrmOptions, SqlEntityManager } from './kit/orm.ts'
export { isolatedOrmOptions } from './kit/orm-options.ts'
export { readPem } from './kit/pem.ts'
export {
  ConnectionPool,
  type Evictable,
  type PooledClient,
  type PoolLimits,
  type PoolParts,
  poolClosedError,
} from './kit/pool.ts'
export { faultError, readError } from './kit/read-error.ts'
export { resetSocket } from './kit/socket.ts'
export { LateError, StatementTurns } from './kit/statement-turns.ts'
export {
  createStatementRunner,
  type FailedStatement,
  type StatementClient,
  type StatementDialect,
} from './kit/statements.ts'
export { TransactionScope } from './kit/transaction-scope.ts'

/** The contract generation that this release speaks. */
export const contractGeneration = 1

/** A plugin for one kind of database. Importing its module opens nothing and loads no client. */
export interface Driver<T extends Target = Target> {
  /** Contract generation. The registry takes the current one; any other is a problem, not a crash. */
  readonly contract: 1
  /** Folder, configuration value and test file carry this same word: lower case, digits, hyphens. Unique in a registry. */
  readonly name: string
  /** Lower case, without colon, aliases included (`postgres`, `postgresql`, `postgresql+psycopg2`). No two drivers share one. */
  readonly schemes: readonly string[]
  /** Schemes of others that it can serve when `DATABASE_DRIVER` names it. */
  readonly accepts?: readonly string[]
  /**
   * A word that no other driver in the registry may share: `sqlite` for whatever carries an SQLite, because two builds
   * of it on one file in one process damage the file (POSIX locks do not conflict within a process).
   */
  readonly exclusive?: string
  /** Settings of its own as plain data. Joined to the schema under `plugins.<name>` before it is resolved. */
  readonly settings?: SettingDeclarations
  /** Pure, total, never throws: a usable target, or problems naming part, reason and masked correction; both when repaired. */
  parse(address: Address, settings: Settings): Parsed<T>
  /** What can only be seen by looking: files named in the address. Makes and changes nothing. Called by `check` and before `connect`, never by `parse`. */
  inspect?(target: T): Promise<Inspection>
  /** A label for people and logs. Holds no secret; stable for the same target. */
  describe(target: T): string
  /**
   * Total: any thrown value becomes a fault; the same error gives the same fault. In phase `commit` it may be `ambiguous`.
   * A `FaultError` anywhere in the chain of causes keeps its fault, whatever phase is given: where the driver itself knew
   * the phase (nothing was sent yet, say), it has said so.
   */
  classify(error: unknown, phase: Phase): Fault
  /** Loads the client; nothing is open afterwards. Several hosts (or places) give several candidates in the order to try; each has every timeout set. Throws what `classify` reads. */
  connect(target: T, limits: Limits): Promise<readonly Candidate[]>
  /**
   * On a connection of `Candidate.open`, within `signal`: resolves when the candidate can serve the wanted role (version,
   * writable, whole, ours), else throws. Repeatable. Another writer that is merely busy is no failure of a proof.
   */
  verify(connection: Connection, want: Want, signal: AbortSignal): Promise<Facts>
  /** For a connection of `Candidate.open`: frees its caller now and closes it by reset. Never throws. Safe to call twice. */
  evict(connection: Connection): void

  /**
   * On a connected ORM, and at once: from now on each statement that would change something, whichever way it comes,
   * fails with kind `read-only`, and reads go on, in transactions too; `false` takes that back. What is being
   * committed may still end. Repeatable. Absent: it cannot, and the core keeps changes away as well as it can.
   */
  setReadOnly?(orm: MikroORM, on: boolean): void

  // Facets. Present: it can. Absent: it cannot, and the core says so instead of guessing.
  /** Lives in this process on files of this machine: may be the local store. */
  readonly embedded?: Embedded<T>
  /** Compiled statements on the native client. Absent: the core goes through kysely, slower and equal. */
  readonly statements?: Statements
  /** Two replicas never hold it at once; a dead holder frees it. Needs no session state (poolers). */
  readonly schemaLock?: SchemaLock
  // `attempts`, `journal`, `replay` and `feed` get their place here with the rooms that call them.
}

/** What looking found. */
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

/** One place to connect to. Creating it opens nothing. */
export interface Candidate {
  /** For people and logs; no secret. */
  readonly label: string
  /** A fresh connection outside any pool. Rejects with what `classify` reads, at the latest when `signal` aborts; then nothing stays open. */
  open(signal: AbortSignal): Promise<Connection>
  /**
   * What `new MikroORM` needs for this place: the driver class with the safe connection, every option given that an
   * environment variable could fill. The caller adds `entities` only. Its connections limit each statement and evict
   * themselves from the pool when a limit falls. `facts` are what `verify` found here.
   */
  orm(facts: Facts): OrmOptions
  /**
   * Ends every connection of an ORM made from this candidate, gracefully within `withinMs`, then by reset. Resolves
   * when none is left. Never throws. Safe to call twice.
   */
  close(orm: MikroORM, withinMs: number): Promise<void>
}

/** One physical connection, opened by `Candidate.open`, in no pool. */
export interface Connection {
  /** Graceful end. Never throws. Safe to call twice and after `evict`. */
  close(): Promise<void>
}

/** What `verify` is to prove. */
export interface Want {
  readonly role: Role
  /**
   * `open`: it can serve (an empty database may be made ours). `write`: in addition a write of ours was committed just now.
   * `look`: as far as that can be seen without making or changing anything; `Facts.insight` is told, and `ownTables` is
   * `absent` without a problem where our tables are only not made yet. Never asked of a driver that is `embedded`.
   */
  readonly proof: 'look' | 'open' | 'write'
}

/** What `verify` found. */
export interface Facts {
  /** The server's or library's version, as it says it. */
  readonly version: string
  /** Absolute path of the file; null for a server. */
  readonly path: string | null
  /** True when the driver itself will throw the data away at close (`:memory:`). */
  readonly ephemeral: boolean
  /** True when connections go through a pooler that shares them between transactions. */
  readonly pooled: boolean
  /**
   * Of a primary: whether the tables that replay rests on (`holdfast_identity`, `holdfast_attempt`) are there for us.
   * `ours`: there, and they take our writes. `absent`: they are not, and may not be made (SCHEMA_APPLY=none, a role
   * without the right). `newer`: a later release made them, in a format that this one does not write. `verify` resolves in
   * all three cases; but for `ours` the fallback takes no writes, because nothing could carry them, and a problem says what
   * to do. Not there: the driver keeps no such tables.
   */
  readonly ownTables?: 'ours' | 'absent' | 'newer'
  /** What a person who asks wants to know besides; for the proof `look` only, and where the driver can tell. */
  readonly insight?: Insight
  /** What an operator should know: a file set aside, another place than the configured one, a slower mode. */
  readonly problems: readonly Problem[]
}

/** A connection and the rights of its user, as far as can be seen without changing anything. Null: it cannot be told. */
export interface Insight {
  /** The protocol that encrypts the connection (`TLSv1.3`), `none`, or `local` where nobody can listen in (a Unix socket). */
  readonly encryption: string | null
  /** Where tables would be made. */
  readonly schema: string | null
  readonly mayMakeTables: boolean | null
  /** Insert into Holdfast's own tables and delete from them; null also where they are not there. */
  readonly mayWriteOwnTables: boolean | null
  /** True: it takes no writes, as the address wants it. */
  readonly isReadOnly: boolean
  /** One small statement, there and back, in milliseconds. */
  readonly roundTripMs: number
}

/** Facet: files of this machine. */
export interface Embedded<T extends Target = Target> {
  /** Absolute paths of the files that `connect` would try, in that order. Pure. */
  files(target: T): readonly string[]
}

/** A value that a statement takes; the runner converts it to what its native client can bind (SQLite knows no boolean, say). */
export type Value = string | number | bigint | boolean | null | Uint8Array | Date

/** A row by column name. */
export type Row = Readonly<Record<string, unknown>>

/** Facet: statements compiled once (by the store's kysely, in its own dialect) and run on the native client. */
export interface Statements {
  /** Binds to an ORM that is connected. Prepared statements are cached by text, bounded. */
  bind(orm: MikroORM): StatementRunner
}

/**
 * Runs native statements beside an open MikroORM. Inside an open EntityManager transaction (same async context) both join
 * it. Rejects with what `classify` reads; with a `FaultError` where only the driver knows the phase.
 */
export interface StatementRunner {
  /** A statement that changes nothing. Sees only what is committed, and the own transaction's changes inside one. */
  read(sql: string, values: readonly Value[]): Promise<readonly Row[]>
  /** One statement, atomic. Resolves when it is as durable as the store promises. `rows` are those of RETURNING. */
  write(sql: string, values: readonly Value[]): Promise<Written>
}

/** The outcome of one write. */
export interface Written {
  readonly rows: readonly Row[]
  /** Rows inserted, changed or deleted. */
  readonly changed: number
}

/** Facet: one schema change at a time. */
export interface SchemaLock {
  /**
   * Runs `change` in one transaction (where DDL allows it) while no other holder can; rejects with what `classify`
   * reads when the lock is not had within `signal`. Freed when `change` settles or its process dies.
   */
  hold<R>(orm: MikroORM, signal: AbortSignal, change: (em: SqlEntityManager) => Promise<R>): Promise<R>
}

/**
 * Checks shape and types at the edge; returns its argument.
 *
 * @throws TypeError naming every defect. The contract's generation is not checked here: the registry reports it.
 */
export function defineDriver<T extends Target>(driver: Driver<T>): Driver<T> {
  const defects = driverDefects(driver)
  if (defects.length > 0) throw new InvalidDriver(defects)
  return driver
}

import type { Secret } from '../../config/secret.ts'
import type { Demand, Store } from '../../database/store/store.ts'
import { strongest } from '../../database/work/durability.ts'
import type { RunWork, Session, WorkOptions } from '../../database/work/session.ts'
import type { Journal } from '../../driver/facet/journal.ts'
import { HoldfastError } from '../../errors.ts'
import type { Granted } from '../access/granted.ts'
import { type Collection, indexesOf, type Operation } from '../declaration/declaration.ts'
import { indexNames } from '../declaration/names.ts'
import { type AnswerAge, CopiedRows, type CopyParts } from './copied-rows.ts'
import { FailedStatements, type FailureParts } from './failed-statements.ts'
import { RowTable, type TableView } from './row-table.ts'

/** What reads and writes of collections work with. */
export interface RowsDeps extends CopyParts, FailureParts {
  readonly run: RunWork
  /** The journal of the fallback next to the primary that serves, while anything in it waits to be carried; else null. */
  readonly unreplayed?: () => Journal | null
  /** The most memory in which one collection keeps what was read of it, for as long as it stays the same; absent: none. */
  readonly keptBytes?: number
  /** What cursors are sealed with; absent: with something of this process alone. */
  readonly cursorSecret?: () => Secret
}

/** Who sent a request for rows, and what its answer must fulfil. */
export interface RowRequest {
  /** Absent: everything is allowed and visible, as to the admin. */
  readonly granted?: Granted
  /** The minimum durability that the client accepts; the declaration may demand more. */
  readonly demand?: Demand | undefined
  readonly age?: AnswerAge
}

/** The columns of a table that differ from what the declaration says; undefined: not known, so none. */
export interface ColumnFacts {
  /** They sort text otherwise than by its bytes. */
  readonly otherOrder: ReadonlySet<string> | undefined
  /** They may have no value. */
  readonly nullable: ReadonlySet<string> | undefined
}

/** One collection in whichever store serves: what all operations on its rows share. */
export class TableAccess {
  readonly collection: Collection
  readonly deps: RowsDeps
  readonly copies: CopiedRows
  readonly #names: Required<Pick<WorkOptions, 'keys' | 'unnamed'>>
  readonly #stores = new WeakMap<Store, RowTable>()
  readonly #failures: FailedStatements

  constructor(collection: Collection, deps: RowsDeps) {
    this.collection = collection
    this.deps = deps
    this.copies = new CopiedRows(collection, deps)
    this.#failures = new FailedStatements(collection.name, deps)
    const names = indexNames(collection)
    this.#names = {
      keys: new Map(indexesOf(collection).map(({ fields }, at) => [names[at] ?? '', fields])),
      unnamed: new Set(
        Object.entries(collection.fields).flatMap(([name, one]) => (one.private === true ? [name] : [])),
      ),
    }
  }

  /** The table in the store of this session. Throws COLLECTION_UNAVAILABLE where it cannot serve the operation. */
  table({ store }: Pick<Session, 'store'>, operation: Operation): RowTable {
    this.deps.tables.check(store, this.collection.name, operation)
    const known = this.#stores.get(store)
    if (known !== undefined) return known
    const made = new RowTable(store, this.collection, this.deps.now, this.deps.keptBytes)
    this.#stores.set(store, made)
    return made
  }

  /** Whether other rows may exist that this store does not have. */
  isPartial(session: Session, view: TableView): boolean {
    return session.shown === 'fallback'
      ? view.whole === null
      : this.#unreplayed(session)?.mayWait(this.collection.name) === true
  }

  /** The primary has an older version of a row while its change waits to be carried. Throws REPLAYING. */
  refuseUnreplayed(session: Session, id: string): void {
    if (this.#unreplayed(session)?.history(this.collection.name, id).isWaiting !== true) return
    throw new HoldfastError('REPLAYING', { retryAfterS: 1 })
  }

  /** Whether the table may store something else than what is written. */
  mayRewrite({ store }: Session): boolean {
    return this.deps.tables.of(store)?.rewriting.has(this.collection.name) ?? false
  }

  /** What is known of the table's columns. */
  columnFacts({ store }: Session): ColumnFacts {
    const report = this.deps.tables.of(store)
    return {
      otherOrder: report?.otherOrder?.get(this.collection.name),
      nullable: report?.nullable?.get(this.collection.name),
    }
  }

  /** How a unit of work that writes is run. */
  writeOptions(attempt: string, wanted: Demand | undefined): WorkOptions {
    const demand = strongest(wanted, this.collection.durability)
    const options = { kind: 'write', rerun: 'always', attempt, claims: true, ...this.#names } as const
    return demand === undefined ? options : { ...options, demand }
  }

  /**
   * The error to answer with when an operation failed: COLLECTION_UNAVAILABLE if the table turns out to be missing, changed
   * or closed to this service, else the same error. Never rejects.
   */
  explained(error: unknown, operation: Operation): Promise<unknown> {
    return this.#failures.explained(error, operation)
  }

  #unreplayed({ shown }: Session): Journal | null {
    return shown === 'primary' ? (this.deps.unreplayed?.() ?? null) : null
  }
}

/** How a unit of work that reads is run. */
export const readingWork: WorkOptions = { kind: 'read', rerun: 'always' }

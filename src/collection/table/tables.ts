import type { Problem } from '../../config/problem.ts'
import type { Store } from '../../database/store/store.ts'
import { recheckMs } from '../../database/supervisor/recheck.ts'
import { HoldfastError } from '../../errors.ts'
import { type Collection, type Operation, operations } from '../declaration/declaration.ts'
import { applyKeys, applyPlan, lacksKeys, lookForKeys } from './plan/apply.ts'
import { planTables, type TablePlan } from './plan/table-plan.ts'
import {
  deniedTableProblem,
  keyProblem,
  missingTableProblem,
  orderProblem,
  replacedProblem,
  unfitTableProblem,
} from './plan/table-problems.ts'
import { findDenied } from './rights.ts'

/** The state of the tables in one store. */
export interface TableReport {
  /** Statements that were executed. */
  readonly applied: readonly string[]
  /** Statements that are still needed but may not be executed. */
  readonly missing: readonly string[]
  readonly problems: readonly Problem[]
  /** The collections that cannot be served from this store, or not wholly. */
  readonly unusable: ReadonlyMap<string, UnusableTable>
  /** The collections whose tables may store something else than what is written: they are read back after each write. */
  readonly rewriting: ReadonlySet<string>
  /** By collection, the text columns that sort otherwise than by their bytes. */
  readonly otherOrder: ReadonlyMap<string, ReadonlySet<string>>
  /** By collection, the columns that may have no value. */
  readonly nullable: ReadonlyMap<string, ReadonlySet<string>>
  /** By name, the keys that rows stand against, and why. */
  readonly blockedKeys: ReadonlyMap<string, string>
}

/** Why, in one sentence, and for which operations a collection cannot be served. */
export interface UnusableTable {
  readonly why: string
  readonly operations: readonly Operation[]
  readonly code: 'COLLECTION_UNAVAILABLE' | 'PLAN_NEEDED'
}

/** What is known of a store's tables before they are checked again. */
export interface KnownTables {
  /** Not made again: an empty table would deny the rows of one that was renamed. */
  readonly fitted: ReadonlySet<string>
  /** A statement failed on these: each operation is tried, without changing anything. */
  readonly suspects: ReadonlySet<string>
  /** Not looked for again: whoever changes the rows adds the key, too. Looking reads the whole table. */
  readonly blockedKeys: ReadonlyMap<string, string>
}

const nothingKnown: KnownTables = { fitted: new Set(), suspects: new Set(), blockedKeys: new Map() }

/** What `ensureTables` may change: `additive` adds what is missing, `none` only reports it. */
export type SchemaApply = 'additive' | 'none'

/**
 * Adds the missing tables, columns and indexes of the collections; alters and drops nothing. Safe while other processes do
 * the same. Rejects only with database errors; a table that does not match is a problem and makes its collection
 * unusable.
 */
export async function ensureTables(
  store: Store,
  collections: readonly Collection[],
  apply: SchemaApply,
  signal: AbortSignal,
  known: KnownTables = nothingKnown,
): Promise<TableReport> {
  const applied: string[] = []
  const settled: TablePlan[] = []
  for (const plan of collections.length === 0 ? [] : await planTables(store, collections)) {
    const { collection, defect, statements } = plan
    const isNeeded = defect === null && statements.length > 0
    const isGone = isNeeded && known.fitted.has(collection.name)
    const isAdded = isNeeded && apply === 'additive' && !isGone
    const now = isAdded ? await applyPlan(store, collection, signal, applied) : { ...plan, isGone }
    const isWhole = now.defect === null && now.statements.length === 0
    const denied = isWhole && known.suspects.has(collection.name) ? await findDenied(store, collection) : null
    settled.push({ ...now, denied })
  }
  // A reference needs the table of the other collection.
  for (const [at, plan] of settled.entries()) {
    if (!lacksKeys(store, plan)) continue
    const isAdded = apply === 'additive' && !known.fitted.has(plan.collection.name)
    const openKeys = isAdded
      ? await applyKeys(store, plan.collection, signal, known.blockedKeys, applied)
      : await lookForKeys(store, plan.keys ?? [], known.blockedKeys)
    settled[at] = { ...plan, openKeys }
  }
  return reportOf(store, settled, applied)
}

/**
 * What `ensureTables` would report of a store that was not prepared; changes nothing. `mayCreate`: whether the role may create
 * tables; null when that is not known. Rejects like `ensureTables`.
 */
export async function inspectTables(
  store: Store,
  collections: readonly Collection[],
  apply: SchemaApply,
  mayCreate: boolean | null,
): Promise<TableReport> {
  const settled: TablePlan[] = []
  for (const plan of collections.length === 0 ? [] : await planTables(store, collections)) {
    const isNeeded = plan.defect === null && plan.statements.length > 0
    const refusal = mayCreate === false ? { refused: 'the role may not create tables there' } : null
    if (!isNeeded) {
      settled.push({ ...plan, denied: plan.defect === null ? await findDenied(store, plan.collection) : null })
    } else if (apply === 'none') settled.push(plan)
    else settled.push(plan.isAbsent && refusal !== null ? { ...plan, ...refusal } : { ...plan, statements: [] })
  }
  for (const [at, plan] of settled.entries()) {
    if (!lacksKeys(store, plan)) continue
    const open = await lookForKeys(store, plan.keys ?? [], nothingKnown.blockedKeys)
    settled[at] = { ...plan, openKeys: apply === 'none' ? open : open.filter(({ areRows }) => areRows) }
  }
  return reportOf(store, settled, [])
}

function reportOf(store: Store, settled: readonly TablePlan[], applied: readonly string[]): TableReport {
  const unusable = new Map<string, UnusableTable>()
  const problems: Problem[] = []
  for (const plan of settled) {
    const { collection, defect, statements, isAbsent, denied, openKeys = [] } = plan
    if (defect !== null) {
      const why = 'Its table does not match its declaration.'
      unusable.set(collection.name, { why, operations, code: 'COLLECTION_UNAVAILABLE' })
      problems.push(unfitTableProblem(store, collection, defect.column, defect.message))
    } else if (statements.length > 0) {
      const why = isAbsent
        ? 'Its table does not exist and may not be created.'
        : 'Its table lacks columns or indexes and may not be changed.'
      unusable.set(collection.name, { why, operations, code: 'COLLECTION_UNAVAILABLE' })
      problems.push(missingTableProblem(store, plan))
    } else if (denied) {
      const why = 'The database refuses this operation.'
      unusable.set(collection.name, { why, operations: denied.operations, code: 'COLLECTION_UNAVAILABLE' })
      problems.push(deniedTableProblem(store, collection, denied))
    } else if (openKeys.length > 0) {
      const why = 'A unique key or a reference of its declaration is not in its table.'
      unusable.set(collection.name, { why, operations: writing, code: 'PLAN_NEEDED' })
      problems.push(...openKeys.map((key) => keyProblem(store, collection, key)))
    }
    if (plan.otherOrder !== undefined && plan.otherOrder.columns.length > 0) problems.push(orderProblem(store, plan))
    for (const index of plan.superseded ?? []) problems.push(replacedProblem(store, collection, index))
  }
  return {
    applied,
    missing: settled.flatMap(({ statements, openKeys = [] }) => [
      ...statements,
      ...openKeys.flatMap((key) => key.statements),
    ]),
    problems,
    unusable,
    rewriting: new Set(settled.filter(({ mayRewrite }) => mayRewrite).map(({ collection }) => collection.name)),
    nullable: new Map(
      settled.flatMap(({ collection, nullable }) =>
        nullable === undefined ? [] : [[collection.name, new Set(nullable)]],
      ),
    ),
    otherOrder: new Map(settled.map(({ collection, otherOrder }) => [collection.name, new Set(otherOrder?.columns)])),
    blockedKeys: new Map(
      settled.flatMap(({ openKeys = [] }) =>
        openKeys.filter(({ areRows }) => areRows).map(({ name, why }) => [name, why]),
      ),
    ),
  }
}

/** The operations that a collection without one of its keys refuses: a key that is not kept would be a lie. */
const writing: readonly Operation[] = ['create', 'update', 'delete']

/** The table reports of all prepared stores. */
export class TableReports {
  readonly #reports = new WeakMap<Store, TableReport>()
  readonly #fitted = new WeakMap<Store, ReadonlySet<string>>()
  readonly #suspects = new WeakMap<Store, ReadonlySet<string>>()

  /** Records the result of `ensureTables`. */
  set(store: Store, report: TableReport): void {
    this.#reports.set(store, report)
    this.#suspects.delete(store)
  }

  /** The report of a store; undefined before it is prepared. */
  of(store: Store): TableReport | undefined {
    return this.#reports.get(store)
  }

  /** What the next `ensureTables` of these collections must know. */
  known(store: Store, collections: readonly Collection[]): KnownTables {
    const report = this.#reports.get(store)
    if (report === undefined) return nothingKnown
    const { unusable, blockedKeys } = report
    const whole = collections.map(({ name }) => name).filter((name) => !unusable.has(name))
    const fitted = new Set([...(this.#fitted.get(store) ?? []), ...whole])
    this.#fitted.set(store, fitted)
    return { fitted, suspects: new Set([...unusable.keys(), ...(this.#suspects.get(store) ?? [])]), blockedKeys }
  }

  /** Must be called when a statement failed on the table of a collection; the next `ensureTables` looks closer. */
  suspect(store: Store, collection: string): void {
    this.#suspects.set(store, new Set([...(this.#suspects.get(store) ?? []), collection]))
  }

  /** Throws COLLECTION_UNAVAILABLE or PLAN_NEEDED if the operation cannot be served from this store. */
  check(store: Store, collection: string, operation: Operation): void {
    const found = this.#reports.get(store)?.unusable.get(collection)
    if (found === undefined || !found.operations.includes(operation)) return
    throw new HoldfastError(found.code, { detail: found.why, retryAfterS: recheckMs / 1000 })
  }
}

import { createProblem, type Problem } from '../../config/problem.ts'
import type { Store } from '../../database/store/store.ts'
import { recheckMs } from '../../database/supervisor/recheck.ts'
import type { SqlEntityManager } from '../../driver/orm.ts'
import { HoldfastError } from '../../errors.ts'
import { type Collection, type Operation, operations } from '../declaration/declaration.ts'
import { pointerInto } from '../declaration/source.ts'
import type { RowEntity } from './entity.ts'
import { type DeniedOperations, findDenied } from './rights.ts'
import { planTables, type TablePlan } from './table-plan.ts'

/** Problems with the tables of collections, by code. */
export const tableProblems: Readonly<Record<string, string>> = {
  TABLE_UNFIT: 'A table does not match the declaration of its collection. Its requests get 503.',
  TABLE_ORDER_DIFFERENT:
    'The text columns of a table that Holdfast did not create sort by the rules of a language, not by bytes. The collection is served.',
  TABLE_MISSING:
    'A table, column or index is missing and may not be added (SCHEMA_APPLY=none, the role has no right to, or it was there before). Requests to the collection get 503; the problem has the SQL.',
  TABLE_DENIED: 'The database refuses an operation on a table. Requests for that operation get 503.',
}

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
}

/** Why, in one sentence, and for which operations a collection cannot be served. */
export interface UnusableTable {
  readonly why: string
  readonly operations: readonly Operation[]
}

/** What is known of a store's tables before they are checked again. */
export interface KnownTables {
  /** Not made again: an empty table would deny the rows of one that was renamed. */
  readonly fitted: ReadonlySet<string>
  /** A statement failed on these: each operation is tried, without changing anything. */
  readonly suspects: ReadonlySet<string>
}

const nothingKnown: KnownTables = { fitted: new Set(), suspects: new Set() }

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
  return reportOf(store, settled, [])
}

/** Plans again under the lock, since another process may have been first. One transaction per collection: a failure affects no other. */
async function applyPlan(
  store: Store,
  collection: Collection,
  signal: AbortSignal,
  applied: string[],
): Promise<TablePlan> {
  const change = async (em: SqlEntityManager): Promise<TablePlan> => {
    const context = em.getTransactionContext()
    const [plan] = await planTables(store, [collection], context)
    if (plan === undefined || plan.defect !== null) return plan ?? nothingPlanned(collection)
    for (const sql of plan.statements) await em.getConnection().execute(sql, [], 'run', context)
    return plan
  }
  const lock = store.schemaLock
  try {
    const plan = await (lock === null
      ? store.orm.em.fork().transactional((em) => change(em as SqlEntityManager))
      : lock.hold(signal, change))
    if (plan.defect !== null) return plan
    applied.push(...plan.statements)
    return { ...plan, statements: [] }
  } catch (error) {
    const { kind, summary } = store.driver.classify(error, 'statement')
    if (kind !== 'constraint' && kind !== 'statement') throw error
    // Without a lock, another process may have added it after the plan was made.
    const [now] = await planTables(store, [collection])
    if (now !== undefined && now.defect === null && now.statements.length === 0) return now
    if (now !== undefined && now.defect === null) return { ...now, refused: summary }
    const why = `The database rejected the change: ${summary}`
    return { collection, statements: [], defect: { column: null, message: why } }
  }
}

function nothingPlanned(collection: Collection): TablePlan {
  return { collection, statements: [], defect: null }
}

function reportOf(store: Store, settled: readonly TablePlan[], applied: readonly string[]): TableReport {
  const unusable = new Map<string, UnusableTable>()
  const problems: Problem[] = []
  for (const plan of settled) {
    const { collection, defect, statements, isAbsent, denied } = plan
    if (defect !== null) {
      unusable.set(collection.name, { why: 'Its table does not match its declaration.', operations })
      problems.push(unfitProblem(store, collection, defect.column, defect.message))
    } else if (statements.length > 0) {
      const why = isAbsent
        ? 'Its table does not exist and may not be created.'
        : 'Its table lacks columns or indexes and may not be changed.'
      unusable.set(collection.name, { why, operations })
      problems.push(missingProblem(store, plan))
    } else if (denied) {
      unusable.set(collection.name, { why: 'The database refuses this operation.', operations: denied.operations })
      problems.push(deniedProblem(store, collection, denied))
    }
    if (plan.otherOrder !== undefined && plan.otherOrder.length > 0) problems.push(orderProblem(store, plan))
  }
  const rewriting = new Set(settled.filter(({ mayRewrite }) => mayRewrite).map(({ collection }) => collection.name))
  return { applied, missing: settled.flatMap(({ statements }) => statements), problems, unusable, rewriting }
}

function unfitProblem(store: Store, collection: Collection, column: string | null, message: string): Problem {
  const isField = column !== null && Object.hasOwn(collection.fields, column)
  return createProblem('TABLE_UNFIT', 'error', pointerInto(collection, isField ? `/fields/${column}` : ''), {
    part: column,
    message: `Table "${collection.name}" in ${store.label} does not match its collection. ${message}`,
    suggestion: 'Change the declaration to match the table, rename the collection, or migrate the table.',
  })
}

function orderProblem({ label, orm, driver }: Store, { collection, otherOrder = [] }: TablePlan): Problem {
  const quote = (word: string): string => orm.em.getPlatform().quoteIdentifier(word)
  const table = orm.em.getMetadata().getByClassName<RowEntity>(collection.name)
  const types = new Map(Object.values(table.properties).map(({ name, columnTypes }) => [name, columnTypes[0]]))
  const changes = otherOrder.map(
    (name) => `alter column ${quote(name)} type ${types.get(name)} collate ${quote(driver.textCollation ?? '')}`,
  )
  const [columns, verb] = [otherOrder.map((name) => `"${name}"`).join(', '), otherOrder.length > 1 ? 'sort' : 'sorts']
  return createProblem('TABLE_ORDER_DIFFERENT', 'warning', pointerInto(collection), {
    message: `Table "${collection.name}" in ${label}: ${columns} ${verb} text by the rules of a language; other databases, and tables that Holdfast creates, by bytes.`,
    suggestion: `To have the same order everywhere, run: alter table ${quote(collection.name)} ${changes.join(', ')}`,
  })
}

/** `refused`: the reason of the database; undefined if nothing was tried. */
function missingProblem(store: Store, { collection, statements, refused, isAbsent, isGone }: TablePlan): Problem {
  const lack = isAbsent ? 'does not exist' : 'lacks columns or indexes'
  const why = isGone
    ? 'it was whole before: Holdfast adds nothing to it until it is restarted, because the rows may be under another name'
    : refused === undefined
      ? 'SCHEMA_APPLY=none allows no changes'
      : `the database does not allow Holdfast to ${isAbsent ? 'create' : 'change'} it: ${refused}`
  const grants = grantsFor(store, collection)
  return createProblem('TABLE_MISSING', 'error', pointerInto(collection), {
    message: `Table "${collection.name}" in ${store.label} ${lack}, and ${sentence(why)}`,
    suggestion: `As the owner of the database, run: ${[...statements, ...grants].join('; ')}`,
  })
}

function deniedProblem(store: Store, collection: Collection, { rights, refused }: DeniedOperations): Problem {
  const grants = grantsFor(store, collection, rights)
  return createProblem('TABLE_DENIED', 'error', pointerInto(collection), {
    message: `The database refuses to ${rights.join(', ')} rows of table "${collection.name}" in ${store.label}: ${sentence(refused)}`,
    suggestion: grants.length === 0 ? 'Check the table.' : `As the owner of the database, run: ${grants.join('; ')}`,
  })
}

/** The rights that the role of this service needs on a table that another role creates; none without roles. */
function grantsFor(
  { target, orm }: Store,
  { name }: Collection,
  rights: readonly string[] = ['select', 'insert', 'update', 'delete'],
): readonly string[] {
  if (target.user === null) return []
  const quote = (word: string): string => orm.em.getPlatform().quoteIdentifier(word)
  return [`grant ${rights.join(', ')} on ${quote(name)} to ${quote(target.user)}`]
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}

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
    const { unusable } = report
    const whole = collections.map(({ name }) => name).filter((name) => !unusable.has(name))
    const fitted = new Set([...(this.#fitted.get(store) ?? []), ...whole])
    this.#fitted.set(store, fitted)
    return { fitted, suspects: new Set([...unusable.keys(), ...(this.#suspects.get(store) ?? [])]) }
  }

  /** Must be called when a statement failed on the table of a collection; the next `ensureTables` looks closer. */
  suspect(store: Store, collection: string): void {
    this.#suspects.set(store, new Set([...(this.#suspects.get(store) ?? []), collection]))
  }

  /** Throws COLLECTION_UNAVAILABLE if the operation cannot be served from this store. */
  check(store: Store, collection: string, operation: Operation): void {
    const found = this.#reports.get(store)?.unusable.get(collection)
    if (found === undefined || !found.operations.includes(operation)) return
    throw new HoldfastError('COLLECTION_UNAVAILABLE', { detail: found.why, retryAfterS: recheckMs / 1000 })
  }
}

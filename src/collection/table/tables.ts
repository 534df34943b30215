import type { Problem } from '../../config/problem.ts'
import type { Store } from '../../database/store/store.ts'
import { recheckMs } from '../../database/supervisor/recheck.ts'
import type { SqlEntityManager } from '../../driver/orm.ts'
import { HoldfastError } from '../../errors.ts'
import type { CollectionProblemCode } from '../declaration/codes.ts'
import type { Collection } from '../declaration/declaration.ts'
import { placeOf } from '../declaration/place.ts'
import { planTables, type TablePlan } from './table-plan.ts'

/** What became of the tables of one store. */
export interface TableReport {
  /** Statements that were executed. */
  readonly applied: readonly string[]
  /** Statements that are missing, where nothing may be changed. */
  readonly missing: readonly string[]
  readonly problems: readonly Problem[]
  /** The collections that cannot be served from this store, each with one sentence that says why. */
  readonly unusable: ReadonlyMap<string, string>
}

/** How far `ensureTables` may go: `additive` makes what is missing, `none` changes nothing and says what is. */
export type SchemaApply = 'additive' | 'none'

/**
 * Makes the tables, columns and indexes of the collections that are missing; alters and drops nothing. Safe beside other
 * processes that do the same. Rejects only with what the database itself fails with; a table that does not fit is a
 * problem and makes its collection unusable.
 */
export async function ensureTables(
  store: Store,
  collections: readonly Collection[],
  apply: SchemaApply,
  signal: AbortSignal,
): Promise<TableReport> {
  if (collections.length === 0) return { applied: [], missing: [], problems: [], unusable: new Map() }
  const applied: string[] = []
  const settled: TablePlan[] = []
  for (const plan of await planTables(store.orm, collections)) {
    const isNeeded = apply === 'additive' && plan.defect === null && plan.statements.length > 0
    settled.push(isNeeded ? await applyPlan(store, plan.collection, signal, applied) : plan)
  }
  return reportOf(store, settled, applied)
}

/** Plans again under the lock: another process may have been first. Each collection in a transaction of its own, so that one that fails leaves the others. */
async function applyPlan(
  store: Store,
  collection: Collection,
  signal: AbortSignal,
  applied: string[],
): Promise<TablePlan> {
  const change = async (em: SqlEntityManager): Promise<TablePlan> => {
    const context = em.getTransactionContext()
    const [plan] = await planTables(store.orm, [collection], context)
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
    // Without a lock another process may have made it between our look and our statement.
    const [now] = await planTables(store.orm, [collection])
    if (now !== undefined && now.defect === null && now.statements.length === 0) return now
    if (now !== undefined && now.defect === null) return { ...now, refused: summary }
    const why = `The database refused to make it: ${summary}`
    return { collection, statements: [], defect: { column: null, message: why } }
  }
}

function nothingPlanned(collection: Collection): TablePlan {
  return { collection, statements: [], defect: null }
}

function reportOf(store: Store, settled: readonly TablePlan[], applied: readonly string[]): TableReport {
  const unusable = new Map<string, string>()
  const problems: Problem[] = []
  for (const plan of settled) {
    const { collection, defect, statements, isAbsent } = plan
    if (defect !== null) {
      unusable.set(collection.name, 'Its table does not fit its declaration.')
      problems.push(unfitProblem(store, collection, defect.column, defect.message))
    } else if (statements.length > 0) {
      const lack = isAbsent
        ? 'Its table is not there, and may not be made.'
        : 'Its table lacks columns or indexes, and may not be changed.'
      unusable.set(collection.name, lack)
      problems.push(missingProblem(store, plan))
    }
  }
  return { applied, missing: settled.flatMap(({ statements }) => statements), problems, unusable }
}

function unfitProblem(store: Store, collection: Collection, column: string | null, message: string): Problem {
  const isField = column !== null && Object.hasOwn(collection.fields, column)
  return {
    code: 'TABLE_UNFIT' satisfies CollectionProblemCode,
    severity: 'error',
    setting: placeOf(collection, isField ? `/fields/${column}` : ''),
    origin: null,
    part: column,
    message: `The table "${collection.name}" in ${store.label} does not fit its collection. ${message}`,
    suggestion: 'Change the declaration to what the table is, rename the collection, or migrate the table.',
  }
}

/** `refused`: what the database said when it was tried; undefined where nothing may be tried. */
function missingProblem(store: Store, { collection, statements, refused, isAbsent }: TablePlan): Problem {
  const why =
    refused === undefined
      ? 'SCHEMA_APPLY=none changes nothing'
      : `the database refuses to ${isAbsent ? 'make' : 'add'} it: ${refused}`
  const lack = isAbsent ? 'is not there' : 'lacks something'
  const grants = grantsFor(store, collection)
  return {
    code: 'TABLE_MISSING' satisfies CollectionProblemCode,
    severity: 'error',
    setting: placeOf(collection),
    origin: null,
    part: null,
    message: `The table "${collection.name}" in ${store.label} ${lack}, and ${sentence(why)}`,
    suggestion: `As the owner of the database run: ${[...statements, ...grants].join('; ')}`,
  }
}

/** What another role that makes the table has to give to ours; nothing where there are no roles. */
function grantsFor({ target, orm }: Store, { name }: Collection): readonly string[] {
  if (target.user === null) return []
  const quote = (word: string): string => orm.em.getPlatform().quoteIdentifier(word)
  return [`grant select, insert, update, delete on ${quote(name)} to ${quote(target.user)}`]
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}

/** What is known of the tables of each store that was prepared. */
export class Tables {
  readonly #reports = new WeakMap<Store, TableReport>()

  /** Keeps what `ensureTables` found. */
  set(store: Store, report: TableReport): void {
    this.#reports.set(store, report)
  }

  /** The report of a store; undefined before it was prepared. */
  of(store: Store): TableReport | undefined {
    return this.#reports.get(store)
  }

  /** Throws COLLECTION_UNAVAILABLE when the collection cannot be served from this store. */
  check(store: Store, collection: string): void {
    const why = this.#reports.get(store)?.unusable.get(collection)
    if (why === undefined) return
    throw new HoldfastError('COLLECTION_UNAVAILABLE', { detail: why, retryAfterS: recheckMs / 1000 })
  }
}

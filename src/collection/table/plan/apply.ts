import type { Transaction } from '@mikro-orm/core'
import type { Store } from '../../../database/store/store.ts'
import type { SqlEntityManager } from '../../../driver/orm.ts'
import type { Collection } from '../../declaration/declaration.ts'
import { referencesOf } from '../../declaration/references.ts'
import { isHeldByDatabase, type MissingKey, type OpenKey } from './keys.ts'
import { planTables, type TablePlan } from './table-plan.ts'

/** Plans again under the lock, since another process may have been first. One transaction per collection: a failure affects no other. */
export async function applyPlan(
  store: Store,
  collection: Collection,
  signal: AbortSignal,
  applied: string[],
): Promise<TablePlan> {
  try {
    const plan = await underLock(store, signal, async (em, context): Promise<TablePlan> => {
      const [found] = await planTables(store, [collection], context)
      if (found === undefined || found.defect !== null) return found ?? nothingPlanned(collection)
      for (const sql of found.statements) await em.getConnection().execute(sql, [], 'run', context)
      return found
    })
    if (plan.defect !== null) return plan
    applied.push(...plan.statements)
    return { ...plan, statements: [] }
  } catch (error) {
    const summary = refusalOf(store, error)
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

/** Whether a table may lack keys that `applyKeys` adds: a new one has no reference yet. */
export function lacksKeys(store: Store, { collection, defect, statements, isAbsent, keys = [] }: TablePlan): boolean {
  if (defect !== null || statements.length > 0) return false
  return keys.length > 0 || (isAbsent === true && isHeldByDatabase(store) && referencesOf(collection).size > 0)
}

/** Adds the keys that no row stands against; the others remain. `blocked`: those that are known to be, by name. */
export async function applyKeys(
  store: Store,
  collection: Collection,
  signal: AbortSignal,
  blocked: ReadonlyMap<string, string>,
  applied: string[],
): Promise<readonly OpenKey[]> {
  try {
    const { open, added } = await underLock(store, signal, async (em, context) => {
      const [plan] = await planTables(store, [collection], context)
      const left: OpenKey[] = []
      const done: string[] = []
      for (const { name, statements, look } of plan?.keys ?? []) {
        const why = blocked.get(name) ?? (await look(context))
        if (why !== null) left.push({ name, statements, why, areRows: true })
        else for (const sql of statements) await em.getConnection().execute(sql, [], 'run', context)
        if (why === null) done.push(...statements)
      }
      return { open: left, added: done }
    })
    applied.push(...added)
    return open
  } catch (error) {
    const why = `the database rejected the change: ${refusalOf(store, error)}`
    const [plan] = await planTables(store, [collection])
    return (plan?.keys ?? []).map(({ name, statements }) => ({ name, statements, why, areRows: false }))
  }
}

/** Why keys that may not be added are needed: rows stand against them, or nobody has added them. */
export async function lookForKeys(
  store: Store,
  keys: readonly MissingKey[],
  blocked: ReadonlyMap<string, string>,
): Promise<readonly OpenKey[]> {
  const open: OpenKey[] = []
  for (const { name, statements, look } of keys) {
    const rows = blocked.get(name) ?? (await look(undefined).catch((error: unknown) => refusalOf(store, error)))
    const why = rows ?? 'the table lacks it, and Holdfast may not add it'
    open.push({ name, statements, why, areRows: rows !== null })
  }
  return open
}

/** Runs a change of the schema as one transaction, which no other process runs at the same time. */
async function underLock<R>(
  { orm, schemaLock }: Store,
  signal: AbortSignal,
  change: (em: SqlEntityManager, context: Transaction | undefined) => Promise<R>,
): Promise<R> {
  const run = (em: SqlEntityManager): Promise<R> => change(em, em.getTransactionContext())
  if (schemaLock !== null) return await schemaLock.hold(signal, run)
  return await orm.em.fork().transactional((em) => run(em as SqlEntityManager)) // As the fork is one.
}

/** Why the database refused a statement; throws what is not a refusal. */
function refusalOf({ driver }: Store, error: unknown): string {
  const { kind, summary } = driver.classify(error, 'statement')
  if (kind !== 'constraint' && kind !== 'statement') throw error
  return summary
}

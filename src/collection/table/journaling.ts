import type { Store } from '../../database/store/store.ts'
import type { Journal } from '../../driver/facet/journal.ts'
import type { SqlEntityManager } from '../../driver/orm.ts'
import type { Collection } from '../declaration/declaration.ts'
import { imageTableOf } from './image-table.ts'

/** Runs what the journal's triggers on a table need, in the transaction of a schema change. Resolves with the statements. */
export async function journalTable(
  journal: Journal | null,
  collection: Collection,
  em: SqlEntityManager,
): Promise<readonly string[]> {
  if (journal === null) return []
  const [connection, context] = [em.getConnection(), em.getTransactionContext()]
  const changes = await journal.triggerChanges(imageTableOf(collection), async (sql, values) =>
    connection.execute(sql, [...values], 'all', context),
  )
  for (const sql of changes) await connection.execute(sql, [], 'run', context)
  return changes
}

/**
 * Compares the journal's triggers on a table that needs no other change with what they must be, and replaces stale ones: they
 * would leave out a column without a word. Resolves with why that failed, in one sentence; null: they are right. Rejects with
 * what says something about the database.
 */
export async function ensureJournaled(
  { journal, statements, schemaLock, orm, driver }: Store,
  collection: Collection,
  signal: AbortSignal,
): Promise<string | null> {
  if (journal === null) return null
  const changes = await journal.triggerChanges(imageTableOf(collection), (sql, values) => statements.read(sql, values))
  if (changes.length === 0) return null
  const change = (em: SqlEntityManager): Promise<readonly string[]> => journalTable(journal, collection, em)
  try {
    await (schemaLock === null ? orm.em.fork().transactional(change) : schemaLock.hold(signal, change))
    return null
  } catch (error) {
    const { kind, summary } = driver.classify(error, 'statement')
    if (kind !== 'constraint' && kind !== 'statement') throw error
    return summary
  }
}

import { faultOf } from '../../database/machine/faults.ts'
import type { Session } from '../../database/work/session.ts'
import type { Written } from '../../driver/facet/statements.ts'
import type { Query, ValuesByName } from '../table/compiled-query.ts'
import type { RowTable, TableView } from './row-table.ts'

/** A create or a change. */
export interface RowWrite {
  readonly table: RowTable
  readonly view: TableView
  readonly id: string
  readonly query: Query
  readonly values: ValuesByName
  readonly attempt: string
  readonly isNew: boolean
}

/** Inserts a row in a fallback. */
export function insertInFallback(
  session: Session,
  table: RowTable,
  view: TableView,
  values: ValuesByName,
  id: string,
  attempt: string,
): Promise<Written> {
  const query = view.queries.insert(false)
  return writeInFallback(session, { table, view, id, query, values, attempt, isNew: true })
}

/** Writes a row in a fallback. Copied rows that are not shown make way where they have a unique key of the row. */
export async function writeInFallback(session: Session, write: RowWrite): Promise<Written> {
  const { table, view, id, query, values, attempt, isNew } = write
  try {
    return await table.write(session, query, values, attempt)
  } catch (error) {
    const { copy } = session.store
    if (copy === null || view.whole !== null || !breaksKey(session, error)) throw error
    const [before] = await table.read(session, id)
    // A row of this create that was copied from the primary is hidden as well: its caller could not read it.
    if (isNew && before !== undefined && before.holdfast_attempt !== attempt) throw error
    if (!(await copy.giveWay(table.name, table.image({ ...before, ...values })))) throw error
    return await table.write(session, query, values, attempt)
  }
}

/**
 * Whether a create has failed because the row is in the fallback: an earlier try of it has committed in the primary, and was
 * copied from there.
 */
export async function isCopiedBefore(session: Session, table: RowTable, id: string, error: unknown): Promise<boolean> {
  if (session.store.copy === null || !breaksKey(session, error)) return false
  return (await table.read(session, id)).length > 0
}

function breaksKey({ store }: Session, error: unknown): boolean {
  const { kind, rule = 'unique' } = faultOf(store.driver, error, 'statement')
  return kind === 'constraint' && rule === 'unique'
}

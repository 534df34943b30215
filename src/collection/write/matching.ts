import { incompleteError } from '../../database/work/failure.ts'
import type { Session } from '../../database/work/session.ts'
import { HoldfastError } from '../../errors.ts'
import type { Granted } from '../access/granted.ts'
import { askedTableOf } from '../ask/asked-table.ts'
import { RowWalk } from '../ask/row-walk.ts'
import { isMatch } from '../filter/evaluator.ts'
import { planList } from '../query/read-plan.ts'
import { newestFirst } from '../query/sort.ts'
import type { DeleteRequest } from '../query/write-request.ts'
import { fresh } from '../row/precondition.ts'
import type { RowRequest } from '../row/table-access.ts'
import type { WriteResult } from './operation.ts'
import { removeRows } from './references.ts'
import { isShown, rowJsonOf, valuesOf } from './row-rules.ts'
import type { WriteJob } from './write-runner.ts'
import type { WriteScope } from './write-scope.ts'
import type { WrittenTable } from './written-table.ts'

/**
 * Deletes the rows that match, unless they are more than `max`. They are looked for before the transaction begins, which deletes
 * those that still match: no other writer waits while many rows are looked at.
 */
export function removeMatching(
  table: WrittenTable,
  request: DeleteRequest,
  granted: Granted | undefined,
  age: RowRequest['age'],
): WriteJob<readonly WriteResult[]> {
  let ids: readonly string[] = []
  return {
    tables: [table],
    creates: new Map(),
    isNew: false,
    before: async (session) => {
      ids = await matching(session, table, request, { granted, age })
    },
    work: (scope) => remove(scope, table, request, { ids, granted }),
  }
}

async function matching(
  session: Session,
  { access, collection }: WrittenTable,
  { filter, max }: DeleteRequest,
  { granted, age }: { readonly granted: Granted | undefined; readonly age: RowRequest['age'] | undefined },
): Promise<readonly string[]> {
  const rows = access.table(session, 'delete')
  const view = access.copies.view(session, rows, age)
  if (access.isPartial(session, view)) throw incompleteError('Which rows match is known only where all rows are.')
  const asked = askedTableOf(access, session, rows, view)
  const plan = asked.fitted(planList(collection, newestFirst, filter, granted?.rule ?? null), newestFirst)
  const sort = asked.sortColumns(newestFirst)
  const walk = new RowWalk(session, asked, { sort, plan, columns: [], after: null, note: fresh })
  const ids: string[] = []
  for (;;) {
    const { rows: found, next } = await walk.read(max + 1 - ids.length)
    ids.push(...found.map(({ id }) => String(id)))
    if (ids.length > max) throw new HoldfastError('TOO_MANY', { detail: `More than ${max} rows match.` })
    if (next === null) return ids
  }
}

async function remove(
  scope: WriteScope,
  table: WrittenTable,
  { filter }: DeleteRequest,
  { ids, granted }: { readonly ids: readonly string[]; readonly granted: Granted | undefined },
): Promise<readonly WriteResult[]> {
  const open = scope.open(table, 'delete')
  const found = await scope.lockedRows(open, ids)
  const leaving = ids.filter((id) => {
    const row = found.get(id)
    if (row === undefined) return false
    const before = rowJsonOf(open.rows, row)
    const isAllowed = granted === undefined || isShown(granted, table.collection, before)
    return isAllowed && isMatch(filter, valuesOf(table.collection, before))
  })
  if (leaving.length === 0) return []
  if ((await removeRows(scope, open, leaving)) < leaving.length) throw new HoldfastError('WRITE_DISCARDED')
  return leaving.map((id) => ({ is: 'removed', id, etag: null, text: '' }))
}

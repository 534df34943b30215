import { incompleteError } from '../../database/work/failure.ts'
import type { Row } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import { etagOf, isNamed, type Precondition } from '../row/etag.ts'
import { absent, stale } from '../row/precondition.ts'
import type { ChangeRow, CreateRow, RemoveRow, ReplaceRow, RowOperation, WriteResult } from './operation.ts'
import { parentsFirst } from './parents-first.ts'
import { placedError } from './place-error.ts'
import { checkReferences, removeRows } from './references.ts'
import { rowInvalid } from './row-body.ts'
import { isShown, type RowJson, rowJsonOf, serializerFor } from './row-rules.ts'
import { insertRows, type NewRow, type RowRevision, updateRows } from './store-rows.ts'
import type { OpenTable, WriteScope } from './write-scope.ts'
import type { WrittenTable } from './written-table.ts'

/** Performs the operations inside a transaction, in their order. Rejects with the errors of the first that fails, placed. */
export async function perform(scope: WriteScope, operations: readonly RowOperation[]): Promise<readonly WriteResult[]> {
  const results: WriteResult[] = []
  for (const run of runsOf(operations)) results.push(...(await performRun(scope, run)))
  return results
}

/** Operations of one kind on different rows of one table, which share their statements. */
type Run = readonly CreateRow[] | readonly ReplaceRow[] | readonly ChangeRow[] | readonly RemoveRow[]

function runsOf(operations: readonly RowOperation[]): readonly Run[] {
  const runs: RowOperation[][] = []
  let ids = new Set<string>()
  for (const operation of operations) {
    const last = runs.at(-1)
    const first = last?.[0]
    const isSame = first?.is === operation.is && first.table === operation.table && first.place.operation === undefined
    if (last !== undefined && isSame && !ids.has(operation.id) && !isByKey(operation)) last.push(operation)
    else {
      runs.push([operation])
      ids = new Set()
    }
    ids.add(operation.id)
  }
  return runs as unknown as readonly Run[] // Of one kind each, as compared above.
}

/** Which row it is shows only once it is looked for. */
function isByKey(operation: RowOperation): boolean {
  return operation.is === 'replace' && operation.key !== null
}

async function performRun(scope: WriteScope, run: Run): Promise<readonly WriteResult[]> {
  try {
    switch (run[0]?.is) {
      case 'create':
        return await createAll(scope, run as readonly CreateRow[])
      case 'replace':
        return await replaceAll(scope, run as readonly ReplaceRow[])
      case 'change':
        return await changeAll(scope, run as readonly ChangeRow[])
      case 'remove':
        return await removeAll(scope, run as readonly RemoveRow[])
      default:
        return []
    }
  } catch (error) {
    // One operation alone is the one that failed; the errors of others are placed already.
    throw run.length === 1 && run[0] !== undefined ? scope.placed(error, run[0].place) : error
  }
}

async function createAll(scope: WriteScope, run: readonly CreateRow[]): Promise<readonly WriteResult[]> {
  const [first] = run
  if (first === undefined) return []
  const open = scope.open(first.table, 'create')
  const rows = run.map(({ id, values, granted, place }): NewRow => ({ id, values, granted, place }))
  await checkReferences(
    scope,
    first.table,
    rows.map(({ values }) => values),
    new Set(rows.map(({ id }) => id)),
  )
  scope.creating(first.table, rows.length)
  const made = await insertRows(scope, open, parentsFirst(rows, ownReferences(first.table)))
  const byId = new Map(made.map((one) => [one.id, one]))
  return run.flatMap(({ id }) => byId.get(id) ?? [])
}

/** Its fields that refer to rows of the table itself. */
function ownReferences(table: WrittenTable): readonly string[] {
  return table.references.filter(({ to }) => to === table).map(({ field }) => field)
}

async function replaceAll(scope: WriteScope, run: readonly ReplaceRow[]): Promise<readonly WriteResult[]> {
  const [first] = run
  if (first === undefined) return []
  const open = scope.open(first.table, 'update')
  const known = first.key === null ? null : await scope.idOfKey(open, first.key)
  if (first.key !== null) checkKeyedId(first, known)
  const wanted = known === null ? run : [{ ...first, id: known }]
  const found = await scope.knownRows(
    open,
    wanted.map(({ id }) => id),
  )
  const created: NewRow[] = []
  const updates: RowRevision[] = []
  for (const operation of wanted) {
    const replacement = placed(operation, () => replacementOf(scope, open, operation, found.get(operation.id)))
    if ('before' in replacement) updates.push(replacement)
    else created.push(replacement)
  }
  if (created.length > 0) scope.open(first.table, 'create')
  const values = [...created.map((one) => one.values), ...updates.map(({ changes }) => changes)]
  await checkReferences(scope, first.table, values, new Set(created.map(({ id }) => id)))
  scope.creating(first.table, created.length)
  const made = await insertRows(scope, open, parentsFirst(created, ownReferences(first.table)))
  const byId = new Map([...made, ...(await updateRows(scope, open, updates, 'replaced'))].map((one) => [one.id, one]))
  return wanted.flatMap(({ id }) => byId.get(id) ?? [])
}

/** Throws ROW_INVALID where the body has another id than the row with its key, or one that only the service gives. */
function checkKeyedId({ table, id, hasId }: ReplaceRow, known: string | null): void {
  if (!hasId || id === known) return
  if (known !== null) throw rowInvalid([{ pointer: '/id', message: 'The row with this key has another id.' }])
  if (table.collection.ids !== 'client') {
    throw rowInvalid([{ pointer: '/id', message: 'The service gives new rows their ids. Remove it.' }])
  }
}

/** What a replacement does: an update of the row that is there, or a new row. */
function replacementOf(
  scope: WriteScope,
  open: OpenTable,
  operation: ReplaceRow,
  row: Row | undefined,
): NewRow | RowRevision {
  const { rows, view } = open
  const { table, id, values, replaced, granted, creating, match, isNewOnly, mayCreate, place } = operation
  if (row === undefined) {
    const { is } = absent(scope.session, { table: rows, view, id, match })
    // A key that was drawn for this request is not in the primary.
    if (is === 'unknown' && operation.key === null) throw incompleteError()
    if (match !== null) throw new HoldfastError('PRECONDITION_FAILED')
    if (!mayCreate) throw new HoldfastError('ROW_NOT_FOUND')
    return { id, values, granted: creating, place }
  }
  const before = rowJsonOf(rows, row)
  if (granted !== undefined && !isShown(granted, table.collection, before)) throw new HoldfastError('ROW_NOT_FOUND')
  if (isNewOnly) throw new HoldfastError('PRECONDITION_FAILED')
  checkMatch(scope, open, id, match, row)
  const changes = new Map([...values].filter(([name]) => replaced.has(name)))
  return { id, before, changes, granted, place }
}

async function changeAll(scope: WriteScope, run: readonly ChangeRow[]): Promise<readonly WriteResult[]> {
  const [first] = run
  if (first === undefined) return []
  const open = scope.open(first.table, 'update')
  const found = await scope.lockedRows(
    open,
    run.map(({ id }) => id),
  )
  const updates = run.map((operation) =>
    placed(operation, (): RowRevision => {
      const { id, granted, place, changes } = operation
      const { row, before } = existing(scope, open, operation, found.get(id))
      // A repeat with the same key, of which the fallback has a copy: done in the primary.
      const isDone = row.holdfast_attempt === scope.session.attempt && !scope.hasWritten(operation.table, id)
      return { id, before, granted, place, changes: isDone ? new Map() : changes(before) }
    }),
  )
  const changed = updates.filter(({ changes }) => changes.size > 0)
  await checkReferences(
    scope,
    first.table,
    changed.map(({ changes }) => changes),
    new Set(),
  )
  const byId = new Map((await updateRows(scope, open, changed, 'changed')).map((one) => [one.id, one]))
  return run.map(({ id, granted }): WriteResult => {
    const row = found.get(id)
    const text = row === undefined ? '' : serializerFor(open.rows, granted)(row)
    return byId.get(id) ?? { is: 'changed', id, etag: etagOf(row?.holdfast_attempt), text }
  })
}

async function removeAll(scope: WriteScope, run: readonly RemoveRow[]): Promise<readonly WriteResult[]> {
  const [first] = run
  if (first === undefined) return []
  const open = scope.open(first.table, 'delete')
  const ids = run.map(({ id }) => id)
  const found = await scope.lockedRows(open, ids)
  for (const operation of run) placed(operation, () => existing(scope, open, operation, found.get(operation.id)))
  if ((await removeRows(scope, open, ids)) < ids.length) throw new HoldfastError('WRITE_DISCARDED')
  return ids.map((id) => ({ is: 'removed', id, etag: null, text: '' }))
}

/** The row that is changed or deleted. Throws ROW_NOT_FOUND, INCOMPLETE or PRECONDITION_FAILED. */
function existing(
  scope: WriteScope,
  open: OpenTable,
  { table, id, match, granted }: ChangeRow | RemoveRow,
  row: Row | undefined,
): { readonly row: Row; readonly before: RowJson } {
  const { rows, view } = open
  if (row === undefined) {
    const { is } = absent(scope.session, { table: rows, view, id, match })
    throw is === 'unknown' ? incompleteError() : new HoldfastError('ROW_NOT_FOUND')
  }
  const before = rowJsonOf(rows, row)
  if (granted !== undefined && !isShown(granted, table.collection, before)) throw new HoldfastError('ROW_NOT_FOUND')
  checkMatch(scope, open, id, match, row)
  return { row, before }
}

function checkMatch(
  scope: WriteScope,
  { rows, view }: OpenTable,
  id: string,
  match: Precondition | null,
  row: Row,
): void {
  if (match === null || isNamed(match, row.holdfast_attempt)) return
  const { is } = stale(scope.session, { table: rows, view, id, match })
  throw is === 'unknown' ? incompleteError() : new HoldfastError('PRECONDITION_FAILED')
}

function placed<T>({ place }: RowOperation, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw placedError(error, place)
  }
}

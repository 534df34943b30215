import { faultOf } from '../../database/machine/faults.ts'
import type { Row } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import type { Granted } from '../access/granted.ts'
import type { FieldValue } from '../declaration/validator.ts'
import { etagOf } from '../row/etag.ts'
import { versionsOf } from '../table/many-queries.ts'
import type { WritePlace, WriteResult } from './operation.ts'
import { placedError } from './place-error.ts'
import { missingError } from './references.ts'
import { checkAfter, type RowJson, serializerFor, valuesOf } from './row-rules.ts'
import { encoded, type OpenTable, type WriteScope } from './write-scope.ts'

/** A row to be inserted. */
export interface NewRow {
  readonly id: string
  /** Of every field. */
  readonly values: ReadonlyMap<string, FieldValue>
  readonly granted: Granted | undefined
  readonly place: WritePlace
}

/** A row to be changed. */
export interface RowRevision {
  readonly id: string
  readonly before: RowJson
  readonly changes: ReadonlyMap<string, FieldValue>
  readonly granted: Granted | undefined
  readonly place: WritePlace
}

/** Inserts the rows. Throws RULE_REFUSED, REFERENCE_MISSING, WRITE_DISCARDED. */
export async function insertRows(
  scope: WriteScope,
  open: OpenTable,
  created: readonly NewRow[],
): Promise<readonly WriteResult[]> {
  if (created.length === 0) return []
  const copied = await copiedBefore(scope, open, created)
  if (copied !== null) return copied
  const { session, now } = scope
  const { rows, written, many } = open
  const stored = created.map(({ id, values, granted, place }) => {
    const whole = new Map(values)
    whole.set('id', id).set('createdAt', now).set('updatedAt', now).set('version', 1)
    try {
      checkAfter(granted, whole)
    } catch (error) {
      throw placedError(error, place)
    }
    return rows.encode(whole.set('holdfast_attempt', session.attempt))
  })
  for (const [at, values] of stored.entries()) {
    scope.stored.push({ open, id: created[at]?.id ?? '', values, isNew: true })
  }
  const isRead = written.access.mayRewrite(session)
  const queries = (isRead ? rows.many(rows.plain) : many).insert(stored)
  const inserted = await referring(scope, open, () => scope.write(queries))
  const ids = created.map(({ id }) => id)
  // A trigger that writes rows elsewhere, such as into a partition, leaves nothing to count.
  if (isRead || inserted.changed !== ids.length) return await readBack(scope, open, created, 'created')
  const versions = versionsOf(inserted.rows)
  return stored.map((row, at) => {
    const id = ids[at] ?? ''
    scope.touched.push({ table: written, id, row, version: versions.get(id) })
    return {
      is: 'created',
      id,
      etag: etagOf(session.attempt),
      text: serializerFor(rows, created[at]?.granted)(row, true),
    }
  })
}

/** The rows where the primary has created them before: a whole copy has them, and the same transaction once more makes no others. */
async function copiedBefore(
  scope: WriteScope,
  open: OpenTable,
  created: readonly NewRow[],
): Promise<readonly WriteResult[] | null> {
  const { shown, attempt } = scope.session
  if (shown !== 'fallback' || open.view.whole === null) return null
  const ids = created.map(({ id }) => id)
  const found = await scope.read(open.many.read(encoded(open.rows, ids), false))
  const byId = new Map(found.filter((row) => row.holdfast_attempt === attempt).map((row) => [String(row.id), row]))
  if (byId.size < ids.length) return null
  return created.flatMap(({ id, granted }) => {
    const row = byId.get(id)
    return row === undefined ? [] : resultOf(scope, open, row, { is: 'created', granted })
  })
}

/** Changes rows that were read with a lock. Throws as above. */
export async function updateRows(
  scope: WriteScope,
  open: OpenTable,
  updates: readonly RowRevision[],
  is: 'changed' | 'replaced',
): Promise<readonly WriteResult[]> {
  const { session, now } = scope
  const { rows, written, view } = open
  const isReturned = view.queries.returning && !written.access.mayRewrite(session)
  const results: WriteResult[] = []
  for (const { id, before, changes, granted, place } of updates) {
    try {
      checkAfter(granted, new Map([...valuesOf(written.collection, before), ...changes]))
      const own = new Map<string, FieldValue>([
        ['id', id],
        ['updatedAt', now],
        ['holdfast_attempt', session.attempt],
      ])
      const values = rows.encode(new Map([...changes, ...own]))
      scope.stored.push({ open, id, values, isNew: false })
      const { sql, bind } = view.queries.update([...changes.keys()], false, false)
      const { rows: after } = await referring(scope, open, () => scope.write([{ sql, values: bind(values) }]))
      if (!isReturned) continue
      if (after[0] === undefined) throw new HoldfastError('WRITE_DISCARDED')
      results.push(resultOf(scope, open, after[0], { is, granted }))
    } catch (error) {
      throw scope.placed(error, place)
    }
  }
  return isReturned ? results : await readBack(scope, open, updates, is)
}

/** Rows that were written, as they are now: a trigger may have changed them, or the statement returns none. */
async function readBack(
  scope: WriteScope,
  open: OpenTable,
  written: readonly Pick<NewRow, 'id' | 'granted'>[],
  is: WriteResult['is'],
): Promise<readonly WriteResult[]> {
  const ids = written.map(({ id }) => id)
  const found = await scope.read(open.many.read(encoded(open.rows, ids), false))
  const byId = new Map(found.map((row) => [String(row.id), row]))
  return written.map(({ id, granted }) => {
    const row = byId.get(id)
    if (row?.holdfast_attempt !== scope.session.attempt) throw new HoldfastError('WRITE_DISCARDED')
    return resultOf(scope, open, row, { is, granted })
  })
}

function resultOf(
  scope: WriteScope,
  { rows, written }: OpenTable,
  row: Row,
  { is, granted }: { readonly is: WriteResult['is']; readonly granted: Granted | undefined },
): WriteResult {
  const id = String(row.id)
  scope.touched.push({ table: written, id, row })
  return { is, id, etag: etagOf(row.holdfast_attempt), text: serializerFor(rows, granted)(row) }
}

/** Rejects with REFERENCE_MISSING where the database finds that a row refers to none. */
async function referring<T>({ session }: WriteScope, { written }: OpenTable, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    const { kind, rule, columns = [] } = faultOf(session.store.driver, error, 'statement')
    if (kind !== 'constraint' || rule !== 'reference') throw error
    const known = written.references.filter(({ field }) => columns.includes(field))
    const [reference] = known.length > 0 ? known : written.references
    throw missingError(reference?.field ?? columns[0] ?? '', reference?.to, error)
  }
}

import { drawId } from '../../driver/kit/draw-id.ts'
import type { Granted } from '../access/granted.ts'
import { isJsonObject } from '../declaration/json-limits.ts'
import type { FieldValue } from '../declaration/validator.ts'
import type { Precondition } from '../row/etag.ts'
import type { ChangeRow, CreateRow, RemoveRow, ReplaceRow, RowOperation, WritePlace, WriteResult } from './operation.ts'
import { perform } from './perform.ts'
import { type RowBody, readRow, readRows, rowInvalid } from './row-body.ts'
import { type ChangeMode, readChange } from './row-change.ts'
import type { WriteJob } from './write-runner.ts'
import type { WrittenTable } from './written-table.ts'

/** What a PUT must find. */
export interface ReplaceConditions {
  readonly match: Precondition | null
  /** `If-None-Match: *`. */
  readonly isNewOnly: boolean
  /** What the caller may create; absent: everything. */
  readonly creating?: Granted | undefined
}

const whole: WritePlace = { pointer: '' }

/** Gives new rows of a request their ids. */
export type DrawRowId = () => string

/** A new row. Throws ROW_INVALID. */
export function createOf(
  table: WrittenTable,
  body: unknown,
  granted: Granted | undefined,
  drawRowId: DrawRowId,
  place: WritePlace = whole,
): CreateRow {
  const row = readRow(table, body, { granted, hasId: table.collection.ids === 'client', now: new Date() })
  return { is: 'create', table, granted, place, id: row.id ?? drawRowId(), values: row.values }
}

/** New rows. Throws ROW_INVALID, BODY_TOO_LARGE. */
export function createsOf(
  table: WrittenTable,
  body: readonly unknown[],
  granted: Granted | undefined,
  drawRowId: DrawRowId,
): readonly CreateRow[] {
  return readRows(body, (item, pointer) => createOf(table, item, granted, drawRowId, { pointer }))
}

/** A row in place of that of this id, whose body may repeat the id. Throws ROW_INVALID. */
export function replaceOf(
  table: WrittenTable,
  id: string,
  body: unknown,
  granted: Granted | undefined,
  conditions: ReplaceConditions,
  place: WritePlace = whole,
): ReplaceRow {
  const row = readRow(table, body, { granted, hasId: true, now: new Date() })
  if (row.id !== null && row.id !== id) {
    throw rowInvalid([{ pointer: '/id', message: 'This differs from the id in the path.' }])
  }
  return replacement(table, { ...row, id }, granted, conditions, place)
}

/** A row in place of the one with this unique key, which the body may repeat. Throws ROW_INVALID. */
export function replaceByKeyOf(
  table: WrittenTable,
  key: ReadonlyMap<string, FieldValue>,
  body: unknown,
  granted: Granted | undefined,
  conditions: ReplaceConditions,
): ReplaceRow {
  if (!isJsonObject(body)) throw rowInvalid([{ pointer: '', message: 'A row must be one JSON object.' }])
  const named = Object.fromEntries([...key].map(([name, value]) => [name, jsonOfValue(value)]))
  const row = readRow(table, { ...named, ...body }, { granted, hasId: true, now: new Date() })
  const errors = [...key].flatMap(([name, value]) => {
    const isSame = compare(row.values.get(name) ?? null) === compare(value)
    return isSame ? [] : [{ pointer: `/${name}`, message: 'This differs from the key in the query.' }]
  })
  if (errors.length > 0) throw rowInvalid(errors)
  return { ...replacement(table, row, granted, conditions, whole), key, mayCreate: true }
}

function jsonOfValue(value: FieldValue): unknown {
  return value instanceof Date ? value.toISOString() : value
}

function compare(value: FieldValue): unknown {
  return value instanceof Date ? value.getTime() : value
}

/** Rows in place of those of their ids. Throws ROW_INVALID, BODY_TOO_LARGE. */
export function replacesOf(
  table: WrittenTable,
  body: readonly unknown[],
  granted: Granted | undefined,
  conditions: ReplaceConditions,
): readonly ReplaceRow[] {
  const seen = new Set<string>()
  return readRows(body, (item, pointer) => {
    const row = readRow(table, item, { granted, hasId: true, now: new Date() })
    const { id } = row
    if (id === null) throw rowInvalid([{ pointer: '/id', message: 'A row that is replaced must have its id.' }])
    if (seen.has(id)) throw rowInvalid([{ pointer: '/id', message: 'An earlier row of the array has this id.' }])
    seen.add(id)
    return replacement(table, row, granted, conditions, { pointer })
  })
}

function replacement(
  table: WrittenTable,
  row: RowBody,
  granted: Granted | undefined,
  { match, isNewOnly, creating }: ReplaceConditions,
  place: WritePlace,
): ReplaceRow {
  const replaced = new Set(table.fields.filter((name) => granted?.fields.written.has(name) !== false))
  const mayCreate = table.collection.ids === 'client'
  const own = { table, granted, place, creating, match, isNewOnly, mayCreate, replaced }
  return { is: 'replace', id: row.id ?? drawId(), hasId: row.id !== null, key: null, values: row.values, ...own }
}

/** A change of the row of this id. Throws ROW_INVALID. */
export function changeOf(
  table: WrittenTable,
  id: string,
  { body, mode, match }: { readonly body: unknown; readonly mode: ChangeMode; readonly match: Precondition | null },
  granted: Granted | undefined,
  place: WritePlace = whole,
): ChangeRow {
  return { is: 'change', table, granted, place, id, match, changes: readChange(table, body, mode, granted) }
}

/** A delete of the row of this id. */
export function removeOf(
  table: WrittenTable,
  id: string,
  match: Precondition | null,
  granted: Granted | undefined,
  place: WritePlace = whole,
): RemoveRow {
  return { is: 'remove', table, granted, place, id, match }
}

/** Performs the operations as one transaction: all of them or none. */
export function jobOf(operations: readonly RowOperation[]): WriteJob<readonly WriteResult[]> {
  const creates = new Map<WrittenTable, number>()
  for (const { table, is } of operations) {
    const count = creates.get(table) ?? 0
    creates.set(table, is === 'create' ? count + 1 : count)
  }
  const isNew = operations.every(({ is }) => is === 'create')
  const mayReplace = operations.some((one) => one.is === 'replace')
  return { tables: [...creates.keys()], creates, isNew, mayReplace, work: (scope) => perform(scope, operations) }
}

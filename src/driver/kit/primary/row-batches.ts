import type { Image, ImageColumn, ImageTable } from '../../facet/image.ts'
import type { FaultError } from '../../fault.ts'
import { faultError } from '../read-error.ts'

/** The code of the fault of an image with a column that its table is not known to have. */
export const columnUnknownCode = 'COLUMN_UNKNOWN'

/** Rows that one statement writes. */
export interface RowBatch<R> {
  /** The columns that the image of each row has, in one order. */
  readonly columns: readonly ImageColumn[]
  readonly rows: readonly R[]
}

/**
 * Rows by the columns of their images, in batches of limited size: a column that an image lacks is left to its default. A
 * row above the limit is a batch of its own.
 *
 * @throws FaultError where an image has a column that the table is not known to have.
 */
export function rowBatchesOf<R extends { readonly image: Image }>(
  table: ImageTable,
  rows: readonly R[],
  limits: { readonly rows: number; readonly bytes: number },
): readonly RowBatch<R>[] {
  const known = new Map(table.columns.map((column) => [column.name, column]))
  const open = new Map<string, { readonly columns: RowBatch<R>['columns']; rows: R[]; bytes: number }>()
  const batches: RowBatch<R>[] = []
  // Most rows have the columns of the row before, in one order: their keys need not be sorted again.
  const keys = new Map<string, string>()
  for (const row of rows) {
    const given = JSON.stringify(Object.keys(row.image))
    const key = keys.get(given) ?? JSON.stringify(Object.keys(row.image).sort())
    keys.set(given, key)
    const bytes = bytesOf(row.image)
    const last = open.get(key)
    if (last !== undefined && last.rows.length < limits.rows && last.bytes + bytes <= limits.bytes) {
      last.rows.push(row)
      last.bytes += bytes
      continue
    }
    const columns =
      last?.columns ??
      Object.keys(row.image)
        .sort()
        .map((name) => known.get(name) ?? unknownColumn(table, name))
    const batch = { columns, rows: [row], bytes }
    open.set(key, batch)
    batches.push(batch)
  }
  return batches
}

/** The list in parts of at most so many elements. */
export function partsOf<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size))
}

/** Runs a statement for each part, one after the other; the sum of what they count. */
export async function sumOf<T>(parts: readonly T[], count: (part: T) => Promise<number>): Promise<number> {
  let all = 0
  for (const part of parts) all += await count(part)
  return all
}

/** An instant of an image as a date; null where it is not one, which the database then refuses. */
export function dateOf(milliseconds: string): Date | null {
  if (!/^-?\d+$/.test(milliseconds)) return null
  const date = new Date(Number(milliseconds))
  return Number.isNaN(date.getTime()) ? null : date
}

/** At most: escaped, a letter may take twice its bytes. */
function bytesOf(image: Image): number {
  let bytes = 0
  for (const name in image) bytes += name.length + 8 + 2 * Buffer.byteLength(image[name] ?? '')
  return bytes
}

function unknownColumn(table: ImageTable, column: string): never {
  throw columnError(table.name, column)
}

/** The own tables are gone, which says nothing about the rows that are carried. */
export function claimError(cause: unknown): FaultError {
  const summary = "Holdfast's own tables are no longer in the primary."
  return faultError('statement', 'CLAIM_FAILED', summary, 'Wait: Holdfast creates them again where it may.', { cause })
}

function columnError(table: string, column: string): FaultError {
  const summary = `The table "${table}" is not known to have the column "${column}", which a row of the journal has.`
  return faultError('statement', columnUnknownCode, summary, 'Declare the field again, or add the column.')
}

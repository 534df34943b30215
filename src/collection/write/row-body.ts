import { type FieldError, HoldfastError } from '../../errors.ts'
import { subjectOf } from '../access/caller.ts'
import type { Granted } from '../access/granted.ts'
import { type FieldValue, givenId } from '../declaration/validator.ts'
import { errorsMax } from './place-error.ts'
import type { WrittenTable } from './written-table.ts'

/** Rows of one request. */
const bulkRowsMax = 1_000

/** The body of one row, read. */
export interface RowBody {
  /** Null: the body has none. */
  readonly id: string | null
  /** Of every field. */
  readonly values: ReadonlyMap<string, FieldValue>
}

/** Reads a whole row. `hasId`: its id may be among the fields. Throws ROW_INVALID. */
export function readRow(
  { validator, fields }: WrittenTable,
  body: unknown,
  { granted, hasId, now }: { readonly granted: Granted | undefined; readonly hasId: boolean; readonly now: Date },
): RowBody {
  const owner = granted === undefined ? null : subjectOf(granted.caller)
  const given = validator.create(body, { fields: granted?.fields, owner, hasId, now })
  return { id: hasId ? givenId(body) : null, values: new Map(fields.map((name, at) => [name, given[at] ?? null])) }
}

/** Reads the rows of an array. Throws ROW_INVALID with the errors of all of them, BODY_TOO_LARGE. */
export function readRows<T>(body: readonly unknown[], read: (item: unknown, pointer: string) => T): readonly T[] {
  if (body.length > bulkRowsMax) {
    throw new HoldfastError('BODY_TOO_LARGE', { detail: `One request may have ${bulkRowsMax} rows.` })
  }
  if (body.length === 0) throw rowInvalid([{ pointer: '', message: 'An array must have at least one row.' }])
  const rows: T[] = []
  const errors: FieldError[] = []
  for (const [at, item] of body.entries()) {
    try {
      rows.push(read(item, `/${at}`))
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'ROW_INVALID') throw error
      for (const one of error.errors ?? []) errors.push({ ...one, pointer: `/${at}${one.pointer}` })
      if (errors.length >= errorsMax) break
    }
  }
  if (errors.length > 0) throw rowInvalid(errors.slice(0, errorsMax))
  return rows
}

/** The error for a body with these mistakes. */
export function rowInvalid(errors: readonly FieldError[]): HoldfastError {
  return new HoldfastError('ROW_INVALID', { errors })
}

import type { Granted } from '../access/granted.ts'
import type { FieldValue } from '../declaration/validator.ts'
import type { Precondition } from '../row/etag.ts'
import type { WrittenTable } from './written-table.ts'

/** Where an operation stands in the request: what its errors name. */
export interface WritePlace {
  /** Of the body or of the array item: `''`, `/3`. */
  readonly pointer: string
  /** In a batch, from 0. */
  readonly operation?: number
}

interface OperationParts {
  readonly table: WrittenTable
  /** Absent: everything is allowed. */
  readonly granted: Granted | undefined
  readonly place: WritePlace
}

/** A new row. */
export interface CreateRow extends OperationParts {
  readonly is: 'create'
  readonly id: string
  /** Of every field. */
  readonly values: ReadonlyMap<string, FieldValue>
}

/** A row that is replaced, or created where there is none. */
export interface ReplaceRow extends OperationParts {
  readonly is: 'replace'
  /** Of the row, or of the new one. */
  readonly id: string
  /** The unique key that names the row instead of its id; null: the id does. */
  readonly key: ReadonlyMap<string, FieldValue> | null
  /** The body has the id. */
  readonly hasId: boolean
  readonly values: ReadonlyMap<string, FieldValue>
  /** The fields that are replaced: the caller may not write the others, which keep their values. */
  readonly replaced: ReadonlySet<string>
  readonly match: Precondition | null
  /** `If-None-Match: *`. */
  readonly isNewOnly: boolean
  readonly mayCreate: boolean
  /** What the caller may create; `granted` is what may be updated. */
  readonly creating: Granted | undefined
}

/** A row of which some fields are changed. */
export interface ChangeRow extends OperationParts {
  readonly is: 'change'
  readonly id: string
  readonly match: Precondition | null
  /** The new values, of a row as it is answered to the admin. */
  readonly changes: (row: Readonly<Record<string, unknown>>) => ReadonlyMap<string, FieldValue>
}

/** A row that is deleted. */
export interface RemoveRow extends OperationParts {
  readonly is: 'remove'
  readonly id: string
  readonly match: Precondition | null
}

/** What is done with one row. */
export type RowOperation = CreateRow | ReplaceRow | ChangeRow | RemoveRow

/** What became of one operation. */
export interface WriteResult {
  readonly is: 'created' | 'replaced' | 'changed' | 'removed'
  readonly id: string
  /** Null: of a row that is gone. */
  readonly etag: string | null
  /** The row as JSON for the caller; empty: it is gone. */
  readonly text: string
}

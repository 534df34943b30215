import type { Filter } from '../filter/filter.ts'
import type { Caller } from './caller.ts'
import type { VisibleFields } from './visible-fields.ts'

/** What a caller may do with a collection in one operation: the result of `permit`. */
export interface Granted {
  readonly caller: Caller
  /**
   * The rows that the caller may read or write: those for which it is true, its operands bound. Null: all. A read has it in its
   * statement; a write needs it to be true of the row before and after.
   */
  readonly rule: Filter | null
  readonly fields: VisibleFields
}

import { HoldfastError } from '../../errors.ts'
import { type Collection, isPublic, type Operation } from '../declaration/declaration.ts'
import type { Caller } from './caller.ts'
import type { Granted } from './granted.ts'
import { visibleFields } from './visible-fields.ts'

/** What this caller may do. Throws TOKEN_MISSING where the operation needs a caller who is known. */
export function permit(collection: Collection, operation: Operation, caller: Caller): Granted {
  if (caller.is !== 'admin' && !isPublic(collection, operation)) throw new HoldfastError('TOKEN_MISSING')
  return { caller, rule: null, fields: visibleFields(collection, caller) }
}

import { failedStore, withFailedStore } from '../../database/work/failure.ts'
import { HoldfastError } from '../../errors.ts'
import type { WritePlace } from './operation.ts'

/** The most invalid fields that one answer names. */
export const errorsMax = 20

const placed = new WeakSet<HoldfastError>()

/** The same error, with pointers into the whole request. Placed once. */
export function placedError(error: unknown, { pointer, operation }: WritePlace): unknown {
  if (!(error instanceof HoldfastError) || placed.has(error)) return error
  if (pointer === '' && operation === undefined) return error
  const { detail, hint, retryAfterS, errors, cause } = error
  const isAtRow = pointer !== '' && error.status < 500
  const here = errors ?? (isAtRow ? [{ pointer: '', message: error.title }] : undefined)
  const made = new HoldfastError(error.code, {
    hint,
    cause,
    ...(detail === undefined ? {} : { detail }),
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
    ...(here === undefined ? {} : { errors: here.map((one) => ({ ...one, pointer: `${pointer}${one.pointer}` })) }),
    ...(operation === undefined ? {} : { operation }),
  })
  placed.add(made)
  return withFailedStore(made, failedStore(error))
}

import { nearest } from '../../config/nearest.ts'
import { type ErrorCode, HoldfastError } from '../../errors.ts'

/** A part of an untrusted name, quoted for a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)
}

/** QUERY_INVALID. With `pointer`, the place in the JSON that is wrong. */
export function queryInvalid(detail: string, pointer?: string): HoldfastError {
  return queryError('QUERY_INVALID', detail, pointer)
}

/** QUERY_TOO_COMPLEX: the limit that was passed, by its name and number. */
export function queryTooComplex(detail: string, pointer?: string): HoldfastError {
  return queryError('QUERY_TOO_COMPLEX', detail, pointer)
}

/** What a name that is not known probably stands for, as a sentence; else the names that are. */
export function suggestionFor(given: string, known: Iterable<string>): string {
  const names = [...known]
  const near = nearest(given, names)
  return near === null ? `Known: ${names.join(', ')}.` : `Did you mean ${JSON.stringify(near)}?`
}

function queryError(code: ErrorCode, detail: string, pointer: string | undefined): HoldfastError {
  if (pointer === undefined) return new HoldfastError(code, { detail })
  const where = pointer === '' ? 'In the JSON' : `At ${quoted(pointer)} in the JSON`
  return new HoldfastError(code, { detail: `${where}: ${detail}`, errors: [{ pointer, message: detail }] })
}

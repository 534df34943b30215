import { readJsonText } from '../../config/json-fault.ts'
import { escapePointer } from '../declaration/ajv.ts'
import { filterLimits } from './filter.ts'
import { queryInvalid, queryTooComplex } from './query-error.ts'

/**
 * The value of JSON text. Throws QUERY_INVALID for anything else, and for a name twice in one object: parsers keep either of the
 * two, so what checks a filter on its way here may have checked another one.
 */
export function parseFilterJson(text: string, maxBytes: number = filterLimits.bodyBytes): unknown {
  if (Buffer.byteLength(text) > maxBytes) {
    throw queryTooComplex(`A filter in JSON may have at most ${maxBytes} bytes here.`)
  }
  const read = readJsonText(text)
  if ('fault' in read) {
    // The hint is for people who write files.
    const { line, column } = read.fault
    throw queryInvalid(`It is not valid JSON at line ${line}, column ${column}.`, '')
  }
  const [twice] = read.duplicates
  if (twice === undefined) return read.value
  throw queryInvalid(
    'This name appears twice in one object.',
    twice.path.map((step) => `/${escapePointer(step)}`).join(''),
  )
}

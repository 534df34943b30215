import { createRequire } from 'node:module'
import type { Ajv, ErrorObject } from 'ajv'
import { canonicalDecimal, canonicalInt64, canonicalUuid } from './canonical.ts'
import { isDay, parseInstant } from './instant.ts'
import { matcherOf } from './pattern.ts'

/**
 * Creates Ajv with the options of this service. `allErrors` reports all errors, for what is checked once: its code is not
 * optimized. Our schemas are not checked against the meta-schema. `isText`: the code can be printed, for schemas whose
 * patterns are our own.
 */
export function createAjv(options: {
  readonly allErrors: boolean
  readonly verbose?: boolean
  readonly isText?: boolean
}): Ajv {
  const { Ajv } = loadAjv()
  const regExp = Object.assign(matcherOf, { code: 'matcherOf' })
  const ajv = new Ajv({
    allErrors: options.allErrors,
    verbose: options.verbose ?? false,
    code: {
      optimize: !options.allErrors,
      ...(options.isText ? { source: true, esm: true } : { regExp }),
    },
    meta: false,
    validateSchema: false,
    // A property of the prototype is not a field of the row.
    ownProperties: true,
    strict: true,
    strictTypes: false,
    strictRequired: false,
    formats,
  })
  ajv.addKeyword({
    keyword: 'decimalScale',
    type: 'string',
    schemaType: 'number',
    validate: (scale: number, text: string) => canonicalDecimal(text, scale) !== null,
  })
  ajv.addKeyword({
    keyword: 'maxBytes',
    type: ['object', 'array'],
    schemaType: 'number',
    validate: (maxBytes: number, value: unknown) => Buffer.byteLength(JSON.stringify(value)) <= maxBytes,
  })
  return ajv
}

/** Checked on text that is short enough: see `longestOf`. */
const formats = {
  'date-time': (text: string): boolean => parseInstant(text) !== null,
  date: isDay,
  uuid: (text: string): boolean => canonicalUuid(text) !== null,
  int64: (text: string): boolean => canonicalInt64(text) !== null,
  email: (text: string): boolean => isOf('email', text),
  uri: (text: string): boolean => isOf('uri', text),
}

/** By ajv-formats, in its thorough mode; loaded by the first such value. */
function isOf(format: 'email' | 'uri', text: string): boolean {
  const library = createRequire(import.meta.url)('ajv-formats') as typeof import('ajv-formats') // `require` is untyped.
  const check = library.default.get(format, 'full')
  return check instanceof RegExp ? check.test(text) : typeof check === 'function' && check(text) === true
}

/** Loaded by the first body, or by a declaration with a default: a service that is read from starts without it. */
function loadAjv(): typeof import('ajv') {
  return createRequire(import.meta.url)('ajv') as typeof import('ajv') // `require` is untyped.
}

/** The JSON pointer of an error; for a missing or unknown member, the pointer of that member. */
export function pointerOf(error: ErrorObject): string {
  const { instancePath, params } = error
  const member = params.missingProperty ?? params.additionalProperty ?? error.propertyName ?? params.propertyName
  return typeof member === 'string' ? `${instancePath}/${escapePointer(member)}` : instancePath
}

/** Escapes a name as one step of a JSON pointer. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

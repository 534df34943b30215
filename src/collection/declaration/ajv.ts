import { createRequire } from 'node:module'
import type { Ajv, ErrorObject } from 'ajv'
import { parseInstant } from './instant.ts'
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
    formats: { 'date-time': (text: string) => parseInstant(text) !== null },
  })
  ajv.addKeyword({
    keyword: 'maxBytes',
    type: ['object', 'array'],
    schemaType: 'number',
    validate: (maxBytes: number, value: unknown) => Buffer.byteLength(JSON.stringify(value)) <= maxBytes,
  })
  return ajv
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

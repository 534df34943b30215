import type { ErrorObject } from 'ajv'
import { nearest } from '../../config/nearest.ts'
import { createAjv, escapePointer, pointerOf } from './ajv.ts'
import { bounds, type Collection, type Field, isInstant, isRequired } from './declaration.ts'
import { declarationValidator } from './declaration-validator.ts'
import { findUnstorable } from './json-limits.ts'
import { collectionNameDefect, fieldNameDefect } from './names.ts'
import { maxPatternCost, readPattern } from './pattern.ts'
import { accepts, fieldSchema } from './row-schema.ts'

/** One error in a declaration. */
export interface Defect {
  /** JSON pointer; `''` is the whole declaration. */
  readonly pointer: string
  readonly message: string
  readonly suggestion: string
}

/** A valid collection, or the errors in its declaration. */
export type Checked =
  | { readonly collection: Collection; readonly defects: readonly [] }
  | { readonly collection: null; readonly defects: readonly Defect[] }

/** Errors reported per declaration: the first ones explain the rest. */
const maxDefects = 20

const seeSchema = 'See config/collection.schema.json for what a collection may contain.'

/** Keywords whose errors repeat another one. */
const redundant = ['if', 'propertyNames']

/** Checks a declaration from a file or from code. Never throws and does not change the value. */
export function checkCollection(value: unknown): Checked {
  const validate = declarationValidator()
  if (!validate(value)) {
    const defects = (validate.errors ?? [])
      .filter(({ keyword }) => !redundant.includes(keyword))
      .slice(0, maxDefects)
      .map((error) => ({ pointer: pointerOf(error), ...explain(error) }))
    return { collection: null, defects }
  }
  const found = [
    ...nameDefects(value),
    ...fieldsDefects(value),
    ...referenceDefects(value),
    ...sumDefects(value),
    ...costDefects(value),
  ]
  const defects = found.slice(0, maxDefects)
  return defects.length > 0 ? { collection: null, defects } : { collection: value, defects: [] }
}

/** An error in plain words; those of Ajv are for readers of JSON Schema. */
function explain(error: ErrorObject): Omit<Defect, 'pointer'> {
  const { keyword, params, message, parentSchema, data } = error
  const { limit } = params
  const subject = subjectOf(error)
  const see = (text: string) => ({ message: text, suggestion: seeSchema })
  switch (keyword) {
    case 'additionalProperties': {
      if (params.additionalProperty === 'sum') {
        return { message: '"sum" is for integers and numbers.', suggestion: 'Remove it.' }
      }
      const known = Object.keys((parentSchema?.properties ?? {}) as object).filter((name) => name !== '$schema') // Ours.
      const near = nearest(String(params.additionalProperty), known)
      const suggestion = near === null ? `Remove it. Known keys: ${known.join(', ')}.` : `Did you mean "${near}"?`
      return { message: `"${params.additionalProperty}" is not a known key.`, suggestion }
    }
    case 'enum': {
      const allowed = Array.isArray(params.allowedValues) ? params.allowedValues.map(String) : []
      const near = typeof data === 'string' ? nearest(data, allowed) : null
      const suggestion = near === null ? seeSchema : `Did you mean "${near}"?`
      return { message: `${subject} accepts: ${allowed.join(', ')}.`, suggestion }
    }
    case 'const':
      return see(`${subject} accepts: ${params.allowedValue}.`)
    case 'pattern':
      return see(
        `${JSON.stringify(data)} is not a valid name. Names are letters, digits and "_", start with a lower-case letter, and have at most 63 characters.`,
      )
    case 'required':
      return see(`"${params.missingProperty}" is missing.`)
    case 'type':
      return see(`${subject} must be ${articled(String(params.type))}.`)
    case 'uniqueItems':
      return see(`${subject} must not contain a value twice.`)
    case 'minItems':
    case 'minProperties':
      return see(`${subject} must not be empty.`)
    case 'maxItems':
    case 'maxProperties':
      return see(`${subject} may have at most ${limit} entries.`)
    case 'maxLength':
      return see(`${subject} may have at most ${limit} characters.`)
    case 'minimum':
    case 'maximum':
      return see(`${subject} must be at ${keyword === 'minimum' ? 'least' : 'most'} ${limit}.`)
    default:
      return see(`${subject} ${message ?? 'is not valid'}.`)
  }
}

/** What an error is about, as the subject of a sentence: the nearest key. */
function subjectOf({ instancePath }: ErrorObject): string {
  const steps = instancePath.split('/').slice(1)
  const key = steps.findLast((step) => !/^\d+$/.test(step))
  if (key === undefined) return 'A collection'
  return key === steps.at(-1) ? `"${key}"` : `An entry of "${key}"`
}

function articled(type: string): string {
  return `${/^[aio]/.test(type) ? 'an' : 'a'} ${type}`
}

function nameDefects(collection: Collection): readonly Defect[] {
  const defect = collectionNameDefect(collection.name)
  if (defect === null) return []
  return [
    {
      pointer: '/name',
      message: `"${collection.name}" is not a valid collection name: ${defect}.`,
      suggestion: 'Choose another name.',
    },
  ]
}

function fieldsDefects(collection: Collection): readonly Defect[] {
  const seen = new Map<string, string>()
  const defects: Defect[] = []
  for (const [name, field] of Object.entries(collection.fields)) {
    const pointer = `/fields/${escapePointer(name)}`
    const reserved = fieldNameDefect(name)
    if (reserved !== null) {
      defects.push({
        pointer,
        message: `"${name}" is not a valid field name: ${reserved}.`,
        suggestion: 'Choose another name.',
      })
    }
    const twin = seen.get(name.toLowerCase())
    if (twin !== undefined) {
      const message = `"${name}" and "${twin}" differ only in case, which databases do not distinguish.`
      defects.push({ pointer, message, suggestion: 'Rename one of them.' })
    }
    seen.set(name.toLowerCase(), name)
    defects.push(...fieldDefects(field, pointer))
  }
  return defects
}

function fieldDefects(field: Field, pointer: string): readonly Defect[] {
  const defects: Defect[] = []
  const add = (key: string, message: string, suggestion: string) =>
    defects.push({ pointer: `${pointer}/${key}`, message, suggestion })
  if (field.type === 'integer') {
    for (const key of ['minimum', 'maximum', 'default'] as const) {
      const value = field[key]
      if (value !== undefined && !Number.isSafeInteger(value)) {
        add(key, `"${key}" must be a whole number that JSON represents exactly.`, 'Use at most 2^53 - 1 either way.')
      }
    }
    if (field.enum?.some((value) => !Number.isSafeInteger(value)))
      add('enum', '"enum" must contain whole numbers.', seeSchema)
  }
  if (
    (field.type === 'integer' || field.type === 'number') &&
    (field.minimum ?? -Infinity) > (field.maximum ?? Infinity)
  ) {
    add('minimum', '"minimum" is above "maximum", so no value is valid.', 'Swap them.')
  }
  if (field.type === 'string') defects.push(...stringDefects(field, pointer))
  const values = 'enum' in field ? field.enum : undefined
  const unstorable = findUnstorable({ default: field.default, enum: values })
  if (unstorable !== null) {
    defects.push({
      pointer: pointer + unstorable.pointer,
      message: `Not every database can store this value. ${unstorable.message}`,
      suggestion: 'Change the value.',
    })
  }
  if (defects.length === 0 && field.default !== undefined) {
    if (!createAjv({ allErrors: false }).compile(fieldSchema(field))(field.default)) {
      add('default', '"default" is not valid for its own field.', `Use ${accepts(field)}.`)
    }
  }
  return defects
}

function stringDefects(field: Field & { type: 'string' }, pointer: string): readonly Defect[] {
  const defects: Defect[] = []
  const add = (key: string, message: string, suggestion: string) =>
    defects.push({ pointer: `${pointer}/${key}`, message, suggestion })
  if ((field.minLength ?? 0) > (field.maxLength ?? bounds.defaultLength)) {
    add('minLength', '"minLength" is above "maxLength", so no text is valid.', 'Raise "maxLength".')
  }
  if (isInstant(field)) {
    const extra = (['pattern', 'enum', 'minLength', 'maxLength'] as const).find((key) => field[key] !== undefined)
    if (extra !== undefined)
      add(extra, `"${extra}" cannot be combined with "format".`, `Remove "${extra}" or "format".`)
  }
  if (field.pattern === undefined) return defects
  const read = readPattern(field.pattern)
  if ('defect' in read)
    add('pattern', `"pattern" is not accepted: ${read.defect}.`, 'Simplify it, or check the rest in your own code.')
  else if ((field.maxLength ?? bounds.defaultLength) > bounds.patternedLength) {
    const suggestion = `Add "maxLength": ${bounds.patternedLength} or less.`
    add('pattern', `A field with "pattern" may have at most ${bounds.patternedLength} characters.`, suggestion)
  }
  return defects
}

function referenceDefects(collection: Collection): readonly Defect[] {
  const defects: Defect[] = []
  const known = Object.keys(collection.fields).join(', ')
  const unknown = (name: string, pointer: string) => {
    if (Object.hasOwn(collection.fields, name)) return false
    defects.push({
      pointer,
      message: `"${name}" is not a field of this collection.`,
      suggestion: `Its fields are ${known}.`,
    })
    return true
  }
  for (const [at, name] of (collection.required ?? []).entries()) unknown(name, `/required/${at}`)
  for (const [at, index] of (collection.indexes ?? []).entries()) {
    for (const [position, name] of index.fields.entries()) {
      const pointer = `/indexes/${at}/fields/${position}`
      const field = unknown(name, pointer) ? undefined : collection.fields[name]
      if (field === undefined || isIndexable(field)) continue
      defects.push({
        pointer,
        message: `"${name}" cannot be indexed in every database.`,
        suggestion: `Index numbers, booleans, date-times, or text with a "maxLength" of at most ${bounds.indexedLength}.`,
      })
    }
    const bytes = index.fields.reduce((sum, name) => sum + indexedBytesOf(collection.fields[name]), 0)
    if (bytes <= indexedBytes) continue
    const message = `The texts of this index may be too long together: ${bytes} bytes; every database can index ${indexedBytes}.`
    defects.push({ pointer: `/indexes/${at}/fields`, message, suggestion: 'Lower "maxLength", or index fewer fields.' })
  }
  return defects
}

function sumDefects(collection: Collection): readonly Defect[] {
  const defects: Defect[] = []
  for (const [name, field] of Object.entries(collection.fields)) {
    if (!('sum' in field)) continue
    const add = (message: string, suggestion: string) =>
      defects.push({ pointer: `/fields/${escapePointer(name)}/sum`, message, suggestion })
    if (field.enum !== undefined) add('"sum" cannot be combined with "enum".', 'Remove one of them.')
    if (!isRequired(collection, name))
      add('A "sum" needs a field that is never null.', `Add "${name}" to "required", and perhaps a "default".`)
    if (collection.conflict !== 'merge')
      add('"sum" has no effect without "conflict": "merge".', 'Add it to the collection, or remove "sum".')
  }
  return defects
}

/** The widest entry that every database can index; PostgreSQL's limit is 2,704 bytes. */
const indexedBytes = 2_600

/** UTF-8, and the length of the text. */
function indexedBytesOf(field: Field | undefined): number {
  return field?.type === 'string' && !isInstant(field) ? (field.maxLength ?? bounds.defaultLength) * 4 + 8 : 16
}

/** What each field may cost is small; a body has all of them. */
function costDefects({ fields }: Collection): readonly Defect[] {
  let cost = 0
  for (const [name, field] of Object.entries(fields)) {
    if (field.type !== 'string' || field.pattern === undefined) continue
    const read = readPattern(field.pattern)
    if (!('defect' in read)) cost += read.cost(field.maxLength ?? bounds.patternedLength)
    if (cost <= maxPatternCost) continue
    const message = 'With this one, the patterns of the collection could hold up the service for more than 0.1 s.'
    const suggestion = 'Simplify the patterns, lower "maxLength", or check the rest in your own code.'
    return [{ pointer: `/fields/${escapePointer(name)}/pattern`, message, suggestion }]
  }
  return []
}

function isIndexable(field: Field): boolean {
  if (field.type === 'object' || field.type === 'array') return false
  if (field.type !== 'string' || isInstant(field)) return true
  return (field.maxLength ?? bounds.defaultLength) <= bounds.indexedLength
}

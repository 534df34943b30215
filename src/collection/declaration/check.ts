import type { ErrorObject, ValidateFunction } from 'ajv'
import { nearest } from '../../config/nearest.ts'
import { createAjv, escapePointer, pointerOf } from './ajv.ts'
import { bounds, type Collection, type Field, isInstant } from './declaration.ts'
import { collectionNameDefect, fieldNameDefect } from './names.ts'
import { patternDefect } from './pattern.ts'
import { fieldSchema, takes } from './row-schema.ts'
import { collectionSchema } from './schema.ts'

/** What is wrong at one place of a declaration. */
export interface Defect {
  /** JSON pointer, `''` for the whole. */
  readonly pointer: string
  readonly message: string
  readonly suggestion: string
}

/** A declaration that may be served, or what is wrong with it. */
export type Checked =
  | { readonly collection: Collection; readonly defects: readonly [] }
  | { readonly collection: null; readonly defects: readonly Defect[] }

/** Reported of one declaration at most: the first mistakes explain the rest. */
const maxDefects = 20

const seeSchema = 'config/collection.schema.json describes what a collection may say.'

let validate: ValidateFunction<Collection> | null = null

/** Checks a declaration from a file or from code. Never throws; the value is not changed and may be used afterwards. */
export function checkCollection(value: unknown): Checked {
  validate ??= createAjv({ allErrors: true, verbose: true }).compile<Collection>(collectionSchema)
  if (!validate(value)) {
    const defects = (validate.errors ?? [])
      .filter((error) => error.keyword !== 'if')
      .slice(0, maxDefects)
      .map((error) => ({
        pointer: pointerOf(error),
        ...words(error),
      }))
    return { collection: null, defects }
  }
  const defects = [...nameDefects(value), ...fieldsDefects(value), ...referenceDefects(value)].slice(0, maxDefects)
  return defects.length > 0 ? { collection: null, defects } : { collection: value, defects: [] }
}

/** A mistake in plain words; Ajv's own are for those who know JSON Schema. */
function words({ keyword, params, message, parentSchema, data }: ErrorObject): Omit<Defect, 'pointer'> {
  if (keyword === 'additionalProperties') {
    const known = Object.keys((parentSchema?.properties ?? {}) as object).filter((name) => name !== '$schema') // Ours.
    const near = nearest(String(params.additionalProperty), known)
    const suggestion = near === null ? `Remove it; known here: ${known.join(', ')}.` : `Did you mean "${near}"?`
    return { message: 'There is no such key here.', suggestion }
  }
  if (keyword === 'required') return { message: 'It is missing.', suggestion: seeSchema }
  if (keyword === 'type') return { message: `It must be ${articled(String(params.type))}.`, suggestion: seeSchema }
  const allowed: unknown = params.allowedValues
  if (Array.isArray(allowed)) {
    const near = typeof data === 'string' ? nearest(data, allowed.map(String)) : null
    const suggestion = near === null ? seeSchema : `Did you mean "${near}"?`
    return { message: `It must be one of ${allowed.join(', ')}.`, suggestion }
  }
  return { message: `It ${message ?? 'is wrong'}.`, suggestion: seeSchema }
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
      message: `"${collection.name}" cannot be a collection: ${defect}.`,
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
        message: `"${name}" cannot be a field: ${reserved}.`,
        suggestion: 'Choose another name.',
      })
    }
    const twin = seen.get(name.toLowerCase())
    if (twin !== undefined) {
      const message = `"${name}" and "${twin}" differ only in their case, which databases do not tell apart.`
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
        add(key, 'It must be a whole number that JSON carries exactly.', 'Stay within 2^53 - 1 either way.')
      }
    }
    if (field.enum?.some((value) => !Number.isSafeInteger(value))) add('enum', 'It must hold whole numbers.', seeSchema)
  }
  if (
    (field.type === 'integer' || field.type === 'number') &&
    (field.minimum ?? -Infinity) > (field.maximum ?? Infinity)
  ) {
    add('minimum', 'The minimum is above the maximum: no value fits.', 'Exchange them.')
  }
  if (field.type === 'string') defects.push(...stringDefects(field, pointer))
  if (defects.length === 0 && field.default !== undefined) {
    if (!createAjv({ allErrors: false }).compile(fieldSchema(field))(field.default)) {
      add('default', 'The default does not fit its own field.', `Give ${takes(field)}.`)
    }
  }
  return defects
}

function stringDefects(field: Field & { type: 'string' }, pointer: string): readonly Defect[] {
  const defects: Defect[] = []
  const add = (key: string, message: string, suggestion: string) =>
    defects.push({ pointer: `${pointer}/${key}`, message, suggestion })
  if ((field.minLength ?? 0) > (field.maxLength ?? bounds.defaultLength)) {
    add('minLength', 'The least length is above the greatest: no text fits.', 'Raise "maxLength".')
  }
  if (isInstant(field)) {
    const beside = (['pattern', 'enum', 'minLength', 'maxLength'] as const).find((key) => field[key] !== undefined)
    if (beside !== undefined) add(beside, 'An instant takes no further rule.', `Remove "${beside}" or "format".`)
  }
  if (field.pattern === undefined) return defects
  const defect = patternDefect(field.pattern)
  if (defect !== null)
    add('pattern', `The pattern is not taken: ${defect}.`, 'Simplify it, or check more in your own code.')
  else if ((field.maxLength ?? bounds.defaultLength) > bounds.patternedLength) {
    const suggestion = `Add "maxLength": ${bounds.patternedLength} or less.`
    add('pattern', `Text with a pattern may have at most ${bounds.patternedLength} characters.`, suggestion)
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
      message: `"${name}" is no field of this collection.`,
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
        message: `"${name}" cannot be a key in every database.`,
        suggestion: `Index numbers, booleans, instants, or text with a "maxLength" of at most ${bounds.indexedLength}.`,
      })
    }
  }
  return defects
}

function isIndexable(field: Field): boolean {
  if (field.type === 'object' || field.type === 'array') return false
  if (field.type !== 'string' || isInstant(field)) return true
  return (field.maxLength ?? bounds.defaultLength) <= bounds.indexedLength
}

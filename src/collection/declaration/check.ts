import type { ErrorObject } from 'ajv'
import { nearest } from '../../config/nearest.ts'
import { escapePointer, pointerOf } from './ajv.ts'
import { type Defect, fieldDefects, indexableText, isIndexable, membersOf } from './check-field.ts'
import {
  bounds,
  type Collection,
  type Declared,
  type Field,
  grantsOf,
  indexesOf,
  kindOfField,
  longestOf,
  operations,
} from './declaration.ts'
import { declarationValidator } from './declaration-validator.ts'
import { collectionNameDefect, fieldNameDefect, memberPattern } from './names.ts'
import { maxPatternCost, readPattern } from './pattern.ts'

export type { Defect } from './check-field.ts'

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
    ...indexDefects(value),
    ...ownerDefects(value),
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
        return { message: '"sum" is for numbers.', suggestion: 'Remove it.' }
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
      if (params.pattern === memberPattern) return see(`${JSON.stringify(data)} is not a valid name of a member.`)
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
    defects.push(...fieldDefects(collection, name, field))
    const members = field.type === 'object' ? membersOf(field.properties) : 0
    if (members > bounds.members) {
      const message = `An object may declare at most ${bounds.members} members; this one has ${members}.`
      defects.push({ pointer: `${pointer}/properties`, message, suggestion: 'Declare those that filters compare.' })
    }
  }
  return defects
}

/** Columns of every row that an index may have, too: lists may be sorted by them. */
const indexedOwn: readonly string[] = ['createdAt', 'updatedAt', 'version']

function indexDefects(collection: Collection): readonly Defect[] {
  const defects: Defect[] = []
  const all = indexesOf(collection).length
  if (all > bounds.allIndexes) {
    const message = `A collection may have at most ${bounds.allIndexes} indexes; this one has ${all}, those of its fields included.`
    defects.push({ pointer: '/fields', message, suggestion: 'Remove "index", "unique" or "references" from some.' })
  }
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
      if (indexedOwn.includes(name) && index.unique !== true) continue
      const field = unknown(name, pointer) ? undefined : collection.fields[name]
      if (field === undefined || isIndexable(field)) continue
      defects.push({
        pointer,
        message: `"${name}" cannot be indexed in every database.`,
        suggestion: indexableText,
      })
    }
    const bytes = index.fields.reduce((sum, name) => sum + indexedBytesOf(collection.fields[name]), 0)
    if (bytes <= indexedBytes) continue
    const message = `The texts of this index may be too long together: ${bytes} bytes; every database can index ${indexedBytes}.`
    defects.push({ pointer: `/indexes/${at}/fields`, message, suggestion: 'Lower "maxLength", or index fewer fields.' })
  }
  return defects
}

/** The field that names who created a row, and grants to that caller. */
function ownerDefects(collection: Collection): readonly Defect[] {
  const { owner, fields } = collection
  if (owner === undefined) {
    const operation = operations.find((one) =>
      grantsOf(collection, one).some((grant) => (typeof grant === 'string' ? grant : grant.to) === 'owner'),
    )
    if (operation === undefined) return []
    const pointer = `/access/${collection.access?.[operation] === undefined ? 'list' : operation}`
    const message = 'A grant to "owner" needs a field that names the owner of a row.'
    return [{ pointer, message, suggestion: 'Add "owner" with the name of a text field to the collection.' }]
  }
  const field = Object.hasOwn(fields, owner) ? fields[owner] : undefined
  const isText = field?.type === 'string' && field.format === undefined && !field.enum && field.pattern === undefined
  if (isText && longestOf(field) >= bounds.ownerLength) return []
  const message = `"owner" must name a field for any text of ${bounds.ownerLength} characters.`
  const suggestion = `Declare a field such as "owner": { "type": "string", "maxLength": ${bounds.ownerLength} }.`
  return [{ pointer: '/owner', message, suggestion }]
}

/** The widest entry that every database can index; PostgreSQL's limit is 2,704 bytes. */
const indexedBytes = 2_600

/** UTF-8, and the length of the text; MariaDB has UUIDs as text. */
function indexedBytesOf(field: Field | undefined): number {
  if (field?.type !== 'string') return 16
  const kind = kindOfField(field)
  return kind === 'text' || kind === 'uuid' ? longestOf(field) * 4 + 8 : 16
}

/** What each field may cost is small; a body has all of them. */
function costDefects({ fields }: Collection): readonly Defect[] {
  let cost = 0
  for (const [name, field] of Object.entries(fields)) {
    cost += patternCost(field)
    if (cost <= maxPatternCost) continue
    const message = 'With this one, the patterns of the collection could hold up the service for more than 0.1 s.'
    const suggestion = 'Simplify the patterns, lower "maxLength" or "maxItems", or check the rest in your own code.'
    const keyword = field.type === 'array' ? '/items' : field.type === 'object' ? '/properties' : '/pattern'
    return [{ pointer: `/fields/${escapePointer(name)}${keyword}`, message, suggestion }]
  }
  return []
}

/** Of all patterns of a field, its members and its items. */
function patternCost(declared: Declared): number {
  switch (declared.type) {
    case 'string': {
      if (declared.pattern === undefined) return 0
      const read = readPattern(declared.pattern)
      return 'defect' in read ? 0 : read.cost(declared.maxLength ?? bounds.patternedLength)
    }
    case 'object':
      return Object.values(declared.properties ?? {}).reduce((sum, member) => sum + patternCost(member), 0)
    case 'array':
      return declared.items === undefined ? 0 : patternCost(declared.items) * (declared.maxItems ?? bounds.defaultItems)
    default:
      return 0
  }
}

import { createAjv, escapePointer } from './ajv.ts'
import {
  bounds,
  type Collection,
  type Declared,
  type Field,
  grantsOf,
  isRequired,
  kindOfField,
  longestOf,
  type ObjectMembers,
  referenceOf,
  type StringField,
  type TextKeywords,
} from './declaration.ts'
import { findUnstorable } from './json-limits.ts'
import { readPattern } from './pattern.ts'
import { accepts, fieldSchema } from './row-schema.ts'

/** One error in a declaration. */
export interface Defect {
  /** JSON pointer; `''` is the whole declaration. */
  readonly pointer: string
  readonly message: string
  readonly suggestion: string
}

/** Collects the defects of one field, member or item: of its keywords, or with an empty one of itself. */
type Add = (keyword: string, message: string, suggestion: string) => void

/** The errors in a field whose form is right. */
export function fieldDefects(collection: Collection, name: string, field: Field): readonly Defect[] {
  const defects: Defect[] = []
  const pointer = `/fields/${escapePointer(name)}`
  const addAt =
    (at: string): Add =>
    (keyword, message, suggestion) =>
      defects.push({ pointer: keyword === '' ? at : `${at}/${keyword}`, message, suggestion })
  const add = addAt(pointer)
  checkValues(field, pointer, addAt)
  checkMarks(collection, name, field, add)
  if (field.type === 'string') checkReference(collection, name, field, add)
  const unstorable = findUnstorable({ default: field.default, enum: 'enum' in field ? field.enum : undefined })
  if (unstorable !== null) {
    defects.push({
      pointer: pointer + unstorable.pointer,
      message: `Not every database can store this value. ${unstorable.message}`,
      suggestion: 'Change the value.',
    })
  }
  if (defects.length === 0) checkDefault(field, add)
  return defects
}

/** What the values of a field, its members and its items may be. */
function checkValues(declared: Declared, pointer: string, addAt: (at: string) => Add): void {
  const add = addAt(pointer)
  switch (declared.type) {
    case 'string':
      checkText(declared, add)
      return
    case 'integer':
    case 'number':
      checkNumber(declared, add)
      return
    case 'object':
      for (const [name, member] of Object.entries(declared.properties ?? {})) {
        const at = `${pointer}/properties/${escapePointer(name)}`
        if (name === '__proto__') addAt(at)('', '"__proto__" is not a valid name.', 'Choose another name.')
        checkValues(member, at, addAt)
      }
      return
    case 'array':
      if (declared.items !== undefined) checkValues(declared.items, `${pointer}/items`, addAt)
      return
    default:
  }
}

function checkNumber(
  field: {
    readonly type: string
    readonly minimum?: number
    readonly maximum?: number
    readonly enum?: readonly number[]
  },
  add: Add,
): void {
  if (field.type === 'integer') {
    for (const key of ['minimum', 'maximum', 'default'] as const) {
      const value: unknown = Reflect.get(field, key)
      if (value !== undefined && !Number.isSafeInteger(value)) {
        add(key, `"${key}" must be a whole number that JSON represents exactly.`, 'Use at most 2^53 - 1 either way.')
      }
    }
    if (field.enum?.some((value) => !Number.isSafeInteger(value)))
      add('enum', '"enum" must contain whole numbers.', 'Round them, or use "number".')
  }
  if ((field.minimum ?? -Infinity) > (field.maximum ?? Infinity)) {
    add('minimum', '"minimum" is above "maximum", so no value is valid.', 'Swap them.')
  }
}

/** Formats whose text may be limited further. */
const openFormats: readonly (string | undefined)[] = [undefined, 'email', 'uri']

function checkText(field: TextKeywords, add: Add): void {
  const { format, scale, pattern, minLength = 0, maxLength } = field
  if (!openFormats.includes(format)) {
    const extra = (['pattern', 'enum', 'minLength', 'maxLength'] as const).find((key) => field[key] !== undefined)
    if (extra !== undefined)
      add(extra, `"${extra}" cannot be combined with "format": "${format}".`, `Remove "${extra}" or "format".`)
  } else if (maxLength !== undefined && format !== undefined && maxLength > longestOf({ format })) {
    add('maxLength', `A field of format "${format}" has at most ${longestOf({ format })} characters.`, 'Lower it.')
  }
  if (minLength > longestOf(field)) {
    add('minLength', '"minLength" is above "maxLength", so no text is valid.', 'Raise "maxLength".')
  }
  if (format === 'decimal' && scale === undefined)
    add(
      '',
      'A decimal needs a "scale": its digits behind the point.',
      'Add "scale": 2, say. It cannot be changed later.',
    )
  if (format !== 'decimal' && scale !== undefined)
    add('scale', '"scale" is for "format": "decimal".', 'Remove it, or add the format.')
  if (pattern === undefined) return
  const read = readPattern(pattern)
  if ('defect' in read)
    add('pattern', `"pattern" is not accepted: ${read.defect}.`, 'Simplify it, or check the rest in your own code.')
  else if (longestOf(field) > bounds.patternedLength) {
    const suggestion = `Add "maxLength": ${bounds.patternedLength} or less.`
    add('pattern', `A field with "pattern" may have at most ${bounds.patternedLength} characters.`, suggestion)
  }
}

/** `private`, `readOnly`, `writeOnly`, `unique`, `index`, `sum`. */
function checkMarks(collection: Collection, name: string, field: Field, add: Add): void {
  if (field.readOnly && field.writeOnly)
    add('writeOnly', 'A field that is "readOnly" and "writeOnly" is of no use.', 'Remove one of them.')
  const mark = field.private ? 'private' : field.readOnly ? 'readOnly' : null
  const isCreatedByOthers = grantsOf(collection, 'create').some((grant) => grant !== 'admin' && grant !== 'none')
  const isGiven = field.default !== undefined || name === collection.owner
  if (mark !== null && isRequired(collection, name) && isCreatedByOthers && !isGiven)
    add(mark, `A required field that is "${mark}" needs a "default": others than the admin create rows.`, 'Add one.')
  for (const key of ['unique', 'index'] as const) {
    if (!(key in field) || isIndexable(field)) continue
    add(key, 'This field cannot be indexed in every database.', indexableText)
  }
  if (!('sum' in field)) return
  const kind = kindOfField(field)
  const isNumeric = field.type !== 'string' || kind === 'decimal' || kind === 'int64'
  if (!isNumeric) add('sum', '"sum" is for numbers: also for "decimal" and "int64".', 'Remove it.')
  if ('enum' in field && field.enum !== undefined)
    add('sum', '"sum" cannot be combined with "enum".', 'Remove one of them.')
  if (!isRequired(collection, name))
    add('sum', 'A "sum" needs a field that is never null.', `Add "${name}" to "required", and perhaps a "default".`)
  if (collection.conflict !== 'merge')
    add('sum', '"sum" has no effect without "conflict": "merge".', 'Add it to the collection, or remove "sum".')
}

function checkReference(collection: Collection, name: string, field: StringField, add: Add): void {
  const reference = referenceOf(field)
  if (reference === null) return
  if (field.format !== 'uuid')
    add('references', 'A reference has the id of a row: it needs "format": "uuid".', 'Add it.')
  if (field.default !== undefined)
    add('default', 'A new row cannot refer to the same row as all others.', 'Remove "default" or "references".')
  if (reference.onDelete === 'setNull' && isRequired(collection, name))
    add(
      'references',
      '"setNull" needs a field that may be null.',
      `Remove "${name}" from "required", or use "restrict".`,
    )
}

function checkDefault(field: Field, add: Add): void {
  if (field.default === undefined) return
  const drawn = drawnDefaults[kindOfField(field)]
  if (drawn !== undefined && field.default === drawn) return
  if (createAjv({ allErrors: false }).compile(fieldSchema(field))(field.default)) return
  const words = drawn === undefined ? '' : `, or "${drawn}"`
  add('default', '"default" is not valid for its own field.', `Use ${accepts(field)}${words}.`)
}

/** Words for values that are drawn for each row. */
const drawnDefaults: Readonly<Partial<Record<string, string>>> = { instant: 'now', date: 'today', uuid: 'uuid' }

/** What can be indexed, as a suggestion. */
export const indexableText: string = `Index numbers, booleans, dates, UUIDs, or text with a "maxLength" of at most ${bounds.indexedLength}.`

/** True if every database can index the field. */
export function isIndexable(field: Field): boolean {
  if (field.type === 'object' || field.type === 'array') return false
  return field.type !== 'string' || longestOf(field) <= bounds.indexedLength
}

/** How many members an object declares, at any depth. */
export function membersOf(properties: ObjectMembers['properties'] = {}): number {
  return Object.values(properties).reduce(
    (sum, member) => sum + 1 + (member.type === 'object' ? membersOf(member.properties) : 0),
    0,
  )
}

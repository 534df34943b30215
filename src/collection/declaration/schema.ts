import { bounds, grantees, operations, textFormats } from './declaration.ts'
import { memberPattern, namePattern } from './names.ts'

type Keywords = Readonly<Record<string, unknown>>

const description = {
  type: 'string',
  maxLength: 1_000,
  description: 'A description for people, shown in the documentation of the API.',
}

const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }

/** A keyword that is there or not. */
function mark(text: string): Keywords {
  return { const: true, description: text }
}

const common = {
  description,
  private: mark('Only the admin sees it; for everyone else the field does not exist.'),
  readOnly: mark('Only the admin may write it.'),
  writeOnly: mark('It is accepted and never answered; no one filters or sorts by it.'),
}

const keys = {
  unique: mark('No two rows have the same value. Rows without a value never conflict.'),
  index: mark('Short for an index of this field alone.'),
}

const sum = {
  const: true,
  description: 'A counter: with "conflict": "merge" the changes of both sides add up. The field must be required.',
}

const numberBounds = {
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  enum: { type: 'array', items: { type: 'number' }, minItems: 1, maxItems: 200, uniqueItems: true },
}

const textBounds = {
  minLength: count,
  maxLength: { ...count, minimum: 1, maximum: 1_000_000 },
  enum: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 200, uniqueItems: true },
  pattern: { type: 'string', description: 'Anchored by ^ and $. Needs a "maxLength" of at most 256.' },
  format: {
    enum: textFormats,
    description: 'What the text is. "decimal" and "int64" are exact numbers as text; a "decimal" needs a "scale".',
  },
  scale: {
    type: 'integer',
    minimum: 0,
    maximum: bounds.decimalScale,
    description: 'How many digits of a decimal are behind the point.',
  },
}

/** Members of an object and items of an array: scalars without the keywords of a column. */
const scalarTypes = { string: textBounds, integer: numberBounds, number: numberBounds, boolean: {} }

const items = { description: 'What each item is: then "has" finds rows by an item.', ...branches(scalarTypes) }

const references = {
  description: 'The collection of whose rows it has the id. Indexed by itself.',
  if: { type: 'object' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; no code awaits a schema.
  then: {
    required: ['collection'],
    additionalProperties: false,
    properties: {
      collection: { type: 'string', pattern: namePattern },
      onDelete: {
        enum: ['restrict', 'setNull', 'cascade'],
        description:
          'What becomes of the rows that refer to a row that is deleted. "restrict" (the default): it is not deleted.',
      },
    },
  },
  else: { type: 'string', pattern: namePattern },
}

/** One branch per type, so that errors name the keywords of that type. */
const fieldTypes = {
  string: {
    ...common,
    ...keys,
    ...textBounds,
    default: {
      type: 'string',
      description: '"now" for a date-time, "today" for a date, "uuid" for a uuid are drawn for each row.',
    },
    sum,
    references,
  },
  integer: { ...common, ...keys, ...numberBounds, default: { type: 'number' }, sum },
  number: { ...common, ...keys, ...numberBounds, default: { type: 'number' }, sum },
  boolean: { ...common, ...keys, default: { type: 'boolean' } },
  object: {
    ...common,
    maxBytes: { ...count, minimum: 2, maximum: 1_000_000 },
    default: { type: 'object' },
    properties: membersSchema(bounds.memberDepth),
  },
  array: {
    ...common,
    maxItems: { ...count, maximum: 10_000 },
    maxBytes: { ...count, minimum: 2, maximum: 1_000_000 },
    default: { type: 'array' },
    items,
  },
}

/** Members of an object, which may themselves be objects with members, as deep as is allowed. */
function membersSchema(depth: number): Keywords {
  const objects = depth > 1 ? { object: { properties: membersSchema(depth - 1) } } : {}
  return {
    type: 'object',
    description: 'Members that filters compare by their type. Others are accepted, too.',
    minProperties: 1,
    maxProperties: bounds.members,
    propertyNames: { pattern: memberPattern },
    additionalProperties: branches({ ...scalarTypes, ...objects }, { object: ['properties'] }),
  }
}

/** What a type may have; `needed`: keywords that a type must have. */
function branches(
  types: Readonly<Record<string, Keywords>>,
  needed: Readonly<Record<string, readonly string[]>> = {},
): Keywords {
  return {
    type: 'object',
    required: ['type'],
    properties: { type: { enum: Object.keys(types) } },
    allOf: Object.entries(types).map(([type, properties]) => ({
      if: { properties: { type: { const: type } }, required: ['type'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; no code awaits a schema.
      then: { required: needed[type] ?? [], properties: { type: true, ...properties }, additionalProperties: false },
    })),
  }
}

const grant = {
  if: { type: 'object' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; no code awaits a schema.
  then: {
    required: ['to', 'where'],
    additionalProperties: false,
    properties: {
      to: { enum: grantees },
      where: { type: 'object', description: 'A filter: the grant is for the rows for which it is true.' },
    },
  },
  else: { enum: grantees },
}

const access = {
  if: { type: 'array' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; no code awaits a schema.
  then: { items: grant, minItems: 1, maxItems: bounds.grants, uniqueItems: true },
  else: grant,
}

const fieldName = { type: 'string', pattern: namePattern }

/** The JSON Schema of a collection file; `config/collection.schema.json` is its copy for editors. */
export const collectionSchema: Readonly<Record<string, unknown>> = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'A Holdfast collection',
  type: 'object',
  required: ['name', 'fields'],
  additionalProperties: false,
  properties: {
    $schema: { type: 'string' },
    name: {
      type: 'string',
      pattern: namePattern,
      description: 'The name of the table and of the path: /api/<name>.',
    },
    description,
    fields: {
      type: 'object',
      description:
        'The fields of a row by name, in the order of responses. Each is declared in a subset of JSON Schema.',
      minProperties: 1,
      maxProperties: bounds.fields,
      propertyNames: { pattern: namePattern },
      additionalProperties: branches(fieldTypes),
    },
    required: {
      type: 'array',
      description: 'Fields that every row must have.',
      items: fieldName,
      maxItems: bounds.fields,
      uniqueItems: true,
    },
    indexes: {
      type: 'array',
      description: 'Groups of fields that are indexed, or unique, together.',
      maxItems: bounds.indexes,
      items: {
        type: 'object',
        required: ['fields'],
        additionalProperties: false,
        properties: {
          fields: { type: 'array', items: fieldName, minItems: 1, maxItems: bounds.indexFields, uniqueItems: true },
          unique: { type: 'boolean', default: false },
        },
      },
    },
    access: {
      type: 'object',
      description:
        'Who may do what: a grant, or several of which one suffices. Defaults to "admin"; "aggregate" to what "list" has.',
      additionalProperties: false,
      properties: Object.fromEntries(operations.map((operation) => [operation, access])),
    },
    owner: {
      ...fieldName,
      description: 'The field that names who created the row. Holdfast sets it; only the admin may write it.',
    },
    ids: {
      enum: ['server', 'client'],
      description:
        'Who gives a row its id. "client": a create may have one, and PUT creates. Defaults to "server": ids in time order.',
    },
    rateLimit: {
      type: 'object',
      description: 'How many public creates one client may make. Defaults to the limit in the settings.',
      required: ['requests', 'windowS'],
      additionalProperties: false,
      properties: {
        requests: { type: 'integer', minimum: 1, maximum: 1_000_000 },
        windowS: { type: 'integer', minimum: 1, maximum: 86_400 },
      },
    },
    maxRows: { ...count, minimum: 1, description: 'Creates above this number of rows get 507. No limit by default.' },
    durability: {
      enum: ['primary', 'journal', 'archived', 'local'],
      description: 'The minimum durability of a write. If it is not available, the write gets 503 and changes nothing.',
    },
    copy: {
      type: 'boolean',
      description:
        'Whether the rows in the primary are copied into the fallback, to be readable and writable in an outage. By default while all copies together stay below COPY_MAX_BYTES.',
    },
    conflict: {
      enum: ['park', 'merge', 'primary-wins', 'fallback-wins'],
      description:
        'What becomes of a change from an outage to a row that the primary has changed, too. Defaults to "park".',
    },
  },
}

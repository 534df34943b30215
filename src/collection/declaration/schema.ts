import { bounds, operations } from './declaration.ts'
import { namePattern } from './names.ts'

const description = {
  type: 'string',
  maxLength: 1_000,
  description: 'A description for people, shown in the documentation of the API.',
}

const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }

const numberKeywords = {
  description,
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  enum: { type: 'array', items: { type: 'number' }, minItems: 1, maxItems: 200, uniqueItems: true },
  default: { type: 'number' },
  sum: {
    const: true,
    description: 'A counter: with "conflict": "merge" the changes of both sides add up. The field must be required.',
  },
}

/** One branch per type, so that errors name the keywords of that type. */
const fieldTypes = {
  string: {
    description,
    minLength: count,
    maxLength: { ...count, minimum: 1, maximum: 1_000_000 },
    enum: { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 200, uniqueItems: true },
    pattern: { type: 'string' },
    format: { const: 'date-time' },
    default: { type: 'string' },
  },
  integer: numberKeywords,
  number: numberKeywords,
  boolean: { description, default: { type: 'boolean' } },
  object: { description, maxBytes: { ...count, minimum: 2, maximum: 1_000_000 }, default: { type: 'object' } },
  array: {
    description,
    maxItems: { ...count, maximum: 10_000 },
    maxBytes: { ...count, minimum: 2, maximum: 1_000_000 },
    default: { type: 'array' },
  },
}

const field = {
  type: 'object',
  required: ['type'],
  properties: { type: { enum: Object.keys(fieldTypes) } },
  allOf: Object.entries(fieldTypes).map(([type, properties]) => ({
    if: { properties: { type: { const: type } }, required: ['type'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; no code awaits a schema.
    then: { properties: { type: true, ...properties }, additionalProperties: false },
  })),
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
      additionalProperties: field,
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
      description: 'Who may do what. Defaults to "admin".',
      additionalProperties: false,
      properties: Object.fromEntries(operations.map((operation) => [operation, { enum: ['public', 'admin'] }])),
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
      enum: ['primary', 'journal', 'local'],
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

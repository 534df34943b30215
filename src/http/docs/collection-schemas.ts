import type { VisibleFields } from '../../collection/access/visible-fields.ts'
import { type Collection, referenceOf } from '../../collection/declaration/declaration.ts'
import { aggregateLimits } from '../../collection/query/aggregate-query.ts'
import { listLimits } from '../../collection/query/list-query.ts'
import { listFormats } from '../../collection/query/list-request.ts'
import { askedPaths, hasMorePaths } from './asked-paths.ts'
import type { Schema } from './document.ts'
import { filterSchema } from './filter-parameters.ts'
import { changeSchema, createSchema, replaceSchema, rowSchema } from './row-schemas.ts'

/** Where the schema of a component is found: of a collection's row without a part. */
export function schemaReference(collection: string, part?: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${part === undefined ? collection : `${collection}.${part}`}` }
}

/** The schemas of a collection, by the name of their component. */
export function collectionSchemas(
  collection: Collection,
  visible: VisibleFields,
  mostPaths: number,
): Readonly<Record<string, Schema>> {
  const { name } = collection
  const filter = schemaReference(name, 'filter')
  const row = schemaReference(name)
  return {
    [name]: rowSchema(collection, visible),
    [`${name}.create`]: createSchema(collection, visible, 'words'),
    [`${name}.replace`]: replaceSchema(collection, visible),
    [`${name}.change`]: changeSchema(collection, visible),
    [`${name}.item`]: itemSchema(collection, visible),
    [`${name}.page`]: pageSchema(name),
    [`${name}.rows`]: {
      type: 'object',
      properties: { items: { type: 'array', items: row } },
      required: ['items'],
    },
    [`${name}.filter`]: filterSchema(
      askedPaths(collection, visible, mostPaths),
      hasMorePaths(collection, visible, mostPaths),
      filter.$ref,
    ),
    [`${name}.query`]: querySchema(filter),
    [`${name}.groups`]: groupsSchema,
  }
}

/** The reference fields that this caller may expand, and the collections they lead to. */
export function expandable({ fields }: Collection, { asked }: VisibleFields): readonly (readonly [string, string])[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const reference = referenceOf(field)
    return reference === null || !asked.has(name) ? [] : [[name, reference.collection] as const]
  })
}

/** A row in a list: with `expand`, the rows that it refers to. */
function itemSchema(collection: Collection, visible: VisibleFields): Schema {
  const references = expandable(collection, visible)
  if (references.length === 0) return schemaReference(collection.name) as Schema
  const rows = references.map(([field, to]) => [field, { anyOf: [schemaReference(to, 'item'), { type: 'null' }] }])
  const expand: Schema = {
    type: 'object',
    description: 'The rows that `expand` names; null where there is none, or none that this caller may see.',
    properties: Object.fromEntries(rows),
  }
  return { allOf: [schemaReference(collection.name), { type: 'object', properties: { expand } }] }
}

function pageSchema(name: string): Schema {
  return {
    type: 'object',
    properties: {
      items: { type: 'array', items: schemaReference(name, 'item') },
      next: {
        type: ['string', 'null'],
        description:
          'The `cursor` of the next page; null: this is the last one. A page may be short, or empty, before it.',
      },
      count: { type: 'integer', minimum: 0, description: 'How many rows match, if `count` asked for it.' },
      countIsMore: { type: 'boolean', description: 'There are more rows than `count`.' },
      partial: { type: 'boolean', description: 'The primary, which is away, may have other rows.' },
    },
    required: ['items', 'next'],
  }
}

function querySchema(filter: { readonly $ref: string }): Schema {
  return {
    type: 'object',
    description: 'What the address of a list has, with conditions of any length.',
    properties: {
      where: filter,
      limit: { type: 'integer', minimum: 1, maximum: listLimits.rows },
      cursor: { type: 'string' },
      page: { type: 'integer', minimum: 1, maximum: listLimits.pagedRows },
      sort: { type: 'string' },
      fields: { type: 'string' },
      expand: { type: 'string' },
      count: { enum: [true, false, 'exact'] },
      format: { type: 'string', enum: [...listFormats] },
    },
    additionalProperties: false,
  }
}

const groupsSchema: Schema = {
  type: 'object',
  properties: {
    items: {
      type: 'array',
      description: 'One object for each group, with the members that `group` and `select` name.',
      items: { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean', 'null'] } },
      maxItems: aggregateLimits.answered,
    },
    isMore: { type: 'boolean', description: 'There are more groups than `limit`.' },
  },
  required: ['items', 'isMore'],
}

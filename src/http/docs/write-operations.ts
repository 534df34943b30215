import type { VisibleFields } from '../../collection/access/visible-fields.ts'
import type { Collection } from '../../collection/declaration/declaration.ts'
import { exampleRow } from '../../collection/declaration/example.ts'
import { schemaReference } from './collection-schemas.ts'
import type { Answer, Answers, ComponentReference, Schema } from './document.ts'
import { type ListedParameters, parameterReference } from './list-parameters.ts'
import { bodyOf, type DocumentedParts, emptyAnswer, jsonAnswer, writeHeaders } from './operation-parts.ts'

/** The documented operations that write. */
export type WriteOperation = 'create' | 'put' | 'replace' | 'change' | 'delete' | 'deleteMatching'

/** Rows that one request may write. */
const maxRows = 1_000

const minimal = emptyAnswer('Done; `Prefer: return=minimal` asked for no row.')

const idsSchema: Schema = {
  type: 'object',
  description: 'What `Prefer: return=minimal` leaves of several rows.',
  properties: { ids: { type: 'array', items: { type: 'string', format: 'uuid' } } },
  required: ['ids'],
}

/** How the rows of a collection are written. */
export function writeOperations(
  collection: Collection,
  visible: VisibleFields,
  parameters: ListedParameters,
): Readonly<Record<WriteOperation, DocumentedParts>> {
  const { name } = collection
  const example = exampleBody(collection, visible)
  const written = [schemaReference(name), schemaReference(name, 'rows'), idsSchema]
  return {
    create: {
      summary: `Create in ${name}`,
      description: `One row, or an array of up to ${maxRows} rows: all are written, or none.`,
      needs: ['create'],
      parameters: refer('idempotencyKey', 'preferWrite'),
      body: bodyOf(oneOrMany(name, 'create'), example),
      answers: { '201': rowAnswer('The row, or the rows.', { anyOf: written }, 'Location'), '204': minimal },
    },
    put: {
      summary: `Create or replace in ${name}`,
      description: 'An array of rows with ids. Or one row, where the parameters are exactly one unique key.',
      needs: ['create', 'update'],
      parameters: [...parameters.keys, ...refer('ifAbsent', 'preferWrite')],
      body: bodyOf({ anyOf: [schemaReference(name, 'create'), many(schemaReference(name, 'replace'))] }, example),
      answers: replaced({ anyOf: written }),
    },
    replace: {
      summary: `Create or replace a row of ${name}`,
      description:
        'Absent fields get their default, or null. An unknown id is created where clients give the ids, else 404.',
      needs: ['create', 'update'],
      parameters: refer('ifMatch', 'ifAbsent', 'preferWrite'),
      body: bodyOf(schemaReference(name, 'create'), example),
      answers: replaced(schemaReference(name)),
    },
    ...changeOperations(name, parameters),
  }
}

function changeOperations(
  name: string,
  { filter }: ListedParameters,
): Readonly<Record<'change' | 'delete' | 'deleteMatching', DocumentedParts>> {
  const types = ['application/json', 'application/merge-patch+json']
  return {
    change: {
      summary: `Change a row of ${name}`,
      description: 'Only the fields that are sent. A merge patch (RFC 7396) also merges objects, to the depth.',
      needs: ['update'],
      parameters: refer('ifMatch', 'idempotencyKey', 'preferWrite'),
      body: bodyOf(schemaReference(name, 'change'), undefined, types),
      answers: { '200': rowAnswer('The row as it is now.', schemaReference(name)), '204': minimal },
    },
    delete: {
      summary: `Delete a row of ${name}`,
      needs: ['delete'],
      parameters: refer('ifMatch', 'preferWrite'),
      answers: { '204': emptyAnswer('The row is gone.') },
    },
    deleteMatching: {
      summary: `Delete the rows of ${name} that match`,
      description: 'At least one condition. If more rows match than `max`, none is deleted.',
      needs: ['delete'],
      parameters: [...refer('max', 'idempotencyKey', 'preferWrite'), ...filter],
      answers: {
        '200': jsonAnswer('How many rows were deleted.', deletedSchema, [...writeHeaders, 'Idempotency-Replayed']),
      },
    },
  }
}

const deletedSchema: Schema = {
  type: 'object',
  properties: { deleted: { type: 'integer', minimum: 0 } },
  required: ['deleted'],
}

function replaced(schema: Schema): Answers {
  return {
    '200': rowAnswer('Replaced.', schema),
    '201': rowAnswer('Created.', schema, 'Location'),
    '204': minimal,
  }
}

function rowAnswer(description: string, schema: Schema, ...more: readonly string[]): Answer {
  return jsonAnswer(description, schema, [...writeHeaders, ...more, 'ETag', 'Idempotency-Replayed'])
}

function oneOrMany(name: string, part: string): Schema {
  return { anyOf: [schemaReference(name, part), many(schemaReference(name, part))] }
}

function many(items: Schema): Schema {
  return { type: 'array', items, minItems: 1, maxItems: maxRows }
}

function refer(...names: readonly string[]): readonly ComponentReference[] {
  return names.map(parameterReference)
}

/** A body that the collection accepts from this caller. */
function exampleBody(collection: Collection, { written }: VisibleFields): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(exampleRow(collection)).filter(([name]) => written.has(name)))
}

import { schemaReference } from './collection-schemas.ts'
import type { Answer } from './document.ts'
import { type ListedParameters, parameterReference } from './list-parameters.ts'
import { bodyOf, type DocumentedParts, jsonAnswer, readHeaders } from './operation-parts.ts'
import { headersOf } from './shared-components.ts'

/** The documented operations that read. */
export type ReadOperation = 'list' | 'query' | 'aggregate' | 'get' | 'schema'

/** How the rows of a collection are read. */
export function readOperations(
  name: string,
  parameters: ListedParameters,
): Readonly<Record<ReadOperation, DocumentedParts>> {
  const prefer = parameterReference('preferRead')
  const page = pageAnswer(name)
  return {
    list: {
      summary: `List ${name}`,
      description: 'The newest rows first. Conditions are joined by AND.',
      needs: ['list'],
      parameters: [...parameters.list, prefer],
      answers: { '200': page },
    },
    query: {
      summary: `List ${name} by a body`,
      description: 'The same as a list, for conditions that are too long for an address.',
      needs: ['list'],
      parameters: [prefer],
      body: bodyOf(schemaReference(name, 'query'), { limit: 20 }),
      answers: { '200': page },
    },
    aggregate: {
      summary: `Count and sum ${name}`,
      needs: ['aggregate'],
      parameters: [...parameters.aggregate, prefer],
      answers: { '200': jsonAnswer('The groups.', schemaReference(name, 'groups'), readHeaders) },
    },
    get: {
      summary: `Get a row of ${name}`,
      needs: ['get'],
      parameters: [parameterReference('ifMatch'), parameterReference('ifNoneMatch'), prefer],
      answers: {
        '200': jsonAnswer('The row.', schemaReference(name), [...readHeaders, 'ETag']),
        '304': { description: 'The row is still what `If-None-Match` names.' },
      },
    },
    schema: {
      summary: `The JSON Schema of ${name}`,
      needs: [],
      answers: {
        '200': {
          description: 'A JSON Schema of 2020-12.',
          content: { 'application/schema+json': { schema: { type: 'object', additionalProperties: true } } },
        },
      },
    },
  }
}

function pageAnswer(name: string): Answer {
  const lines = 'One row a line: all rows that match, unless `limit` is set.'
  const table = "For spreadsheets: text that begins like a formula gets a `'` in front."
  return {
    description: 'A page of rows. Only `next` tells whether there are more.',
    headers: headersOf(...readHeaders, 'Link'),
    content: {
      'application/json': { schema: schemaReference(name, 'page') },
      'application/x-ndjson': { schema: { type: 'string', description: lines } },
      'text/csv': { schema: { type: 'string', description: table } },
    },
  }
}

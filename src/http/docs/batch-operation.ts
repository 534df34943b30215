import { securityOf } from './collection-paths.ts'
import type { PathItem, Schema } from './document.ts'
import { parameterReference } from './list-parameters.ts'
import { bodyOf, jsonAnswer, writeHeaders } from './operation-parts.ts'
import { problemReferences } from './problem-responses.ts'

/** Operations of one batch. */
const maxOperations = 100

/** Schemas of a batch; no collection has a name that begins with a capital. */
export const batchSchemas: Readonly<Record<string, Schema>> = {
  Batch: {
    type: 'object',
    properties: {
      operations: {
        type: 'array',
        minItems: 1,
        maxItems: maxOperations,
        items: {
          type: 'object',
          properties: {
            method: { type: 'string', enum: ['POST', 'PUT', 'PATCH', 'DELETE'] },
            path: { type: 'string', description: 'As in a request of its own: `/api/<name>/<id>`.' },
            body: {},
            ifMatch: { type: 'string', description: 'The value of `If-Match`.' },
          },
          required: ['method', 'path'],
          additionalProperties: false,
        },
      },
    },
    required: ['operations'],
    additionalProperties: false,
  },
  BatchResult: {
    type: 'object',
    properties: {
      results: {
        type: 'array',
        description: 'In the order of the operations.',
        items: {
          type: 'object',
          properties: {
            status: { type: 'integer', description: 'What the operation alone would be answered with.' },
            location: { type: 'string', description: 'The path of a new row.' },
            etag: { type: 'string', description: 'The version of the row, for `If-Match`.' },
            body: { description: 'The row; absent with `return=minimal`, and of a row that is gone.' },
          },
          required: ['status'],
        },
      },
    },
    required: ['results'],
  },
}

/** `POST /api`: writes to several collections in one transaction. */
export const batchItem: PathItem = {
  post: {
    operationId: 'batch',
    summary: 'Write to several collections at once',
    description: 'One transaction: all operations are carried out, or none. Each needs what it would need alone.',
    parameters: [parameterReference('idempotencyKey'), parameterReference('preferWrite')],
    requestBody: bodyOf({ $ref: '#/components/schemas/Batch' }, undefined),
    responses: {
      '200': jsonAnswer('Each operation’s result.', { $ref: '#/components/schemas/BatchResult' }, [
        ...writeHeaders,
        'Idempotency-Replayed',
      ]),
      ...problemReferences('batch'),
    },
    security: securityOf(true),
  },
}

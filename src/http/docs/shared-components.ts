import { listLimits } from '../../collection/query/list-query.ts'
import { listFormats } from '../../collection/query/list-request.ts'
import type { ComponentReference, Header, Parameter, SecurityScheme } from './document.ts'
import { idSchema } from './value-schema.ts'

/** Parameters that operations of several collections share, by the name of their component. */
export const sharedParameters: Readonly<Record<string, Parameter>> = {
  id: { name: 'id', in: 'path', required: true, description: 'The id of the row.', schema: idSchema },
  limit: {
    name: 'limit',
    in: 'query',
    description: 'The most rows of a page. A page may have fewer: only `next` tells whether there are more.',
    schema: { type: 'integer', minimum: 1, maximum: listLimits.rows, default: listLimits.defaultRows },
  },
  cursor: {
    name: 'cursor',
    in: 'query',
    description: '`next` of the page before, unchanged, with the same sort.',
    schema: { type: 'string' },
  },
  page: {
    name: 'page',
    in: 'query',
    description: `The number of the page, from 1, up to row ${listLimits.pagedRows}. Not together with \`cursor\`.`,
    schema: { type: 'integer', minimum: 1, maximum: listLimits.pagedRows },
  },
  count: {
    name: 'count',
    in: 'query',
    description: `\`true\` adds \`count\`, up to ${listLimits.counted}. \`exact\` counts all; it needs a token.`,
    schema: { type: 'string', enum: ['true', 'exact'] },
  },
  where: {
    name: 'where',
    in: 'query',
    description:
      'Conditions as JSON, for AND, OR and NOT, like the `where` of the body of `POST .../query`: `{"OR":[{"version":1},{"version":{"gt":9}}]}`.',
    schema: { type: 'string' },
  },
  format: {
    name: 'format',
    in: 'query',
    description: 'The same as `Accept`, for links.',
    schema: { type: 'string', enum: [...listFormats] },
  },
  max: {
    name: 'max',
    in: 'query',
    required: true,
    description: 'The most rows that may match; more: 409, and nothing is deleted.',
    schema: { type: 'integer', minimum: 1, maximum: 1_000 },
  },
  preferRead: {
    name: 'Prefer',
    in: 'header',
    description: '`max-age=60`: how old, in seconds, a copy may be that answers while the primary is away.',
    schema: { type: 'string' },
  },
  preferWrite: {
    name: 'Prefer',
    in: 'header',
    description:
      '`durability=primary`, `journal`, `archived` or `local`: the least durability that is accepted, else 503. `return=minimal`: without the row.',
    schema: { type: 'string' },
  },
  idempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'A new key for each operation. A request that is repeated with its key is carried out once.',
    schema: { type: 'string', minLength: 16, maxLength: 257 },
  },
  ifMatch: {
    name: 'If-Match',
    in: 'header',
    description: 'The `ETag` that the row must have; 412 if it has changed.',
    schema: { type: 'string' },
  },
  ifNoneMatch: {
    name: 'If-None-Match',
    in: 'header',
    description: 'The `ETag` that the client has; 304 if the row is still the same.',
    schema: { type: 'string' },
  },
  ifAbsent: {
    name: 'If-None-Match',
    in: 'header',
    description: '`*`: create only; 412 if the row exists.',
    schema: { type: 'string', enum: ['*'] },
  },
}

/** Headers of answers, by the name of their component. */
export const sharedHeaders: Readonly<Record<string, Header>> = {
  ETag: { description: 'The version of the row, for `If-Match`.', schema: { type: 'string' } },
  Location: { description: 'The path of the new row.', schema: { type: 'string' } },
  Link: { description: 'The next page: `<...>; rel="next"`.', schema: { type: 'string' } },
  'Holdfast-Store': { description: 'Which database answered.', schema: { type: 'string' } },
  'Holdfast-As-Of': {
    description: 'How old the copy is that the answer is from; absent on the primary.',
    schema: { type: 'string', format: 'date-time' },
  },
  'Holdfast-Durability': {
    description: 'How durable the write is.',
    schema: {
      type: 'string',
      enum: ['local', 'local-ephemeral', 'archived', 'primary', 'primary-ephemeral', 'journal', 'journal-ephemeral'],
    },
  },
  'Holdfast-Archive-Lag': {
    description:
      'How far the archive is behind, in seconds: older changes are in it. `unknown`: it has no whole copy yet, or not all that an earlier process has left. Absent without an archive, and where the answer waited for it.',
    schema: { type: 'string' },
  },
  'Idempotency-Replayed': {
    description: '`true`: this is the first answer to the key; nothing was written now.',
    schema: { type: 'string', enum: ['true'] },
  },
}

/** References to these headers. */
export function headersOf(...names: readonly string[]): Record<string, ComponentReference> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

/** How a caller says who it is: either header. */
export const securitySchemes: Readonly<Record<string, SecurityScheme>> = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'The admin token, an API token, or a JWT of a signed-in user.',
  },
  holdfastToken: {
    type: 'apiKey',
    in: 'header',
    name: 'Holdfast-Token',
    description: 'The same, where a proxy uses `Authorization` itself.',
  },
}

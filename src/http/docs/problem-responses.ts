import { type ErrorCode, errorCatalogue } from '../../errors.ts'
import type { Answer, Answers, Schema } from './document.ts'
import type { ReadOperation } from './read-operations.ts'
import type { WriteOperation } from './write-operations.ts'

/** A documented operation. */
export type Documented = ReadOperation | WriteOperation | 'batch'

const everywhere = [
  ...['ENCODING_INVALID', 'REQUEST_INVALID', 'QUERY_INVALID', 'TOKEN_MISSING', 'TOKEN_INVALID', 'SCOPE_MISSING'],
  ...['ACCESS_DENIED', 'COLLECTION_NOT_FOUND', 'RATE_LIMITED', 'STORE_UNAVAILABLE', 'COLLECTION_UNAVAILABLE'],
  ...['AUTH_UNAVAILABLE', 'STORE_LOST', 'STORE_BUSY', 'QUERY_TIMEOUT', 'OVERLOADED', 'CLOSING'],
  ...['RESTORING', 'ARCHIVE_REQUIRED'],
] as const

const asked = [...everywhere, 'QUERY_TOO_COMPLEX', 'INCOMPLETE'] as const
const listed = [...asked, 'CURSOR_INVALID', 'QUERY_UNINDEXED', 'FORMAT_NOT_ACCEPTABLE'] as const
const bodied = ['JSON_INVALID', 'BODY_TOO_LARGE', 'CONTENT_TYPE_UNSUPPORTED', 'ROW_INVALID'] as const

const written = [
  ...everywhere,
  ...['RULE_REFUSED', 'REPLAYING', 'WRITE_DISCARDED', 'PLAN_NEEDED', 'COMMIT_UNKNOWN', 'DURABILITY_UNMET'],
  ...['ARCHIVE_UNCONFIRMED', 'STORE_READ_ONLY', 'JOURNAL_FULL', 'DISK_FULL', 'INCOMPLETE'],
] as const

const keyed = ['KEY_INVALID', 'KEY_IN_USE', 'KEY_REUSED', 'KEYS_UNAVAILABLE'] as const
const stored = ['CONFLICT', 'REFERENCE_MISSING'] as const
const added = [...written, ...bodied, ...stored, 'COLLECTION_FULL'] as const

/** The codes that each documented operation may be refused with. */
export const problemCodes: Readonly<Record<Documented, readonly ErrorCode[]>> = {
  list: listed,
  query: [...listed, ...bodied],
  aggregate: [...asked, 'FORMAT_NOT_ACCEPTABLE', 'AGGREGATE_TOO_LARGE', 'SUM_INEXACT'],
  get: [...everywhere, 'PRECONDITION_FAILED', 'ROW_NOT_FOUND', 'INCOMPLETE'],
  create: [...added, ...keyed],
  put: [...added, 'PRECONDITION_FAILED', 'ROW_NOT_FOUND'],
  replace: [...added, 'PRECONDITION_FAILED', 'ROW_NOT_FOUND'],
  change: [...written, ...bodied, ...stored, ...keyed, 'PRECONDITION_FAILED', 'ROW_NOT_FOUND'],
  delete: [...written, 'PRECONDITION_FAILED', 'ROW_NOT_FOUND', 'REFERENCED'],
  deleteMatching: [...written, ...keyed, 'QUERY_TOO_COMPLEX', 'REFERENCED', 'TOO_MANY'],
  batch: [...added, ...keyed, 'PRECONDITION_FAILED', 'ROW_NOT_FOUND', 'REFERENCED', 'METHOD_NOT_ALLOWED'],
  schema: ['QUERY_INVALID', 'COLLECTION_NOT_FOUND', 'OVERLOADED'],
}

/** Codes of requests that reach no operation, and of defects: the `default` answer of all of them. */
export const defaultCodes: readonly ErrorCode[] = [
  'HEADERS_TOO_LARGE',
  'INTERNAL_ERROR',
  'REQUEST_TIMEOUT',
  'URL_TOO_LONG',
]

/** What every error is answered as (RFC 9457). */
export const problemSchema: Schema = {
  type: 'object',
  description: 'An error (RFC 9457).',
  properties: {
    type: { type: 'string', format: 'uri-reference', description: 'A page that explains the code.' },
    title: { type: 'string', description: 'What is wrong.' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'What programs compare.' },
    detail: { type: 'string', description: 'What is special about this occurrence.' },
    hint: { type: 'string', description: 'What to do.' },
    errors: {
      type: 'array',
      description: 'Each invalid field by JSON pointer into the body.',
      items: {
        type: 'object',
        properties: { pointer: { type: 'string' }, message: { type: 'string' } },
        required: ['pointer', 'message'],
      },
    },
    operation: { type: 'integer', description: 'The operation of a batch that failed, from 0.' },
    requestId: { type: 'string', description: 'The id of this request in the log.' },
  },
  required: ['type', 'title', 'status', 'code', 'hint'],
}

/** The errors of an operation, by status, as references into the components. */
export function problemReferences(operation: Documented): Answers {
  const names = [...byStatus(operation).keys()].map((status) => [status, `${operation}.${status}`] as const)
  return Object.fromEntries(
    [...names, ['default', 'default'] as const].map(([status, name]) => [
      status,
      { $ref: `#/components/responses/${name}` },
    ]),
  )
}

/** All errors of all operations, by the name of their component. */
export function problemResponses(): Readonly<Record<string, Answer>> {
  const operations = Object.keys(problemCodes) as readonly Documented[] // Its own keys.
  const responses = operations.flatMap((operation) =>
    [...byStatus(operation)].map(([status, codes]) => [`${operation}.${status}`, problemResponse(codes)] as const),
  )
  return { ...Object.fromEntries(responses), default: problemResponse(defaultCodes) }
}

function problemResponse(codes: readonly ErrorCode[]): Answer {
  const narrowed: Schema = { type: 'object', properties: { code: { enum: [...codes] } } }
  const schema: Schema = { allOf: [{ $ref: '#/components/schemas/Problem' }, narrowed] }
  return {
    description: codes.map((code) => `\`${code}\`: ${errorCatalogue[code].title}`).join('\n\n'),
    content: { 'application/problem+json': { schema, example: exampleOf(codes) } },
  }
}

/** Without it, the page would show each member of the schema at each status. */
function exampleOf([code]: readonly ErrorCode[]): object | undefined {
  if (code === undefined) return undefined
  const { title, status } = errorCatalogue[code]
  return { type: `/errors/${code}`, title, status, code }
}

function byStatus(operation: Documented): ReadonlyMap<string, readonly ErrorCode[]> {
  const found = new Map<string, ErrorCode[]>()
  for (const code of [...problemCodes[operation]].sort()) {
    const status = String(errorCatalogue[code].status)
    const codes = found.get(status)
    if (codes === undefined) found.set(status, [code])
    else codes.push(code)
  }
  return new Map([...found].sort(([one], [other]) => Number(one) - Number(other)))
}

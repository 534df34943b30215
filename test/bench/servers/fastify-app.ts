import Fastify, { type FastifyError, type FastifyReply } from 'fastify'
import { v7 } from 'uuid'
import {
  bodyLimitBytes,
  etagOf,
  type FeedbackRow,
  type FeedbackStore,
  type Fields,
  printListening,
  uuid,
} from './feedback.ts'

const fields = {
  rating: { type: 'integer', minimum: 1, maximum: 5 },
  comment: { type: 'string', nullable: true, maxLength: 2000 },
  model: { type: 'string', nullable: true, maxLength: 200 },
  meta: { type: 'object', nullable: true, additionalProperties: true },
} as const

const changeSchema = { type: 'object', additionalProperties: false, properties: fields } as const

const rowSchema = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    ...fields,
    createdAt: { type: 'string', format: 'date-time' },
    updatedAt: { type: 'string', format: 'date-time' },
    version: { type: 'integer' },
  },
} as const

const pageSchema = {
  type: 'object',
  properties: { items: { type: 'array', items: rowSchema }, next: { type: 'string', nullable: true } },
} as const

const querySchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    limit: { type: 'string', pattern: '^([1-9][0-9]?|100)$', default: '20' },
    cursor: { type: 'string', format: 'uuid' },
  },
} as const

interface ById {
  Params: { id: string }
}

/** Serves the collection as a good engineer would with Fastify: schemas for what comes in and for what goes out. */
export async function serveFastify(store: FeedbackStore<Date>, port: number): Promise<void> {
  const app = Fastify({
    bodyLimit: bodyLimitBytes,
    // By default a body's types are converted and its unknown fields dropped.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  })
  app.setErrorHandler<FastifyError>(({ validation, statusCode = 500 }, _req, reply) =>
    validation
      ? reply.code(422).send({ title: 'The row is wrong.' })
      : reply.code(statusCode).send({ title: 'It failed.' }),
  )
  app.get('/health', () => ({ status: 'pass' }))
  const listOptions = { schema: { querystring: querySchema, response: { 200: pageSchema } } }
  app.get<{ Querystring: { limit: string; cursor?: string } }>('/api/feedback', listOptions, async ({ query }) => {
    const limit = Number(query.limit)
    const rows = await store.list(limit + 1, query.cursor)
    const items = rows.length > limit ? rows.slice(0, limit) : rows
    return { items, next: rows.length > limit ? items.at(-1)?.id : null }
  })
  const createSchema = { body: { ...changeSchema, required: ['rating'] }, response: { 201: rowSchema } }
  app.post<{ Body: Fields & { rating: number } }>(
    '/api/feedback',
    { schema: createSchema },
    async ({ body }, reply) => {
      const { rating, comment = null, model = null, meta = null } = body
      const now = new Date()
      const row = { id: v7(), rating, comment, model, meta, createdAt: now, updatedAt: now, version: 1 }
      await store.insert(row, now)
      reply.code(201).header('location', `/api/feedback/${row.id}`).header('etag', etagOf(row))
      return row
    },
  )
  app.get<ById>('/api/feedback/:id', { schema: { response: { 200: rowSchema } } }, async ({ params: { id } }, reply) =>
    sendRow(reply, uuid.test(id) ? await store.get(id) : undefined),
  )
  app.patch<ById & { Body: Fields }>(
    '/api/feedback/:id',
    { schema: { body: changeSchema, response: { 200: rowSchema } } },
    async ({ params: { id }, body }, reply) => {
      if (!uuid.test(id)) return sendRow(reply, undefined)
      const isEmpty = Object.keys(body).length === 0
      return sendRow(reply, await (isEmpty ? store.get(id) : store.change(id, body, new Date())))
    },
  )
  app.delete<ById>('/api/feedback/:id', async ({ params: { id } }, reply) =>
    uuid.test(id) && (await store.remove(id)) ? reply.code(204).send() : sendRow(reply, undefined),
  )
  printListening(Number(new URL(await app.listen({ port, host: '127.0.0.1' })).port))
  process.on('SIGTERM', () => process.exit(0))
}

function sendRow(reply: FastifyReply, row: FeedbackRow<Date> | undefined): FastifyReply {
  return row === undefined
    ? reply.code(404).send({ title: 'There is no row with this id.' })
    : reply.header('etag', etagOf(row)).send(row)
}

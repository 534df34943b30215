import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import polka from 'polka'
import { v7 } from 'uuid'
import {
  type AskedStore,
  bodyLimitBytes,
  bulkLimitBytes,
  etagOf,
  type FeedbackRow,
  type FeedbackStore,
  type Fields,
  printListening,
  type Soon,
  uuid,
} from './feedback.ts'

const fields = new Set(['rating', 'comment', 'model', 'meta'])

/** Rows of one part of a stream. */
const streamRows = 500

/** One row, or many. */
type Body = Record<string, unknown> | Record<string, unknown>[]

/** Serves the collection as somebody would by hand: Polka, one `writeHead` per answer, validation in plain code. */
export function serveByHand(store: AskedStore, port: number): void {
  const app = polka({
    onError: (_error, _req, res) => send(res, 500, { title: 'Something went wrong.' }),
  })
    .get('/health', (_req, res) => send(res, 200, { status: 'pass' }))
    .get('/api/feedback', (req, res) => {
      const limit = Number(req.query.limit ?? 20)
      const { cursor, model, format } = req.query
      if (format === 'ndjson') {
        stream(store, res).catch(() => res.destroy())
        return
      }
      if (!Number.isInteger(limit) || limit < 1 || limit > 100) return send(res, 400, { title: 'The limit is wrong.' })
      const rows =
        typeof model === 'string'
          ? store.listOf(model, limit + 1)
          : store.list(limit + 1, typeof cursor === 'string' ? cursor : undefined)
      answer(res, rows, (found) => sendPage(res, found, limit))
    })
    .post('/api/feedback', (req, res) => readJson(req, res, (body) => create(store, body, res), true))
    .get('/api/feedback/:id', (req, res) => {
      const id = idOf(req.params, res)
      if (id !== null) answer(res, store.get(id), (row) => sendRow(res, row))
    })
    .patch('/api/feedback/:id', (req, res) => {
      const id = idOf(req.params, res)
      if (id !== null) readJson(req, res, (body) => change(store, id, body, res))
    })
    .delete('/api/feedback/:id', (req, res) => {
      const id = idOf(req.params, res)
      if (id !== null)
        answer(res, store.remove(id), (isRemoved) => (isRemoved ? res.writeHead(204).end() : absent(res)))
    })
  app.listen(port, '127.0.0.1', () => {
    const address = app.server?.address()
    printListening(typeof address === 'object' && address !== null ? address.port : 0)
  })
  process.on('SIGTERM', () => process.exit(0))
}

/** Not `await`: a value that is there is answered at once. */
function answer<T>(res: ServerResponse, value: Soon<T>, use: (value: T) => unknown): void {
  if (!(value instanceof Promise)) use(value)
  else value.then(use).catch(() => send(res, 500, { title: 'Something went wrong.' }))
}

/** All rows, in constant memory. */
async function stream(store: FeedbackStore, res: ServerResponse): Promise<void> {
  res.writeHead(200, { 'content-type': 'application/x-ndjson' })
  let rows = await store.list(streamRows, undefined)
  while (rows.length > 0) {
    if (!res.write(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))) await once(res, 'drain')
    rows = await store.list(streamRows, rows.at(-1)?.id)
  }
  res.end()
}

function create(store: AskedStore, body: Body, res: ServerResponse): void {
  const now = new Date()
  const time = now.toISOString()
  if (Array.isArray(body)) {
    createAll(
      store,
      body.map((one) => rowOf(one, time)),
      now,
      res,
    )
    return
  }
  const row = rowOf(body, time)
  if (row === null) send(res, 422, { title: 'The row is wrong.' })
  else {
    answer(res, store.insert(row, now), () =>
      send(res, 201, row, { location: `/api/feedback/${row.id}`, etag: etagOf(row) }),
    )
  }
}

function createAll(store: AskedStore, rows: readonly (FeedbackRow | null)[], now: Date, res: ServerResponse): void {
  const items = rows.flatMap((row) => row ?? [])
  if (items.length < rows.length) send(res, 422, { title: 'A row is wrong.' })
  else answer(res, store.insertAll(items, now), () => send(res, 201, { items }))
}

function rowOf(body: Record<string, unknown>, time: string): FeedbackRow | null {
  if (body.rating === undefined || !isValid(body)) return null
  const { rating, comment = null, model = null, meta = null } = body as Fields & { rating: number } // Checked.
  return { id: v7(), rating, comment, model, meta, createdAt: time, updatedAt: time, version: 1 }
}

function change(store: FeedbackStore, id: string, body: Body, res: ServerResponse): void {
  if (Array.isArray(body) || !isValid(body)) {
    send(res, 422, { title: 'The row is wrong.' })
    return
  }
  const isEmpty = Object.keys(body).length === 0
  answer(res, isEmpty ? store.get(id) : store.change(id, body, new Date()), (row) => sendRow(res, row))
}

function isValid(body: Record<string, unknown>): body is Fields & Record<string, unknown> {
  const { rating = 1, comment, model, meta } = body
  if (typeof rating !== 'number' || !Number.isInteger(rating) || rating < 1 || rating > 5) return false
  if (!isText(comment, 2000) || !isText(model, 200)) return false
  if (meta !== undefined && meta !== null && (typeof meta !== 'object' || Array.isArray(meta))) return false
  return Object.keys(body).every((key) => fields.has(key))
}

function isText(value: unknown, max: number): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.length <= max)
}

function idOf({ id = '' }: Readonly<Record<string, string>>, res: ServerResponse): string | null {
  if (uuid.test(id)) return id
  absent(res)
  return null
}

function readJson(req: IncomingMessage, res: ServerResponse, use: (body: Body) => void, mayBeMany = false): void {
  const limitBytes = mayBeMany ? bulkLimitBytes : bodyLimitBytes
  const parts: Buffer[] = []
  let bytes = 0
  req.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes <= limitBytes) parts.push(part)
  })
  req.on('end', () => {
    if (bytes > limitBytes) return send(res, 413, { title: 'The body is too large.' })
    const body = parse(Buffer.concat(parts).toString('utf8'))
    if (body === null) send(res, 400, { title: 'The body is not a JSON object.' })
    else use(body)
  })
}

function parse(text: string): Body | null {
  try {
    const body: unknown = JSON.parse(text)
    if (Array.isArray(body)) return body.every(isObject) ? body : null
    return isObject(body) ? { ...body } : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function sendPage(res: ServerResponse, rows: readonly FeedbackRow[], limit: number): void {
  const items = rows.length > limit ? rows.slice(0, limit) : rows
  send(res, 200, { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null })
}

function sendRow(res: ServerResponse, row: FeedbackRow | undefined): void {
  if (row === undefined) absent(res)
  else send(res, 200, row, { etag: etagOf(row) })
}

function absent(res: ServerResponse): void {
  send(res, 404, { title: 'There is no row with this id.' })
}

function send(res: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body)
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  res.end(text)
}

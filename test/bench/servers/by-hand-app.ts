import type { IncomingMessage, ServerResponse } from 'node:http'
import polka from 'polka'
import { v7 } from 'uuid'
import {
  bodyLimitBytes,
  etagOf,
  type FeedbackRow,
  type FeedbackStore,
  type Fields,
  printListening,
  type Soon,
  uuid,
} from './feedback.ts'

const fields = new Set(['rating', 'comment', 'model', 'meta'])

/** Serves the collection as somebody would by hand: Polka, one `writeHead` per answer, validation in plain code. */
export function serveByHand(store: FeedbackStore, port: number): void {
  const app = polka({
    onError: (_error, _req, res) => send(res, 500, { title: 'Something went wrong.' }),
  })
    .get('/health', (_req, res) => send(res, 200, { status: 'pass' }))
    .get('/api/feedback', (req, res) => {
      const limit = Number(req.query.limit ?? 20)
      const { cursor } = req.query
      if (!Number.isInteger(limit) || limit < 1 || limit > 100) return send(res, 400, { title: 'The limit is wrong.' })
      const rows = store.list(limit + 1, typeof cursor === 'string' ? cursor : undefined)
      answer(res, rows, (found) => sendPage(res, found, limit))
    })
    .post('/api/feedback', (req, res) => readJson(req, res, (body) => create(store, body, res)))
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

function create(store: FeedbackStore, body: Record<string, unknown>, res: ServerResponse): void {
  if (body.rating === undefined || !isValid(body)) {
    send(res, 422, { title: 'The row is wrong.' })
    return
  }
  const now = new Date()
  const time = now.toISOString()
  const { rating, comment = null, model = null, meta = null } = body as Fields & { rating: number } // Checked.
  const row = { id: v7(), rating, comment, model, meta, createdAt: time, updatedAt: time, version: 1 }
  answer(res, store.insert(row, now), () =>
    send(res, 201, row, { location: `/api/feedback/${row.id}`, etag: etagOf(row) }),
  )
}

function change(store: FeedbackStore, id: string, body: Record<string, unknown>, res: ServerResponse): void {
  if (!isValid(body)) {
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

function readJson(req: IncomingMessage, res: ServerResponse, use: (body: Record<string, unknown>) => void): void {
  const parts: Buffer[] = []
  let bytes = 0
  req.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes <= bodyLimitBytes) parts.push(part)
  })
  req.on('end', () => {
    if (bytes > bodyLimitBytes) return send(res, 413, { title: 'The body is too large.' })
    const body = parse(Buffer.concat(parts).toString('utf8'))
    if (body === null) send(res, 400, { title: 'The body is not a JSON object.' })
    else use(body)
  })
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null ? { ...body } : null
  } catch {
    return null
  }
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

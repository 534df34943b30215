/**
 * The yardstick: what somebody would write by hand for this one collection, with Polka and prepared statements of
 * better-sqlite3, at the same durability (WAL, `synchronous=FULL`), with the same validation and the same JSON.
 * `node by-hand.ts <file> <port>`; prints its port as the service does.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import Database from 'better-sqlite3'
import polka from 'polka'
import { v7 } from 'uuid'

interface Row {
  readonly id: string
  readonly rating: number
  readonly comment: string | null
  readonly model: string | null
  readonly meta: string | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly version: number
}

const [file = 'by-hand.db', port = '0'] = process.argv.slice(2)
const database = new Database(file)
database.pragma('journal_mode = WAL')
database.pragma('synchronous = FULL')
database.exec(
  'create table if not exists feedback (id text primary key, rating integer not null, comment text, model text, ' +
    'meta text, createdAt integer not null, updatedAt integer not null, version integer not null) strict',
)
const insert = database.prepare('insert into feedback values (?, ?, ?, ?, ?, ?, ?, 1)')
const one = database.prepare<[string], Row>('select * from feedback where id = ?')
const first = database.prepare<[number], Row>('select * from feedback order by id desc limit ?')
const after = database.prepare<[string, number], Row>('select * from feedback where id < ? order by id desc limit ?')

const fields = new Set(['rating', 'comment', 'model', 'meta'])
const bodyLimitBytes = 64 * 1024

function send(res: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(body)
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  res.end(text)
}

function shape(row: Row): object {
  return {
    id: row.id,
    rating: row.rating,
    comment: row.comment,
    model: row.model,
    meta: row.meta === null ? null : JSON.parse(row.meta),
    createdAt: new Date(row.createdAt).toISOString(),
    updatedAt: new Date(row.updatedAt).toISOString(),
    version: row.version,
  }
}

function isText(value: unknown, max: number): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.length <= max)
}

function isValid(body: Record<string, unknown>): boolean {
  const { rating, comment, model, meta } = body
  if (typeof rating !== 'number' || !Number.isInteger(rating) || rating < 1 || rating > 5) return false
  if (!isText(comment, 2000) || !isText(model, 200)) return false
  if (meta !== undefined && meta !== null && (typeof meta !== 'object' || Array.isArray(meta))) return false
  return Object.keys(body).every((key) => fields.has(key))
}

function readBody(req: IncomingMessage, done: (text: string | null) => void): void {
  const parts: Buffer[] = []
  let bytes = 0
  req.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes <= bodyLimitBytes) parts.push(part)
  })
  req.on('end', () => done(bytes > bodyLimitBytes ? null : Buffer.concat(parts).toString('utf8')))
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null ? { ...body } : null
  } catch {
    return null
  }
}

function create(text: string, res: ServerResponse): void {
  const body = parse(text)
  if (body === null) send(res, 400, { title: 'The body is not a JSON object.' })
  else if (!isValid(body)) send(res, 422, { title: 'The row is wrong.' })
  else store(body, res)
}

function store(
  { rating, comment = null, model = null, meta = null }: Record<string, unknown>,
  res: ServerResponse,
): void {
  const now = Date.now()
  const id = v7()
  insert.run(id, rating, comment, model, meta === null ? null : JSON.stringify(meta), now, now)
  const time = new Date(now).toISOString()
  const row = { id, rating, comment, model, meta, createdAt: time, updatedAt: time, version: 1 }
  send(res, 201, row, { location: `/api/feedback/${id}`, etag: `"${id}"` })
}

const app = polka({
  onError: (_error, _req, res) => send(res, 500, { title: 'Something went wrong.' }),
})
  .get('/health', (_req, res) => send(res, 200, { status: 'pass' }))
  .get('/api/feedback', (req, res) => {
    const limit = Number(req.query.limit ?? 20)
    const cursor = req.query.cursor
    if (!Number.isInteger(limit) || limit < 1 || limit > 100) return send(res, 400, { title: 'The limit is wrong.' })
    const rows = typeof cursor === 'string' ? after.all(cursor, limit + 1) : first.all(limit + 1)
    const items = rows.slice(0, limit).map(shape)
    send(res, 200, { items, next: rows.length > limit ? (rows[limit - 1]?.id ?? null) : null })
  })
  .get('/api/feedback/:id', (req, res) => {
    const row = one.get(req.params.id ?? '')
    if (!row) return send(res, 404, { title: 'There is no row with this id.' })
    send(res, 200, shape(row), { etag: `"${row.id}"` })
  })
  .post('/api/feedback', (req, res) => {
    readBody(req, (text) => (text === null ? send(res, 413, { title: 'The body is too large.' }) : create(text, res)))
  })

app.listen(Number(port), '127.0.0.1', () => {
  const address = app.server?.address()
  const at = typeof address === 'object' && address !== null ? address.port : 0
  process.stdout.write(`${JSON.stringify({ level: 'info', event: 'http.listening', port: at })}\n`)
})
process.on('SIGTERM', () => process.exit(0))

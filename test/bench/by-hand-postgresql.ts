/**
 * The yardstick on PostgreSQL: what somebody would write by hand for this one collection, with Polka and `pg`: a pool of
 * the same size, named prepared statements, each of them its own transaction, the same validation and the same JSON.
 * `node by-hand-postgresql.ts <address> <port>`; prints its port as the service does.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import pg from 'pg'
import polka from 'polka'
import { v7 } from 'uuid'

interface Row {
  readonly id: string
  readonly rating: number
  readonly comment: string | null
  readonly model: string | null
  readonly meta: unknown
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly version: number
}

const [connectionString = '', port = '0'] = process.argv.slice(2)
// What Holdfast has by its defaults: five connections that are kept, and ten above.
const pool = new pg.Pool({ connectionString, max: 15 })
pool.on('error', () => {})
await pool.query(
  'create table if not exists feedback (id uuid primary key, rating integer not null, comment text, ' +
    'model varchar(200), meta jsonb, "createdAt" timestamptz(3) not null, "updatedAt" timestamptz(3) not null, ' +
    'version integer not null)',
)
const columns = 'id, rating, comment, model, meta, "createdAt", "updatedAt", version'
const insert = { name: 'insert', text: `insert into feedback (${columns}) values ($1, $2, $3, $4, $5, $6, $7, 1)` }
const one = { name: 'one', text: `select ${columns} from feedback where id = $1` }
const first = { name: 'first', text: `select ${columns} from feedback order by id desc limit $1` }
const after = { name: 'after', text: `select ${columns} from feedback where id < $1 order by id desc limit $2` }

const fields = new Set(['rating', 'comment', 'model', 'meta'])
const bodyLimitBytes = 64 * 1024
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

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
    meta: row.meta,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
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

async function create(text: string, res: ServerResponse): Promise<void> {
  const body = parse(text)
  if (body === null) send(res, 400, { title: 'The body is not a JSON object.' })
  else if (!isValid(body)) send(res, 422, { title: 'The row is wrong.' })
  else await store(body, res)
}

async function store(
  { rating, comment = null, model = null, meta = null }: Record<string, unknown>,
  res: ServerResponse,
): Promise<void> {
  const now = new Date()
  const id = v7()
  await pool.query({ ...insert, values: [id, rating, comment, model, meta, now, now] })
  const time = now.toISOString()
  const row = { id, rating, comment, model, meta, createdAt: time, updatedAt: time, version: 1 }
  send(res, 201, row, { location: `/api/feedback/${id}`, etag: `"${id}"` })
}

function failed(res: ServerResponse): (error: unknown) => void {
  return () => send(res, 500, { title: 'Something went wrong.' })
}

async function list(limit: number, cursor: unknown, res: ServerResponse): Promise<void> {
  const query =
    typeof cursor === 'string' ? { ...after, values: [cursor, limit + 1] } : { ...first, values: [limit + 1] }
  const { rows } = await pool.query<Row>(query)
  const items = rows.slice(0, limit).map(shape)
  send(res, 200, { items, next: rows.length > limit ? (rows[limit - 1]?.id ?? null) : null })
}

async function get(id: string, res: ServerResponse): Promise<void> {
  const { rows } = await pool.query<Row>({ ...one, values: [id] })
  const [row] = rows
  if (row === undefined) send(res, 404, { title: 'There is no row with this id.' })
  else send(res, 200, shape(row), { etag: `"${row.id}"` })
}

const app = polka({
  onError: (_error, _req, res) => send(res, 500, { title: 'Something went wrong.' }),
})
  .get('/health', (_req, res) => send(res, 200, { status: 'pass' }))
  .get('/api/feedback', (req, res) => {
    const limit = Number(req.query.limit ?? 20)
    if (!Number.isInteger(limit) || limit < 1 || limit > 100) return send(res, 400, { title: 'The limit is wrong.' })
    list(limit, req.query.cursor, res).catch(failed(res))
  })
  .get('/api/feedback/:id', (req, res) => {
    const id = req.params.id ?? ''
    if (!uuid.test(id)) return send(res, 404, { title: 'There is no row with this id.' })
    get(id, res).catch(failed(res))
  })
  .post('/api/feedback', (req, res) => {
    readBody(req, (text) => {
      if (text === null) send(res, 413, { title: 'The body is too large.' })
      else create(text, res).catch(failed(res))
    })
  })

app.listen(Number(port), '127.0.0.1', () => {
  const address = app.server?.address()
  const at = typeof address === 'object' && address !== null ? address.port : 0
  process.stdout.write(`${JSON.stringify({ level: 'info', event: 'http.listening', port: at })}\n`)
})
process.on('SIGTERM', () => process.exit(0))

/**
 * The yardstick on PostgreSQL: what somebody would write by hand for this one collection, with Polka and `pg`: a pool of
 * the same size, named prepared statements, each of them its own transaction, the same validation and the same JSON.
 * `node by-hand-postgresql.js <address> <port>`; prints its port as the service does.
 */
import pg from 'pg'
import { serveByHand } from './by-hand-app.ts'
import { createTable, type FeedbackRow } from './feedback.ts'

type Stored = FeedbackRow<Date>

const [connectionString = '', port = '0'] = process.argv.slice(2)
// What Holdfast has by its defaults: five connections that are kept, and ten above.
const pool = new pg.Pool({ connectionString, max: 15 })
pool.on('error', () => {})
await pool.query(createTable.postgresql)
const columns = 'id, rating, comment, model, meta, "createdAt", "updatedAt", version'
const insert = { name: 'insert', text: `insert into feedback (${columns}) values ($1, $2, $3, $4, $5, $6, $7, $8)` }
const one = { name: 'one', text: `select ${columns} from feedback where id = $1` }
const first = { name: 'first', text: `select ${columns} from feedback order by id desc limit $1` }
const after = { name: 'after', text: `select ${columns} from feedback where id < $1 order by id desc limit $2` }
const ofModel = {
  name: 'ofModel',
  text: `select ${columns} from feedback where model = $1 order by id desc limit $2`,
}
const insertAll = {
  name: 'insertAll',
  text:
    `insert into feedback (${columns}) select id, rating, comment, model, meta, $2, $2, version ` +
    'from json_to_recordset($1) as row (id uuid, rating integer, comment text, model text, meta jsonb, version integer)',
}
const remove = { name: 'remove', text: 'delete from feedback where id = $1' }
const change = {
  name: 'change',
  text:
    'update feedback set rating = coalesce($2, rating), comment = case when $3 then $4 else comment end, ' +
    'model = case when $5 then $6 else model end, meta = case when $7 then $8::jsonb else meta end, ' +
    `"updatedAt" = $9, version = version + 1 where id = $1 returning ${columns}`,
}

serveByHand(
  {
    async list(limit, cursor) {
      const query = cursor === undefined ? { ...first, values: [limit] } : { ...after, values: [cursor, limit] }
      return (await pool.query<Stored>(query)).rows.map(shape)
    },
    async get(id) {
      const [row] = (await pool.query<Stored>({ ...one, values: [id] })).rows
      return row && shape(row)
    },
    listOf: async (model, limit) => (await pool.query<Stored>({ ...ofModel, values: [model, limit] })).rows.map(shape),
    insertAll: (rows, now) => pool.query({ ...insertAll, values: [JSON.stringify(rows), now] }),
    insert: ({ id, rating, comment, model, meta, version }, now) =>
      pool.query({ ...insert, values: [id, rating, comment, model, meta, now, now, version] }),
    async change(id, { rating, comment, model, meta }, now) {
      const texts = [comment !== undefined, comment, model !== undefined, model]
      const values = [id, rating, ...texts, meta !== undefined, meta, now]
      const [row] = (await pool.query<Stored>({ ...change, values })).rows
      return row && shape(row)
    },
    remove: async (id) => ((await pool.query({ ...remove, values: [id] })).rowCount ?? 0) > 0,
  },
  Number(port),
)

function shape(row: Stored): FeedbackRow {
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

/**
 * The yardstick: what somebody would write by hand for this one collection, with Polka and prepared statements of
 * better-sqlite3, at the same durability (WAL, `synchronous=FULL`), with the same validation and the same JSON.
 * `node by-hand.js <file> <port>`; prints its port as the service does.
 */
import Database from 'better-sqlite3'
import { serveByHand } from './by-hand-app.ts'
import { createTable, type FeedbackRow } from './feedback.ts'

interface Stored {
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
database.exec(createTable.sqlite)
const insert = database.prepare('insert into feedback values (?, ?, ?, ?, ?, ?, ?, ?)')
const one = database.prepare<[string], Stored>('select * from feedback where id = ?')
const first = database.prepare<[number], Stored>('select * from feedback order by id desc limit ?')
const after = database.prepare<[string, number], Stored>('select * from feedback where id < ? order by id desc limit ?')
const ofModel = database.prepare<[string, number], Stored>(
  'select * from feedback where model = ? order by id desc limit ?',
)
const change = database.prepare<[Record<string, unknown>], Stored>(
  'update feedback set rating = coalesce(:rating, rating), comment = iif(:hasComment, :comment, comment), ' +
    'model = iif(:hasModel, :model, model), meta = iif(:hasMeta, :meta, meta), updatedAt = :now, ' +
    'version = version + 1 where id = :id returning *',
)
const remove = database.prepare<[string]>('delete from feedback where id = ?')
const insertRow = ({ id, rating, comment, model, meta, version }: FeedbackRow, now: Date) =>
  insert.run(id, rating, comment, model, textOf(meta), now.getTime(), now.getTime(), version)

serveByHand(
  {
    list: (limit, cursor) => (cursor === undefined ? first.all(limit) : after.all(cursor, limit)).map(shape),
    get(id) {
      const row = one.get(id)
      return row && shape(row)
    },
    listOf: (model, limit) => ofModel.all(model, limit).map(shape),
    insert: insertRow,
    insertAll: database.transaction((rows: readonly FeedbackRow[], now: Date) => {
      for (const row of rows) insertRow(row, now)
    }),
    change(id, { rating = null, comment, model, meta }, now) {
      const has = { hasComment: flag(comment), hasModel: flag(model), hasMeta: flag(meta) }
      const values = { id, rating, comment, model, meta: textOf(meta ?? null), now: now.getTime(), ...has }
      // Not `get`: it leaves the statement, and with it the transaction, before the last step reports how the commit went.
      const [row] = change.all(values)
      return row && shape(row)
    },
    remove: (id) => remove.run(id).changes > 0,
  },
  Number(port),
)

function shape(row: Stored): FeedbackRow {
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

function textOf(meta: object | null): string | null {
  return meta === null ? null : JSON.stringify(meta)
}

function flag(value: unknown): number {
  return value === undefined ? 0 : 1
}

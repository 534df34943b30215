/**
 * What many people would pick instead: Fastify with schemas, Drizzle with prepared statements on better-sqlite3, at the same
 * durability (WAL, `synchronous=FULL`). `node fastify-drizzle.js <file> <port>`; prints its port as the service does.
 */
import Database from 'better-sqlite3'
import { desc, eq, lt, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { customType, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { serveFastify } from './fastify-app.ts'
import { cachedByFields, createTable, type Fields } from './feedback.ts'

const [file = 'fastify-drizzle.db', port = '0'] = process.argv.slice(2)
const database = new Database(file)
database.pragma('journal_mode = WAL')
database.pragma('synchronous = FULL')
database.exec(createTable.sqlite)

/** Drizzle's own JSON column makes the text `null` of a placeholder's null. */
const json = customType<{ data: object | null; driverData: string | null }>({
  dataType: () => 'text',
  toDriver: (value) => (value === null ? null : JSON.stringify(value)),
  fromDriver: (value) => (value === null ? null : JSON.parse(value)),
})

const feedback = sqliteTable('feedback', {
  id: text().primaryKey(),
  rating: integer().notNull(),
  comment: text(),
  model: text(),
  meta: json(),
  createdAt: integer({ mode: 'timestamp_ms' }).notNull(),
  updatedAt: integer({ mode: 'timestamp_ms' }).notNull(),
  version: integer().notNull(),
})

const db = drizzle(database)
const { placeholder } = sql
const byId = eq(feedback.id, placeholder('id'))
const first = db.select().from(feedback).orderBy(desc(feedback.id)).limit(placeholder('limit')).prepare()
const after = db
  .select()
  .from(feedback)
  .where(lt(feedback.id, placeholder('after')))
  .orderBy(desc(feedback.id))
  .limit(placeholder('limit'))
  .prepare()
const one = db.select().from(feedback).where(byId).prepare()
const insert = db
  .insert(feedback)
  .values({
    id: placeholder('id'),
    rating: placeholder('rating'),
    comment: placeholder('comment'),
    model: placeholder('model'),
    meta: placeholder('meta'),
    createdAt: placeholder('createdAt'),
    updatedAt: placeholder('updatedAt'),
    version: placeholder('version'),
  })
  .prepare()
const remove = db.delete(feedback).where(byId).prepare()

function prepareChange(names: readonly (keyof Fields)[]) {
  const given = names.map((name) => [name, sql`${sql.param(placeholder(name), feedback[name])}`])
  const updatedAt = sql`${sql.param(placeholder('now'), feedback.updatedAt)}`
  const version = sql`${feedback.version} + 1`
  return db
    .update(feedback)
    .set({ ...Object.fromEntries(given), updatedAt, version })
    .where(byId)
    .returning()
    .prepare()
}

const changeOf = cachedByFields(prepareChange)

await serveFastify(
  {
    list: (limit, cursor) => (cursor === undefined ? first.all({ limit }) : after.all({ limit, after: cursor })),
    get: (id) => one.get({ id }),
    insert: (row) => insert.run({ ...row }),
    change: (id, fields, now) => changeOf(fields).all({ ...fields, id, now })[0],
    remove: (id) => remove.run({ id }).changes > 0,
  },
  Number(port),
)

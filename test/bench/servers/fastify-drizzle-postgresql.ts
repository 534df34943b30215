/**
 * What many people would pick instead, on PostgreSQL: Fastify with schemas, Drizzle with named prepared statements on a pool
 * of `pg` of the same size. `node fastify-drizzle-postgresql.js <address> <port>`; prints its port as the service does.
 */
import { desc, eq, lt, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { customType, integer, pgTable, text, timestamp, uuid, varchar } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { serveFastify } from './fastify-app.ts'
import { cachedByFields, createTable, type Fields } from './feedback.ts'

const [connectionString = '', port = '0'] = process.argv.slice(2)
const pool = new pg.Pool({ connectionString, max: 15 })
pool.on('error', () => {})
await pool.query(createTable.postgresql)

/** Drizzle's own JSON column makes the JSON value `null` of a placeholder's null. */
const json = customType<{ data: object | null; driverData: unknown }>({
  dataType: () => 'jsonb',
  toDriver: (value) => (value === null ? null : JSON.stringify(value)),
  fromDriver: (value) => value as object | null, // `pg` has parsed it.
})

const times = { precision: 3, withTimezone: true } as const
const feedback = pgTable('feedback', {
  id: uuid().primaryKey(),
  rating: integer().notNull(),
  comment: text(),
  model: varchar({ length: 200 }),
  meta: json(),
  createdAt: timestamp(times).notNull(),
  updatedAt: timestamp(times).notNull(),
  version: integer().notNull(),
})

const db = drizzle(pool)
const { placeholder } = sql
const byId = eq(feedback.id, placeholder('id'))
const first = db.select().from(feedback).orderBy(desc(feedback.id)).limit(placeholder('limit')).prepare('first')
const after = db
  .select()
  .from(feedback)
  .where(lt(feedback.id, placeholder('after')))
  .orderBy(desc(feedback.id))
  .limit(placeholder('limit'))
  .prepare('after')
const one = db.select().from(feedback).where(byId).prepare('one')
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
  .prepare('insert')
const remove = db.delete(feedback).where(byId).prepare('remove')

function prepareChange(names: readonly (keyof Fields)[]) {
  const given = names.map((name) => [name, sql`${sql.param(placeholder(name), feedback[name])}`])
  const updatedAt = sql`${sql.param(placeholder('now'), feedback.updatedAt)}`
  const version = sql`${feedback.version} + 1`
  return db
    .update(feedback)
    .set({ ...Object.fromEntries(given), updatedAt, version })
    .where(byId)
    .returning()
    .prepare(`change ${names.join()}`)
}

const changeOf = cachedByFields(prepareChange)

await serveFastify(
  {
    list: (limit, cursor) =>
      cursor === undefined ? first.execute({ limit }) : after.execute({ limit, after: cursor }),
    get: async (id) => (await one.execute({ id }))[0],
    insert: (row) => insert.execute({ ...row }),
    change: async (id, fields, now) => (await changeOf(fields).execute({ ...fields, id, now }))[0],
    remove: async (id) => ((await remove.execute({ id })).rowCount ?? 0) > 0,
  },
  Number(port),
)

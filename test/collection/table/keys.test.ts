import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { driver as mysql } from '../../../plugins/mysql/mysql.ts'
import { driver as postgresql } from '../../../plugins/postgresql/postgresql.ts'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { ensureTables, type SchemaApply, type TableReport } from '../../../src/collection/table/tables.ts'
import { type Mariadb, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { type Cleanup, cleanupOf, makeTempDir } from '../../support/temp.ts'
import { type House, openHouse } from '../support.ts'

const customers: Collection = { name: 'customers', fields: { name: { type: 'string', maxLength: 40 } } }

const orders: Collection = {
  name: 'orders',
  fields: {
    customer: { type: 'string', format: 'uuid', references: 'customers' },
    number: { type: 'integer', minimum: 0, maximum: 1_000, unique: true },
    rating: { type: 'integer', index: true },
    title: { type: 'string', maxLength: 40 },
  },
  required: ['title'],
  indexes: [{ fields: ['title', 'rating'] }],
}

/** The same without its keys, as it was declared before. */
const plainOrders: Collection = {
  name: 'orders',
  fields: {
    customer: { type: 'string', format: 'uuid' },
    number: { type: 'integer', minimum: 0, maximum: 1_000 },
    rating: { type: 'integer' },
    title: { type: 'string', maxLength: 40 },
  },
  required: ['title'],
}

const nobody = '018f4d2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f'

/** A database that outlives the services that open it. */
interface Database {
  open(t: Cleanup, collections: readonly Collection[], apply?: SchemaApply): Promise<House>
}

async function reportOf(house: House): Promise<TableReport> {
  const report = house.tables.of(await house.store())
  assert.ok(report)
  return report
}

async function run(house: House, sql: string): Promise<void> {
  const { orm } = await house.store()
  await orm.em.fork().getConnection().execute(sql)
}

const codes = ({ problems }: TableReport): readonly string[] => problems.map(({ code }) => code)

/** What holds in every database. */
function conformKeys(make: (t: Cleanup) => Promise<Database>): void {
  it('adds all keys to a new table, whatever the order of the collections, and finds nothing to do afterwards', async (t) => {
    const database = await make(t)
    const first = await reportOf(await database.open(t, [orders, customers]))
    assert.deepEqual([codes(first), first.missing, first.unusable.size], [[], [], 0])
    const again = await reportOf(await database.open(t, [orders, customers]))
    assert.deepEqual([again.applied, again.missing, codes(again), again.rewriting.size], [[], [], [], 0])
  })

  it('adds keys to a table that has rows which fit them', async (t) => {
    const database = await make(t)
    const before = await database.open(t, [plainOrders, customers])
    const { value: customer } = await before.rows('customers').create({ name: 'Ada' })
    for (const number of [1, 2, null, null]) {
      await before.rows('orders').create({ title: 'x', number, customer: number === null ? null : customer.id })
    }
    const now = await database.open(t, [orders, customers])
    assert.deepEqual(codes(await reportOf(now)), [])
    assert.ok((await reportOf(now)).applied.length > 0)
    await assert.rejects(now.rows('orders').create({ title: 'x', number: 2 }), { code: 'CONFLICT' })
    await now.rows('orders').create({ title: 'x', customer: customer.id })
    assert.deepEqual((await reportOf(await database.open(t, [orders, customers]))).applied, [])
  })

  it('leaves a table with rows of the same value readable, refuses writes, and tells which rows and the SQL', async (t) => {
    const database = await make(t)
    const before = await database.open(t, [plainOrders, customers])
    const ids: string[] = []
    for (const number of [1, 1, 2]) {
      ids.push((await before.rows('orders').create({ title: 'x', number })).value.id)
    }
    const now = await database.open(t, [orders, customers])
    const report = await reportOf(now)
    assert.deepEqual(codes(report), ['TABLE_PLAN_NEEDED'])
    const [problem] = report.problems
    assert.match(problem?.message ?? '', new RegExp(`"number": ${ids[0]} and ${ids[1]}\\.`))
    const sql = problem?.suggestion.split('run, as the owner of the database: ')[1] ?? ''
    assert.match(sql, /unique/i)
    assert.equal((await now.rows('orders').get(ids[0] ?? '')).value.is, 'row')
    for (const write of [
      now.rows('orders').create({ title: 'y' }),
      now.rows('orders').change(ids[2] ?? '', { title: 'y' }, null),
      now.rows('orders').remove(ids[2] ?? '', null),
    ])
      await assert.rejects(write, { code: 'PLAN_NEEDED' })
    await now.rows('customers').create({ name: 'written' })
    await run(now, `delete from orders where id = '${ids[0]}'`)
    await run(now, sql)
    const repaired = await database.open(t, [orders, customers])
    assert.deepEqual(codes(await reportOf(repaired)), [])
    await repaired.rows('orders').create({ title: 'y', number: 3 })
  })

  it('does not look for the rows again before the key is there: looking reads the whole table', async (t) => {
    const database = await make(t)
    const before = await database.open(t, [plainOrders, customers])
    const { value: one } = await before.rows('orders').create({ title: 'x', number: 1 })
    await before.rows('orders').create({ title: 'x', number: 1 })
    const house = await database.open(t, [orders, customers])
    const [problem] = (await reportOf(house)).problems
    const store = await house.store()
    const check = async (): Promise<void> => {
      const known = house.tables.known(store, [orders, customers])
      house.tables.set(
        store,
        await ensureTables(store, [orders, customers], 'additive', AbortSignal.timeout(5_000), known),
      )
    }
    await run(house, `delete from orders where id = '${one.id}'`)
    await check()
    await assert.rejects(house.rows('orders').create({ title: 'y' }), { code: 'PLAN_NEEDED' })
    await run(house, problem?.suggestion.split('owner of the database: ')[1] ?? '')
    await check()
    await house.rows('orders').create({ title: 'y' })
  })

  it('leaves a table readable to which it may add no key, and tells the SQL', async (t) => {
    const database = await make(t)
    await reportOf(await database.open(t, [plainOrders, customers]))
    const unique: Collection = { ...plainOrders, indexes: [{ fields: ['number'], unique: true }] }
    const report = await reportOf(await database.open(t, [unique, customers], 'none'))
    assert.deepEqual(report.unusable.get('orders')?.operations, ['create', 'update', 'delete'])
    assert.match(report.missing.join(), /unique.*orders_number_unique|orders_number_unique.*unique/)
  })

  it('does the same with rows that refer to nothing', async (t) => {
    const database = await make(t)
    const before = await database.open(t, [plainOrders, customers])
    const { value: row } = await before.rows('orders').create({ title: 'x', customer: nobody })
    const now = await database.open(t, [orders, customers])
    const report = await reportOf(now)
    assert.deepEqual(codes(report), ['TABLE_PLAN_NEEDED'])
    assert.match(report.problems[0]?.message ?? '', new RegExp(`"customer" to no row of "customers": ${row.id}\\.`))
    await assert.rejects(now.rows('orders').create({ title: 'y' }), { code: 'PLAN_NEEDED' })
    await run(now, `update orders set customer = null`)
    for (const { suggestion } of report.problems) await run(now, suggestion.split('owner of the database: ')[1] ?? '')
    const repaired = await database.open(t, [orders, customers])
    assert.deepEqual([codes(await reportOf(repaired)), (await reportOf(repaired)).applied], [[], []])
  })

  it('tells of an index of an earlier release, which another has replaced', async (t) => {
    const database = await make(t)
    const before = await database.open(t, [plainOrders, customers])
    await run(before, 'create index orders_rating_index on orders (rating)')
    const report = await reportOf(await database.open(t, [orders, customers]))
    assert.deepEqual(codes(report), ['TABLE_INDEX_REPLACED'])
    assert.match(report.problems[0]?.suggestion ?? '', /drop index .orders_rating_index./)
  })

  it('keeps exact values that an EntityManager reads as they were written, and the other way round', async (t) => {
    const exact: Collection = {
      name: 'exact',
      fields: {
        price: { type: 'string', format: 'decimal', scale: 2 },
        whole: { type: 'string', format: 'decimal', scale: 0 },
        big: { type: 'string', format: 'int64' },
        day: { type: 'string', format: 'date' },
        key: { type: 'string', format: 'uuid' },
        mail: { type: 'string', format: 'email' },
        page: { type: 'string', format: 'uri' },
      },
    }
    const row = {
      price: '-9999999999999999.99',
      whole: '999999999999999999',
      big: '-9223372036854775808',
      day: '0001-01-01',
      key: nobody,
      mail: 'a@example.org',
      page: 'https://example.org/',
    }
    const house = await (await make(t)).open(t, [exact])
    assert.deepEqual((await reportOf(house)).rewriting.size, 0)
    const { value: made } = await house.rows('exact').create(row)
    const { value: read } = await house.rows('exact').get(made.id)
    assert.equal(read.is === 'row' ? read.text : '', made.text)
    assert.deepEqual({ ...JSON.parse(made.text), ...row }, JSON.parse(made.text))
    const { orm } = await house.store()
    const em = orm.em.fork()
    const entity = await em.findOneOrFail(entityOf(exact), { id: made.id })
    assert.deepEqual({ ...entity, ...row }, { ...entity })
    Object.assign(entity, { price: '0.5', big: '9007199254740993', day: '9999-12-31' })
    await em.flush()
    const { value: changed } = await house.rows('exact').get(made.id)
    const { price, big, day } = JSON.parse(changed.is === 'row' ? changed.text : '{}')
    assert.deepEqual([price, big, day], ['0.50', '9007199254740993', '9999-12-31'])
    const found = await orm.em.fork().find(entityOf(exact), { price: '0.50', big: '9007199254740993' })
    assert.equal(found.length, 1)
  })

  it('refuses a decimal with another scale than its column has', async (t) => {
    const priced = (scale: number): Collection => ({
      name: 'priced',
      fields: { price: { type: 'string', format: 'decimal', scale } },
    })
    const database = await make(t)
    await reportOf(await database.open(t, [priced(2)]))
    assert.deepEqual(codes(await reportOf(await database.open(t, [priced(2)]))), [])
    assert.deepEqual(codes(await reportOf(await database.open(t, [priced(3)]))), ['TABLE_UNFIT'])
  })
}

describe('the keys and columns of collections on SQLite', () => {
  conformKeys(async (t) => {
    const dir = await makeTempDir(t)
    return { open: async (within, collections, apply = 'additive') => openHouse(within, dir, collections, { apply }) }
  })
})

describe('the keys and columns of collections on PostgreSQL', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })
  conformKeys(async () => {
    const url = server.url(await server.createDatabase())
    return {
      open: async (t, collections, apply = 'additive') =>
        openHouse(t, await makeTempDir(t), collections, { apply, primary: { driver: postgresql, url } }),
    }
  })

  it('sort nulls first, where they are the smallest values, and end with the id', async (t) => {
    const database = await server.createDatabase()
    const primary = { driver: postgresql, url: server.url(database) }
    await reportOf(openHouse(t, await makeTempDir(t), [orders, customers], { primary }))
    const rows = await server.query("select indexdef from pg_indexes where tablename = 'orders' order by 1", database)
    const indexes = rows.map(({ indexdef }) => String(indexdef).replace(/^.* USING btree /, ''))
    assert.deepEqual(indexes.sort(), [
      '(customer NULLS FIRST, id)',
      '(id)',
      '(number NULLS FIRST)',
      '(rating NULLS FIRST, id)',
      '(title, rating NULLS FIRST, id)',
    ])
  })
})

describe('the keys and columns of collections on MariaDB', { skip: noMariadb }, () => {
  const cleanup = cleanupOf(after)
  let server: Mariadb
  before(async () => {
    server = await startMariadb(cleanup)
  })
  conformKeys(async () => {
    const url = server.url(await server.createDatabase())
    return {
      open: async (t, collections, apply = 'additive') =>
        openHouse(t, await makeTempDir(t), collections, { apply, primary: { driver: mysql, url } }),
    }
  })

  it('tell of text that a table of before sorts by the rules of a language', async (t) => {
    const database = await server.createDatabase()
    const columns = 'createdAt datetime(3), updatedAt datetime(3), version int not null default 1'
    await server.query(
      `create table customers (id varchar(36) primary key, name varchar(40) collate utf8mb4_general_ci,
       ${columns}, holdfast_attempt varchar(36)) default charset = utf8mb4 collate utf8mb4_nopad_bin`,
      database,
    )
    const primary = { driver: mysql, url: server.url(database) }
    const report = await reportOf(openHouse(t, await makeTempDir(t), [customers], { primary }))
    assert.deepEqual(codes(report), ['TABLE_ORDER_DIFFERENT'])
    assert.deepEqual([...(report.otherOrder.get('customers') ?? [])], ['name'])
    const sql = report.problems[0]?.suggestion.split('run: ')[1] ?? ''
    await server.query(sql, database)
    assert.deepEqual(codes(await reportOf(openHouse(t, await makeTempDir(t), [customers], { primary }))), [])
  })
})

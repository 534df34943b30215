import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  Collection,
  defineEntity,
  MikroORM,
  type Options,
  p,
  UniqueConstraintViolationException,
} from '@mikro-orm/mariadb'
import driver from '../../../plugins/mysql/mysql.ts'
import { type Bench, createBench, limits, urlAddress } from '../../../src/conformance/bench.ts'
import type { Candidate } from '../../../src/driver/driver.ts'
import { type Mariadb, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { cleanupOf } from '../../support/temp.ts'

const Shop = defineEntity({
  name: 'Shop',
  properties: {
    id: p.integer().primary(),
    key: p.uuid(),
    name: p.string().unique(),
    about: p.text(),
    price: p.decimal('string').precision(30).scale(10),
    stock: p.bigint('string'),
    ratio: p.double(),
    open: p.boolean(),
    at: p.datetime(3),
    meta: p.json<unknown>().nullable(),
    blob: p.blob(),
    goods: () => p.oneToMany(Good).mappedBy('shop'),
  },
})

const Good = defineEntity({
  name: 'Good',
  properties: {
    id: p.integer().primary(),
    label: p.string(),
    shop: () => p.manyToOne(Shop),
  },
})

const shop = {
  key: '0197b6a0-0000-7000-8000-000000000001',
  name: 'Straße',
  about: 'x\u{1f600}'.repeat(30_000),
  price: '12345678901234567890.0123456789',
  stock: '9007199254740993',
  ratio: 0.1 + 0.2,
  open: true,
  at: new Date('2026-03-29T01:30:00.123Z'),
  meta: { a: [1, null, { b: 'two' }], c: 'x"\\' },
  blob: Buffer.from([0, 255, 39, 92]),
} as const

describe("an application's own entities on a real MariaDB", { skip: noMariadb }, () => {
  const cleanup = cleanupOf(after)
  let server: Mariadb
  let bench: Bench
  let candidate: Candidate
  let orm: MikroORM
  before(async () => {
    server = await startMariadb(cleanup)
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
    const { target } = driver.parse(urlAddress(bench, await bench.harness.address()), bench.settings)
    assert.ok(target)
    const [first] = await driver.connect(target, limits)
    assert.ok(first)
    candidate = first
    const connection = await candidate.open(AbortSignal.timeout(3_000))
    const facts = await connection.verify({ role: 'primary', proof: 'open' }, AbortSignal.timeout(3_000))
    await connection.close()
    const engine = candidate.engine(facts)
    const options = { ...engine.ormOptions, contextName: 'mysql-entities', entities: [Shop, Good] }
    orm = new MikroORM(options as unknown as Options) // The candidate's options are those of its own driver class.
    cleanup.after(() => engine.close(orm as never, 500)) // The contract's ORM has no driver of its own in its type.
    await orm.connect()
    await orm.schema.create()
  })

  test('come back as they were written, in every type', async () => {
    const em = orm.em.fork()
    const made = em.create(Shop, { ...shop, goods: [{ label: 'one' }, { label: 'two' }, { label: 'three' }] })
    await em.flush()
    const found = await orm.em.fork().findOneOrFail(Shop, { id: made.id }, { populate: ['goods'] })
    for (const [name, value] of Object.entries(shop)) {
      const seen = found[name as keyof typeof shop]
      assert.deepEqual(seen instanceof Uint8Array ? Buffer.from(seen) : seen, value, name)
    }
    assert.ok(found.goods instanceof Collection)
    assert.equal(found.goods.length, 3)
    const [stored] = await server.query('select cast(`at` as char) as at from shop', String(orm.config.get('dbName')))
    assert.equal(stored?.at, '2026-03-29 01:30:00.123', 'in UTC, whatever the zones of the server and of this process')
    found.at = new Date('2026-10-25T00:59:59.999Z')
    found.meta = null
    found.open = false
    await orm.em.fork().persist(found).flush()
  })

  test('are found by what they hold, page by page with what belongs to them', async () => {
    const em = orm.em.fork()
    for (const name of ['b', 'B', 'b ']) em.create(Shop, { ...shop, name, goods: [{ label: name }, { label: 'x' }] })
    await em.flush()
    const find = (where: object) => orm.em.fork().find(Shop, where, { orderBy: { id: 'asc' } })
    assert.deepEqual(
      (await find({ name: 'b' })).map(({ name }) => name),
      ['b'],
    )
    assert.equal((await find({ at: shop.at })).length >= 3, true)
    assert.equal((await find({ price: shop.price })).length >= 3, true)
    const page = await orm.em
      .fork()
      .find(Shop, { goods: { label: 'x' } }, { populate: ['goods'], limit: 2, offset: 1, orderBy: { id: 'asc' } })
    assert.deepEqual(
      page.map(({ name, goods }) => [name, goods.length]),
      [
        ['B', 2],
        ['b ', 2],
      ],
    )
  })

  test('break rules with the errors that MikroORM has for them, and are upserted', async () => {
    const em = orm.em.fork()
    await assert.rejects(em.insert(Shop, { ...shop, name: 'b' }), UniqueConstraintViolationException)
    await orm.em.fork().upsert(Shop, { ...shop, name: 'b', stock: '7' })
    assert.equal((await orm.em.fork().findOneOrFail(Shop, { name: 'b' })).stock, '7')
    assert.equal(await orm.em.fork().nativeUpdate(Shop, { name: 'b' }, { stock: '7' }), 1, 'met, though nothing is new')
  })

  test('have a schema that is as MikroORM made it: nothing is to be altered', async () => {
    assert.equal((await orm.schema.getUpdateSchemaSQL({ wrap: false, safe: true })).trim(), '')
  })
})

test('a MySQL gets its own dialect and collation', async () => {
  const bench = await createBench(driver, { address: async () => '' })
  await bench.end()
  const { target } = driver.parse(urlAddress(bench, 'mysql://u:p@127.0.0.1:1/d'), bench.settings)
  assert.ok(target)
  const [candidate] = await driver.connect(target, limits)
  const facts = { version: '8.4.3', path: null, ephemeral: false, pooled: false, problems: [] }
  const options = { ...candidate?.engine(facts).ormOptions, contextName: 'mysql-itself', entities: [Shop, Good] }
  const orm = new MikroORM(options as unknown as Options) // As above.
  const sql = await orm.schema.getCreateSchemaSQL({ wrap: false })
  assert.match(sql, /create table `shop` .*`about` mediumtext not null.* collate utf8mb4_0900_bin engine = InnoDB/)
  assert.equal(orm.em.getPlatform().parseDate('2026-03-29 01:30:00.123').toISOString(), '2026-03-29T01:30:00.123Z')
})

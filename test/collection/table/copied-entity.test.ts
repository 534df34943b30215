import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { defineEntity, type EntitySchema, p, Type } from '@mikro-orm/core'
import { MikroORM as MariaDb } from '@mikro-orm/mariadb'
import { MikroORM as PostgreSql } from '@mikro-orm/postgresql'
import { driver as mysql } from '../../../plugins/mysql/mysql.ts'
import { driver as postgresql } from '../../../plugins/postgresql/postgresql.ts'
import { driver as sqlite } from '../../../plugins/sqlite/sqlite.ts'
import { copiedEntities, entityTables } from '../../../src/collection/table/copied-entity.ts'
import { DatabaseUrlResolver } from '../../../src/database/address/resolver.ts'
import { connectionSettingsOf } from '../../../src/database/machine/connection-settings.ts'
import { DatabaseEngineFactory } from '../../../src/database/store/engine-factory.ts'
import type { Store } from '../../../src/database/store/store.ts'
import type { CopyOutcome } from '../../../src/driver/facet/copy.ts'
import type { CopiedTable } from '../../../src/driver/facet/feed.ts'
import { DriverRegistry } from '../../../src/driver/registry.ts'
import { onServers } from '../../journal/servers.ts'
import { settingsFromOptions } from '../../support/settings.ts'
import { type Cleanup, cleanLater, makeTempDir } from '../../support/temp.ts'

/** A value of an application's own type, kept as a text. */
class Degrees extends Type<{ readonly degrees: number } | null, string | null> {
  override convertToDatabaseValue(value: { readonly degrees: number } | null): string | null {
    return value === null ? null : `${value.degrees}C`
  }
  override convertToJSValue(value: string | null): { readonly degrees: number } | null {
    return value === null ? null : { degrees: Number.parseFloat(value) }
  }
  override getColumnType(): string {
    return 'varchar(20)'
  }
}

const Port = defineEntity({
  name: 'Port',
  tableName: 'port',
  properties: { id: p.bigint('string').primary(), name: p.string() },
})

const Ship = defineEntity({
  name: 'Ship',
  tableName: 'ship',
  properties: {
    id: p.uuid().primary(),
    name: p.string().length(60),
    log: p.text().nullable(),
    tons: p.integer().nullable(),
    crew: p.smallint().nullable(),
    imo: p.bigint().nullable(),
    callSign: p.bigint('number').nullable(),
    hull: p.bigint('string').nullable(),
    draught: p.double().runtimeType('number').nullable(),
    beam: p.float().nullable(),
    price: p.decimal('number').precision(10).scale(2).nullable(),
    afloat: p.boolean().nullable(),
    at: p.datetime(3).nullable(),
    exactly: p.datetime(6).nullable(),
    built: p.date().nullable(),
    watch: p.time(0).nullable(),
    flag: p.enum(['red', 'green']).nullable(),
    grade: p.enum([1, 2, 3]).nullable(),
    papers: p.json<unknown>().nullable(),
    heat: p.type(Degrees).nullable(),
    home: () => p.manyToOne(Port).nullable(),
    twin: () => p.manyToOne(Ship).nullable(),
    visits: () => p.oneToMany(Visit).mappedBy('ship'),
  },
})

const Visit = defineEntity({
  name: 'Visit',
  tableName: 'visit',
  properties: { id: p.integer().primary().autoincrement(), ship: () => p.manyToOne(Ship), note: p.string() },
})

const entities = [Port, Ship, Visit] as const

/** A store of a server, or of a file next to it, with these entities. */
async function open(
  t: Cleanup,
  url: string,
  role: 'primary' | 'fallback',
  own: readonly EntitySchema[],
): Promise<Store> {
  const registry = new DriverRegistry()
  for (const driver of [sqlite, postgresql, mysql]) registry.register(driver)
  const dir = await makeTempDir(t, 'entities')
  const resolved = settingsFromOptions({ data: { dir, durable: true }, database: { url, queryTimeoutS: 5 } })
  const config = new DatabaseUrlResolver(registry).resolve(resolved, [dir])
  const target = config[role]
  assert.ok(target !== null, JSON.stringify(config.problems))
  const settings = connectionSettingsOf(resolved.settings)
  const opener = new DatabaseEngineFactory({ entities: own, settings: () => settings })
  const store = await opener.open(target, role, AbortSignal.timeout(20_000))
  cleanLater(t, () => store.close(1_000))
  return store
}

/** Copies the rows of tables, as a service does. */
async function copy(primary: Store, file: Store, tables: readonly CopiedTable[]): Promise<void> {
  const { identity } = primary.facts
  assert.ok(primary.feed !== null && file.copy !== null && identity !== undefined)
  await file.copy.begin({ identity, target: 'here' }, tables)
  const connection = await primary.feed.connect(AbortSignal.timeout(5_000))
  try {
    for (const table of tables) {
      const rows = await connection.page(identity, table, null, 1_000)
      const outcome: CopyOutcome = await file.copy.apply(table, { rows, removed: [] })
      assert.deepEqual(outcome, { written: rows.length, removed: 0, waiting: 0, refused: [] })
    }
  } finally {
    await connection.close()
  }
}

/** Values of each column that are awkward in one database or the other; null is one of each. */
const awkward = {
  log: ['', 'a\nb "c" \\ é 🙂', '01', '1.0', 'null', ' padded '],
  tons: [0, -1, 2 ** 31 - 1, -(2 ** 31)],
  crew: [0, 32_767, -32_768],
  imo: [0n, -1n, 9_007_199_254_740_993n, 9_223_372_036_854_775_807n, -9_223_372_036_854_775_808n],
  callSign: [0, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  hull: ['0', '9007199254740993', '-9223372036854775808'],
  draught: [0, 0.1, -0.1, 1e300, 5e-324, 0.1 + 0.2, 3, 1e21],
  beam: [0, 0.5, -2.25, 3, 0.1],
  price: [0, 0.1, 99_999_999.99, -1.5, 12],
  afloat: [true, false],
  at: ['1970-01-01T00:00:00.000Z', '1969-12-31T23:59:59.999Z', '2024-02-29T12:30:15.123Z', '1066-10-14T09:00:00.000Z'],
  exactly: ['2024-02-29T12:30:15.120Z', '2024-02-29T12:30:15.000Z'],
  built: ['2024-02-29', '1000-01-01', '9999-12-31'],
  watch: ['00:00:00', '23:59:59'],
  flag: ['red', 'green'],
  grade: [1, 3],
  papers: [{}, [], { b: 1, a: [2.5, null, 'x', true] }, 'a text', '{}', 7, false, { 'ä "q"': '\\' }],
  heat: [{ degrees: 21 }, { degrees: -0.5 }],
} satisfies { readonly [name: string]: readonly unknown[] }

type Sailing = Store & { readonly role: 'primary' | 'fallback' }

/** All ships of a store with their relations, as an application reads them. */
async function shipsOf(store: Sailing): Promise<readonly unknown[]> {
  const em = store.orm.em.fork()
  const found = await em.find(Ship, {}, { orderBy: { id: 'asc' }, populate: ['home', 'twin', 'visits'] })
  return found.map((ship) => ({
    ...ship,
    home: ship.home,
    twin: ship.twin?.id ?? null,
    visits: ship.visits.getItems(),
  }))
}

onServers('entities of an application', (server) => {
  async function pair(t: Cleanup, own: readonly EntitySchema[]): Promise<readonly [Sailing, Sailing]> {
    const [at, database] = [server(), await server().createDatabase()]
    const primary = await open(t, at.url(database), 'primary', own)
    for (const sql of (await primary.orm.schema.getCreateSchemaSQL()).split(';\n').filter((one) => one.trim() !== ''))
      await at.query(sql, database)
    return [primary as Sailing, (await open(t, at.url(database), 'fallback', own)) as Sailing]
  }

  test('read the same from the file as from the primary, whatever their columns hold', async (t) => {
    const [primary, file] = await pair(t, entities)
    const em = primary.orm.em.fork()
    const ports = [1n, 9_007_199_254_740_993n].map((id) => em.create(Port, { id: String(id), name: `Port ${id}` }))
    const longest = Math.max(...Object.values(awkward).map((values) => values.length))
    let twin: string | null = null
    for (let at = 0; at <= longest; at += 1) {
      const values = Object.entries(awkward).map(([name, list]) => [name, valueAt(name, list, at)])
      const home = ports[at] ?? null
      const id = randomUUID()
      em.create(Ship, { ...Object.fromEntries(values), id, name: `Ship ${at}`, home, twin })
      for (let visit = 0; visit < at % 3; visit += 1) em.create(Visit, { ship: id, note: `${at}.${visit}` })
      twin = id
    }
    await em.flush()
    const { tables, problems } = copiedEntities(primary.orm, ['Port', Ship, 'Visit'], entities)
    assert.deepEqual(problems, [])
    await copy(primary, file, tables)
    const wanted = await shipsOf(primary)
    assert.equal(wanted.length, longest + 1)
    assert.deepEqual(await shipsOf(file), wanted)
  })
})

/** Behind the last value: none. */
function valueAt(name: string, list: readonly unknown[], at: number): unknown {
  const value = list[at] ?? null
  return typeof value === 'string' && (name === 'at' || name === 'exactly') ? new Date(value) : value
}

/** A type of an application over an instant, of which SQLite gives another form than the primary. */
class Era extends Type<string, string> {
  override convertToJSValue(value: string): string {
    return value.slice(0, 4)
  }
  override getColumnType(): string {
    return 'timestamp'
  }
}

const id = (): ReturnType<ReturnType<typeof p.uuid>['primary']> => p.uuid().primary()
const Address = defineEntity({ name: 'Address', embeddable: true, properties: { street: p.string() } })
const Tag = defineEntity({ name: 'Tag', properties: { id: id() } })
const Pair = defineEntity({ name: 'Pair', properties: { a: p.integer().primary(), b: p.integer().primary() } })
const Fleet = defineEntity({
  name: 'Fleet',
  discriminatorColumn: 'kind',
  discriminatorValue: 'f',
  properties: { id: id(), kind: p.string() },
})

/** Entities that cannot be copied, with why. */
const misfits: readonly (readonly [EntitySchema, RegExp])[] = [
  [Pair, /^Its primary key has not one column\.$/],
  [Fleet, /shares its table/],
  [defineEntity({ name: 'A', schema: 'other', properties: { id: id() } }), /in the schema "other"/],
  [defineEntity({ name: 'B', tableName: 'holdfast_b', properties: { id: id() } }), /"holdfast_" are reserved/],
  [
    defineEntity({ name: 'C', properties: { id: id(), raw: p.blob() } }),
    /"raw" has a column of type "(bytea|blob|mediumblob)"/,
  ],
  [
    defineEntity({ name: 'D', properties: { id: id(), cost: p.decimal() } }),
    /"cost" is a decimal that is read as text/,
  ],
  [
    defineEntity({ name: 'E', properties: { id: id(), code: p.character().length(9) } }),
    /"code" has a column of type "char\(9\)"/,
  ],
  [defineEntity({ name: 'F', properties: { id: id(), era: p.type(Era) } }), /"era" has a type of the application/],
  [defineEntity({ name: 'G', properties: { id: id(), at: () => p.embedded(Address) } }), /"at" is embedded/],
  [defineEntity({ name: 'H', properties: { id: id(), at: () => p.embedded(Address).array() } }), /"at" is embedded/],
  [
    defineEntity({ name: 'I', properties: { id: id(), n: p.integer().formula('1') } }),
    /"n" is computed by the primary/,
  ],
  [
    defineEntity({ name: 'J', properties: { id: id(), tags: () => p.manyToMany(Tag) } }),
    /"tags" has a table of its own/,
  ],
  [
    defineEntity({ name: 'K', properties: { id: id(), pair: () => p.manyToOne(Pair) } }),
    /"pair" refers to a key of several columns/,
  ],
  [defineEntity({ name: 'L', properties: { id: p.datetime().primary() } }), /"id" is none of a UUID/],
  [
    defineEntity({ name: 'M', properties: { id: id(), at: p.string().columnType('timestamp').runtimeType('string') } }),
    /"at" is no Date/,
  ],
  [
    defineEntity({ name: 'N', properties: { id: id(), on: p.string().columnType('boolean').runtimeType('string') } }),
    /"on" is no boolean/,
  ],
  [
    defineEntity({ name: 'O', properties: { id: id(), x: p.string().fieldName('x'), X: p.string().fieldName('X') } }),
    /"x" and "X" are one/,
  ],
  [defineEntity({ name: 'P', tableName: 'TAG', properties: { id: id() } }), /"TAG" is that of another entity/],
  [defineEntity({ name: 'Q', expression: 'select 1 as n', properties: { n: p.integer() } }), /has no table/],
]

for (const [name, make] of [
  ['PostgreSQL', (own: EntitySchema[]) => new PostgreSql({ entities: own, dbName: 'none' })],
  ['MariaDB', (own: EntitySchema[]) => new MariaDb({ entities: own, dbName: 'none' })],
] as const) {
  describe(`what cannot be copied from ${name}`, () => {
    for (const [entity, why] of misfits) {
      test(`${entity.meta.className}: ${why.source}`, () => {
        const own = [entity, Tag, Pair, Address]
        const found = copiedEntities(make([...new Set(own)]), [entity], own)
        const problems = found.problems.filter((one) => one.code !== 'COPY_ENTITY_LEFT_OUT')
        assert.deepEqual(found.tables, [])
        assert.equal(problems.length, 1)
        const [{ code, severity, part, message } = { code: '', severity: '', part: '', message: '' }] = problems
        assert.deepEqual([code, severity, part], ['COPY_ENTITY_UNFIT', 'warning', entity.meta.className])
        assert.match(message.replace(/^The entity "\w+" cannot be copied into the fallback\. /, ''), why)
      })
    }

    test('an entity that is none of the application', () => {
      const { tables, problems } = copiedEntities(make([Tag]), ['Tag', 'Tug', Tag], [Tag])
      assert.deepEqual(
        tables.map((one) => one.name),
        ['tag'],
      )
      assert.deepEqual(
        problems.map(({ part, message }) => [part, message.split('. ')[1]]),
        [['Tug', 'It is not one of "entities".']],
      )
    })
  })
}

test('entities that are not named are a problem, those of relations and of tables between two among them', () => {
  const Crew = defineEntity({ name: 'Crew', properties: { id: id(), tags: () => p.manyToMany(Tag) } })
  const orm = new PostgreSql({ entities: [Crew, Pair], dbName: 'none' })
  const { problems } = copiedEntities(orm, [Crew], [Crew, Pair], (name) => name === 'Pair')
  assert.deepEqual(
    problems.map(({ code, severity }) => [code, severity]),
    [
      ['COPY_ENTITY_UNFIT', 'warning'],
      ['COPY_ENTITY_LEFT_OUT', 'warning'],
    ],
  )
  assert.match(problems[1]?.message ?? '', /: (Tag, crew_tags|crew_tags, Tag)\.$/)
  assert.deepEqual([...entityTables(orm, (name) => name === 'Pair').keys()].toSorted(), ['crew', 'crew_tags', 'tag'])
  const whole = new PostgreSql({ entities: [Tag], dbName: 'none' })
  assert.deepEqual(copiedEntities(whole, [Tag], [Tag]).problems, [])
})

test('arrays are texts where the database has none, and a misfit where it has', () => {
  const Listed = defineEntity({ name: 'Listed', properties: { id: id(), words: p.array() } })
  const inMariaDb = copiedEntities(new MariaDb({ entities: [Listed], dbName: 'none' }), [Listed], [Listed])
  assert.deepEqual(inMariaDb.tables[0]?.columns.at(-1), { name: 'words', kind: 'text' })
  const [problem] = copiedEntities(new PostgreSql({ entities: [Listed], dbName: 'none' }), [Listed], [Listed]).problems
  assert.match(problem?.message ?? '', /"words" has a column of type "text\[\]"/)
})

test('keys sort as their column does: UUIDs where the database has them, numbers, texts by their bytes', () => {
  const Keys = [
    defineEntity({ name: 'A', properties: { id: p.uuid().primary() } }),
    defineEntity({ name: 'B', properties: { id: p.bigint().primary() } }),
    defineEntity({ name: 'C', properties: { code: p.string().primary() } }),
    defineEntity({ name: 'D', properties: { id: p.uuid().columnType('uuid').primary() } }),
  ]
  const orders = (orm: Parameters<typeof copiedEntities>[0]): readonly string[] =>
    copiedEntities(orm, Keys, Keys).tables.map(({ keyOrder }) => keyOrder)
  assert.deepEqual(orders(new PostgreSql({ entities: Keys, dbName: 'none' })), ['uuid', 'number', 'bytes', 'uuid'])
  // Its own type of UUIDs compares other bytes first.
  assert.deepEqual(orders(new MariaDb({ entities: Keys, dbName: 'none' })), ['bytes', 'number', 'bytes', 'bytes'])
})

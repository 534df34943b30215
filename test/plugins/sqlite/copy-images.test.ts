import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CopiedTable, Image, ImageColumn } from '../../../src/driver/kit/driver-kit.ts'
import { isSameValue } from '../../../src/journal/canonical.ts'
import fc from '../../support/property.ts'
import { tempFolder } from './bench.ts'
import { here } from './copy-store.ts'
import { entriesOf, openFor } from './journal-store.ts'

const columns: readonly ImageColumn[] = [
  { name: 'id', kind: 'text' },
  { name: 'words', kind: 'text' },
  { name: 'short', kind: 'text' },
  { name: 'whole', kind: 'integer' },
  { name: 'large', kind: 'integer' },
  { name: 'ratio', kind: 'number' },
  { name: 'price', kind: 'decimal', scale: 2 },
  { name: 'units', kind: 'decimal', scale: 0 },
  { name: 'tiny', kind: 'decimal', scale: 9 },
  { name: 'day', kind: 'text' },
  { name: 'flag', kind: 'boolean' },
  { name: 'at', kind: 'instant' },
  { name: 'doc', kind: 'json' },
  { name: 'holdfast_attempt', kind: 'text' },
]

const table: CopiedTable = { name: 'thing', key: { name: 'id', kind: 'text' }, keyOrder: 'bytes', columns }

/** As MikroORM creates it, and as a copy creates it for the table of an application. */
const types = {
  collection:
    'id text not null primary key, words text, short varchar(255), whole integer, large bigint, ratio double precision, price bigint, units bigint, tiny bigint, day date, flag integer, at datetime, doc json, holdfast_attempt text',
  application: null,
}

const text = fc.string({ unit: 'binary', maxLength: 30 }).filter((value) => value.isWellFormed())
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
/** Decimals of at most 18 digits, so many of them behind the point. */
const decimal = (scale: number): fc.Arbitrary<string> =>
  fc.bigInt({ min: -(10n ** 18n) + 1n, max: 10n ** 18n - 1n }).map((value) => {
    const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
    const fraction = scale === 0 ? '' : `.${digits.slice(-scale)}`
    return `${value < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}${fraction}`
  })
const small = fc.constantFrom('0.00', '-0.01', '0.10', '12.50', '9999999999999999.99', '-9999999999999999.99')
const odd = fc.constantFrom('', ' ', '0', '12', '-0', '1e5', '0x10', 'Infinity', 'NaN', 'null', ' 7', '9'.repeat(25))

/** Texts of each kind, in the forms in which databases write them. */
const image: fc.Arbitrary<Image> = fc.record({
  words: fc.option(fc.oneof(text, odd)),
  short: fc.option(fc.oneof(text, odd)),
  whole: fc.option(fc.integer().map(String)),
  large: fc.option(int64.map(String)),
  ratio: fc.option(
    fc.oneof(
      fc.double({ noNaN: true }).map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value.toExponential()),
      fc.integer().map((value) => `${value}.0`),
      fc.constantFrom('NaN', 'Infinity', '-Infinity', '1e+21', '5e-324', '1.7976931348623157e308'),
    ),
  ),
  price: fc.option(fc.oneof(decimal(2), small)),
  units: fc.option(decimal(0)),
  tiny: fc.option(decimal(9)),
  day: fc.option(fc.constantFrom('2026-01-31', '0001-01-01', '9999-12-31')),
  flag: fc.option(fc.constantFrom('0', '1')),
  at: fc.option(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }).map(String)),
  doc: fc.option(
    fc
      .oneof(fc.array(fc.jsonValue(), { maxLength: 3 }), fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }))
      .map((value) => JSON.stringify(value)),
  ),
  holdfast_attempt: fc.option(fc.uuid()),
})

for (const [kind, declared] of Object.entries(types)) {
  test(`an image of a copied row is the image that was copied, in a table of ${kind === 'collection' ? 'a' : 'an'} ${kind}`, async (t) => {
    const store = await openFor(t, await tempFolder(t))
    const copy = store.engine.copy()
    assert.ok(copy)
    const addTriggers = async (): Promise<void> => {
      const run = async (sql: string, values: readonly unknown[]) => await store.orm.em.fork().execute(sql, [...values])
      for (const sql of await store.journal.triggerChanges({ name: 'thing', columns }, run)) await store.sql(sql)
    }
    if (declared !== null) {
      await store.sql(`create table thing (${declared})`)
      await addTriggers()
    }
    await copy.begin(here, [table])
    // The journal's triggers read what the copy has written; they take the place of its own.
    if (declared === null) await addTriggers()
    let made = 0
    await fc.assert(
      fc.asyncProperty(fc.array(image, { minLength: 1, maxLength: 40 }), async (images) => {
        const rows = images.map((one) => {
          made += 1
          const id = `row-${made}`
          return { key: id, version: '1', image: { ...one, id } }
        })
        const outcome = await copy.apply(table, { rows, removed: [] })
        assert.deepEqual(outcome, { written: rows.length, removed: 0, waiting: 0, refused: [] })
        await store.run.write('delete from thing', [])
        const entries = await entriesOf(store)
        const read = new Map(entries.map(({ key, old }) => [key, old]))
        for (const row of rows) assertSame(row.image, read.get(row.key) ?? {})
        await store.journal.carried(entries.map(({ sequence }) => sequence))
        // What SQLite has written comes back letter for letter.
        const again = entries.map(({ key, old }) => ({ key, version: '2', image: old ?? {} }))
        await copy.apply(table, { rows: again, removed: [] })
        await store.run.write('delete from thing', [])
        const second = await entriesOf(store)
        assert.deepEqual(new Map(second.map(({ key, old }) => [key, old])), read)
        await store.journal.carried(second.map(({ sequence }) => sequence))
      }),
      { numRuns: 40 },
    )
  })
}

function assertSame(copied: Image, found: Image): void {
  for (const { name, kind } of columns) {
    const [one, other] = [copied[name] ?? null, found[name] ?? null]
    const isExact = kind === 'number' ? one === other || isSameValue(kind, one, other) : one === other
    assert.ok(isExact, `${name}: ${one} became ${other}`)
  }
}

test('a decimal of other digits than its column has is copied where it is the same, else refused', async (t) => {
  const store = await openFor(t, await tempFolder(t))
  await store.sql('create table thing (id text not null primary key, price bigint, holdfast_attempt text)')
  const priced: CopiedTable = {
    ...table,
    columns: columns.filter(({ name }) => ['id', 'price', 'holdfast_attempt'].includes(name)),
  }
  for (const sql of await store.journal.triggerChanges(
    priced,
    async (text, values) => await store.run.read(text, values),
  ))
    await store.sql(sql)
  const copy = store.engine.copy()
  await copy?.begin(here, [priced])
  const rows = ['12.5', '7', '1.2500', '1.005'].map((price, at) => ({
    key: `r${at}`,
    version: '1',
    image: { id: `r${at}`, price },
  }))
  const outcome = await copy?.apply(priced, { rows, removed: [] })
  assert.deepEqual(
    outcome?.refused.map(({ key }) => key),
    ['r3'],
  )
  assert.deepEqual(await store.run.read('select id, price from thing order by id', []), [
    { id: 'r0', price: 1250 },
    { id: 'r1', price: 700 },
    { id: 'r2', price: 125 },
  ])
})

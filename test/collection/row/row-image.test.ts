import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rows } from '../../../src/collection/row/rows.ts'
import { imageTableOf } from '../../../src/collection/table/image-table.ts'
import { ensureTables, TableReports } from '../../../src/collection/table/tables.ts'
import type { Store } from '../../../src/database/store/store.ts'
import type { RunWork } from '../../../src/database/work/session.ts'
import { WorkSession } from '../../../src/database/work/work-session.ts'
import type { CopiedTable } from '../../../src/driver/facet/feed.ts'
import type { Image } from '../../../src/driver/facet/image.ts'
import { isSameValue } from '../../../src/journal/canonical.ts'
import { never, type OpenPrimary, Scene } from '../../journal/bench.ts'
import { onServers } from '../../journal/servers.ts'
import fc from '../../support/property.ts'
import { RecordingSink, type Through } from '../../support/scripted-copy.ts'
import { everything } from '../support.ts'

const table = imageTableOf(everything)

interface Bench {
  readonly scene: Scene
  readonly primary: OpenPrimary
  readonly sink: RecordingSink
  readonly rows: Rows
}

/** Rows in a primary of a real server, which claim their attempts in a statement of their own or not at all. */
async function benchOf(scene: Scene, isClaiming: boolean): Promise<Bench> {
  const primary = await scene.primary([everything])
  const tables = new TableReports()
  tables.set(primary, await ensureTables(primary, [everything], 'none', never))
  const sink = new RecordingSink()
  const claims = isClaiming ? (primary.attempts?.claiming ?? null) : null
  const run: RunWork = async (work, { attempt }) => {
    const value = await work(new WorkSession({ store: primary as Store, shown: 'primary' }, { attempt, claims }))
    return { value, store: 'primary', driver: primary.driver.name, durability: 'primary' }
  }
  return { scene, primary, sink, rows: new Rows(everything, { run, tables, now: () => 0, copy: sink }) }
}

/** What replay, which reads by the server's own conversions, finds in the primary. */
async function locked({ primary }: Bench, id: string): Promise<Image> {
  const found = await primary.orm.em.fork().transactional(() => primary.replay.lock(table, [id]))
  const image = found.get(id)
  assert.ok(image !== undefined)
  return image
}

/** Fails where what went to the copy is not the row. */
async function check(bench: Bench, id: string): Promise<Through> {
  const [through, ...more] = bench.sink.take()
  assert.ok(through?.image)
  assert.deepEqual([through.id, more], [id, []])
  const image = await locked(bench, id)
  for (const { name, kind } of table.columns) {
    const [one = null, other = null] = [through.image[name], image[name]]
    assert.ok(isSameValue(kind, one, other), `${name}: ${one} is not ${other}`)
  }
  return through
}

const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((word) => word.isWellFormed() && !/\0/.test(word))
const json = fc.jsonValue({ maxDepth: 2 }).filter((value) => {
  const found = JSON.stringify(value)
  return found.isWellFormed() && !found.includes('\\u')
})
const orNull = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values, { nil: null })
const body = fc.record(
  {
    small: orNull(fc.integer({ min: 0, max: 100 })),
    large: orNull(fc.maxSafeInteger()),
    real: orNull(fc.double({ noNaN: true, noDefaultInfinity: true })),
    flag: orNull(fc.boolean()),
    text: orNull(text),
    at: orNull(
      fc
        .date({ noInvalidDate: true, min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z') })
        .map((date) => date.toISOString()),
    ),
    things: orNull(fc.array(json, { maxLength: 3 })),
    meta: orNull(
      fc.dictionary(
        fc.string({ maxLength: 5 }).filter((key) => !/\0/.test(key)),
        json,
        { maxKeys: 3 },
      ),
    ),
  },
  { requiredKeys: [] },
)

onServers('the image of a written row', (server, kind) => {
  for (const isClaiming of [false, true]) {
    test(`is the row in the server, ${isClaiming ? 'with a claim' : 'without a claim'}`, async (t) => {
      const bench = await benchOf(await Scene.make(t, server()), isClaiming)
      const property = fc.asyncProperty(body, body, async (first, second) => {
        const { value: made } = await bench.rows.create(first)
        await check(bench, made.id)
        if (Object.keys(second).length === 0) return
        assert.equal((await bench.rows.change(made.id, second, null)).value.is, 'row')
        await check(bench, made.id)
      })
      await fc.assert(property, { numRuns: 60 })
    })
  }

  test('is exact where others wrote what a client of ours never sends', async (t) => {
    const scene = await Scene.make(t, server())
    const isPostgres = kind.name === 'PostgreSQL'
    // West of Greenwich, and by seconds in the years before time zones.
    const zone = `alter database ${kind.quoted(scene.database)} set timezone = 'America/New_York'`
    if (isPostgres) await scene.server.query(zone, scene.database)
    const bench = await benchOf(scene, false)
    const { rows, sink } = bench
    const { value: made } = await rows.create({ text: 'one' })
    sink.take()
    const of = (name: string) => `${kind.quoted(name)} =`
    const changes = [
      `${of('large')} 9223372036854775807`,
      `${of('large')} -9223372036854775808`,
      `${of('meta')} '{"n": 12345678901234567890.5, "e": 1e300}'`,
      `${of('meta')} '"a text"'`,
      `${of('meta')} 'null'`,
      `${of('meta')} '12345678901234567890'`,
      `${of('real')} 5e-324`,
      `${of('at')} '1969-12-31 23:59:59.999'`,
      `${of('at')} '0001-01-01 00:00:00'`,
      ...(isPostgres
        ? [
            `${of('at')} 'infinity'`,
            `${of('at')} '-infinity'`,
            `${of('at')} '0044-03-15 12:00:00+00 BC'`,
            `${of('at')} '1880-01-01 00:00:00.5+00'`,
            `${of('at')} '12026-01-01 00:00:00+00'`,
            `${of('real')} 'NaN'`,
            `${of('real')} '-Infinity'`,
          ]
        : []),
    ]
    for (const change of changes) {
      await scene.server.query(`update everything set ${change}`, scene.database)
      await rows.change(made.id, { text: change }, null)
      await check(bench, made.id)
    }
  })
})

onServers('the version of a written row', (server) => {
  for (const isClaiming of [false, true]) {
    test(`is that of the feed, ${isClaiming ? 'with a claim' : 'without a claim'}`, async (t) => {
      const bench = await benchOf(await Scene.make(t, server()), isClaiming)
      const { scene, primary, rows } = bench
      const { feed } = primary
      assert.ok(feed !== null)
      const connection = await feed.connect(never)
      t.after(() => connection.close())
      const copied: CopiedTable = { ...table, key: { name: 'id', kind: 'text' }, keyOrder: 'uuid' }
      const same = async (id: string): Promise<void> => {
        const { image, version } = await check(bench, id)
        const [fed, ...more] = (await connection.rows(primary.facts.identity ?? '', copied, [id])).rows
        assert.ok(fed !== undefined && image !== null)
        assert.deepEqual([version ?? feed.versionOf?.(copied, image), more], [fed.version, []])
      }
      const first = { text: 'é 🙂', meta: { a: 1, b: [2.5] }, real: -0.1, flag: true, at: '2026-11-28T12:00:00.007Z' }
      const { value: made } = await rows.create(first)
      await same(made.id)
      await rows.change(made.id, { meta: { n: 2.5 }, large: 2 ** 53 - 1, things: [], flag: false }, null)
      await same(made.id)
      await scene.server.query(`update everything set meta = '{"n": 12345678901234567890.5}'`, scene.database)
      const { value } = await rows.change(made.id, { text: null }, null)
      await same(made.id)
      assert.ok(value.is === 'row')
      assert.deepEqual((await rows.get(made.id)).value, value, 'what is answered is what a read gives')
    })
  }
})

onServers(
  'a partitioned table',
  (server) => {
    test('takes rows, whose versions are read where the statement cannot return them', async (t) => {
      const scene = await Scene.make(t, server())
      const bench = await benchOf(scene, true)
      const { rows, sink } = bench
      for (const sql of [
        'alter table everything rename to before',
        'create table everything (like before including defaults, primary key (id)) partition by hash (id)',
        'create table part partition of everything for values with (modulus 1, remainder 0)',
      ]) {
        await scene.server.query(sql, scene.database)
      }
      sink.copied = false
      await rows.create({ text: 'before' })
      sink.copied = true
      const versionOf = async (id: string): Promise<unknown> =>
        (await scene.server.query(`select xmin::text as v from everything where id = '${id}'`, scene.database))[0]?.v
      for (const text of ['first', 'second']) {
        const { value: made } = await rows.create({ text, meta: { a: 1 } })
        assert.equal((await check(bench, made.id)).version, await versionOf(made.id))
        await rows.change(made.id, { text: null }, null)
        assert.equal((await check(bench, made.id)).version, await versionOf(made.id))
      }
      const count = await scene.server.query('select count(*)::int as n from everything', scene.database)
      assert.equal(count[0]?.n, 3)
    })
  },
  'PostgreSQL',
)

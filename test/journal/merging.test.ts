import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { copyFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { Collection } from '../../src/collection/declaration/declaration.ts'
import { carriedTableOf } from '../../src/collection/table/carried-table.ts'
import type { Image } from '../../src/driver/facet/image.ts'
import type { Value } from '../../src/driver/facet/statements.ts'
import { matchesImage } from '../../src/journal/canonical.ts'
import { judge, tablesByName } from '../../src/journal/judge.ts'
import { transactionsOf } from '../../src/journal/local-transaction.ts'
import { lockRows, transactionOf } from '../../src/journal/locking.ts'
import { type ConflictPolicy, mergedAttempt } from '../../src/journal/merge.ts'
import fc from '../support/property.ts'
import { idOf, never, type OpenFallback, type OpenPrimary, pathIn, Scene } from './bench.ts'
import { type Kind, onServers } from './servers.ts'

/** Fields of each kind, two of them counters, and a unique key. */
function pagesWith(conflict: ConflictPolicy): Collection {
  const sum = conflict === 'merge' ? ({ sum: true } as const) : {}
  return {
    name: 'pages',
    conflict,
    fields: {
      title: { type: 'string', maxLength: 40 },
      body: { type: 'string' },
      done: { type: 'boolean' },
      seen: { type: 'string', format: 'date-time' },
      meta: { type: 'object' },
      rank: { type: 'integer' },
      ratio: { type: 'number' },
      views: { type: 'integer', default: 0, ...sum },
      spent: { type: 'number', default: 0, ...sum },
    },
    required: ['views', 'spent'],
    indexes: [{ fields: ['title'], unique: true }],
  }
}

const created = 1_700_000_000_123
const fresh: Readonly<Record<string, Value>> = {
  ...{ title: null, body: 'same', done: 0, seen: 5, meta: '{"a":1,"b":[1,2]}', rank: 5, ratio: 0.1 },
  ...{ views: 5, spent: 0.5, createdAt: created, updatedAt: created, version: 1 },
}

/** A fallback and a primary which parted after both knew the rows `a` and `b`. */
class Parted {
  readonly scene: Scene
  readonly primary: OpenPrimary
  readonly fallback: OpenFallback
  readonly own: readonly Collection[]
  readonly #kind: Kind

  private constructor(
    scene: Scene,
    primary: OpenPrimary,
    fallback: OpenFallback,
    own: readonly Collection[],
    kind: Kind,
  ) {
    this.scene = scene
    this.primary = primary
    this.fallback = fallback
    this.own = own
    this.#kind = kind
  }

  static async make(scene: Scene, kind: Kind, conflict: ConflictPolicy): Promise<Parted> {
    const own = [pagesWith(conflict)]
    const [primary, fallback] = [await scene.primary(own), await scene.fallback('fallback.db', own)]
    const made = new Parted(scene, primary, fallback, own, kind)
    for (const letter of ['a', 'b']) await made.insert(letter, { title: letter })
    await made.carry()
    return made
  }

  async carry(from: OpenFallback = this.fallback): Promise<void> {
    await this.scene.replayer(this.own.map(carriedTableOf)).carry(from, this.primary, 0, never)
  }

  get conflicts() {
    return this.scene.conflicts(this.primary, this.own.map(carriedTableOf))
  }

  /** What others do to the primary, in SQL. */
  async theirs(letter: string, sql: string): Promise<void> {
    await this.scene.server.query(sql.replace('ID', `'${idOf(letter)}'`), this.scene.database)
  }

  async insert(letter: string, more: Readonly<Record<string, Value>> = {}): Promise<string> {
    const attempt = randomUUID()
    const row: Readonly<Record<string, Value>> = { id: idOf(letter), ...fresh, holdfast_attempt: attempt, ...more }
    const names = Object.keys(row)
    const sql = `insert into pages (${names.map((name) => `"${name}"`)}) values (${names.map(() => '?')})`
    await this.fallback.statements.write(sql, Object.values(row), { attempt })
    return attempt
  }

  /** One change of the fallback, as the data API makes it; `set` is SQL. */
  async ours(letter: string, set: string): Promise<string> {
    const attempt = randomUUID()
    const sql = `update pages set ${set}, version = version + 1, "updatedAt" = "updatedAt" + 1000, holdfast_attempt = ? where id = ?`
    await this.fallback.statements.write(sql, [attempt, idOf(letter)], { attempt })
    return attempt
  }

  async remove(letter: string): Promise<void> {
    await this.fallback.statements.write('delete from pages where id = ?', [idOf(letter)], { attempt: randomUUID() })
  }

  /** The row in the primary, as an image. */
  async row(letter: string): Promise<Image | null> {
    const tables = tablesByName(this.own.map(carriedTableOf))
    const { primary } = this
    const wanted = [{ table: 'pages', key: idOf(letter) }]
    const rows = await transactionOf(primary, primary.replay, () => lockRows(primary.replay, tables, wanted))
    return rows.get('pages', idOf(letter))
  }

  /** What is recorded of conflicts, oldest first. */
  async records(): Promise<readonly string[]> {
    const rows = await this.scene.server.query(
      `select reason, settled_as, settled_at from holdfast_conflict order by ${this.#kind.quoted('transaction')}, attempt, entry`,
      this.scene.database,
    )
    return rows.map(({ reason, settled_as: as, settled_at: at }) => `${reason} ${at === null ? 'open' : as}`)
  }
}

onServers('conflicts that policies settle', (server, kind) => {
  const parted = async (t: Parameters<typeof Scene.make>[0], conflict: ConflictPolicy): Promise<Parted> =>
    await Parted.make(await Scene.make(t, server()), kind, conflict)
  const name = kind.quoted

  test('merge: each field has the value of who changed it, counters add up, and later changes merge on', async (t) => {
    const at = await parted(t, 'merge')
    // As an application of another kind writes: without an attempt, a version, or the forms of the service.
    await at.theirs('a', `update pages set body = 'theirs', views = views + 10, ratio = 2.5, done = true where id = ID`)
    const first = await at.ours('a', `title = 'ours', views = views + 1, meta = '{"b":[1,2],"a":2}'`)
    await at.ours('a', 'views = views + 1, spent = spent + 0.25')
    const last = await at.ours('a', `title = 'ours too', seen = 7`)
    await at.carry()
    const row = await at.row('a')
    assert.deepEqual(
      [row?.title, row?.body, row?.views, row?.ratio, row?.done, row?.spent, row?.seen, row?.version, row?.rank],
      ['ours too', 'theirs', '17', '2.5', '1', '0.75', '7', '4', '5'],
    )
    assert.deepEqual(JSON.parse(row?.meta ?? ''), { a: 2, b: [1, 2] })
    assert.equal(row?.updatedAt, String(created + 3_000))
    assert.equal(row?.createdAt, String(created))
    assert.equal(row?.holdfast_attempt, mergedAttempt(last))
    assert.deepEqual(await at.records(), Array(3).fill('update_differing merged'))
    assert.deepEqual([await at.conflicts.count(), (await at.conflicts.list(10)).length], [0, 0])
    const settled = await at.conflicts.list(10, null, 'settled')
    assert.equal(settled.length, 3)
    const shown = await at.conflicts.show(first)
    const [entry] = shown?.entries ?? []
    assert.deepEqual([shown?.settledAs, entry?.settledAs], ['merged', 'merged'])
    assert.deepEqual([entry?.old?.title, entry?.ours?.title, entry?.theirs?.title], ['a', 'ours', 'a'])
    assert.deepEqual([entry?.old?.views, entry?.ours?.views, entry?.theirs?.views], ['5', '6', '15'])
    assert.equal(at.scene.seen.filter((seen) => seen.type === 'journal.carried').at(-1)?.settled, 3)
  })

  test('merge: adds up once, whoever carries the same journal, and however often', async (t) => {
    const at = await parted(t, 'merge')
    await at.theirs('a', 'update pages set views = views + 10 where id = ID')
    for (let times = 0; times < 20; times += 1) await at.ours('a', 'views = views + 1')
    await at.fallback.close(1_000)
    for (const file of ['second.db', 'third.db']) await copyFile(pathIn(at.scene), pathIn(at.scene, file))
    const files = [await at.scene.fallback('second.db', at.own), await at.scene.fallback('third.db', at.own)]
    await Promise.all(files.map((file) => at.carry(file)))
    const [again] = files
    assert.ok(again !== undefined)
    await again.journal.carryAgain()
    await at.carry(again)
    assert.deepEqual([(await at.row('a'))?.views, (await at.row('a'))?.version], ['35', '21'])
    assert.equal((await at.records()).length, 20)
  })

  test('merge: what both sides changed parks the whole transaction; deletes and missing rows are never merged', async (t) => {
    const at = await parted(t, 'merge')
    await at.theirs('a', `update pages set body = 'theirs', rank = 6 where id = ID`)
    const clash = await at.ours('a', `body = 'ours', views = views + 1`)
    await at.ours('a', 'rank = 6')
    await at.ours('a', 'views = views + 2')
    await at.theirs('b', 'delete from pages where id = ID')
    await at.ours('b', 'views = views + 1')
    await at.remove('a')
    await at.carry()
    assert.deepEqual(await at.records(), [
      'update_differing open',
      // Two increments from 5 to 6, perhaps.
      'update_differing open',
      'update_differing merged',
      'update_missing open',
      'delete_recently_updated open',
    ])
    assert.deepEqual([(await at.row('a'))?.body, (await at.row('a'))?.views], ['theirs', '7'])
    // Put right by hand, it can be merged after all.
    await at.theirs('a', `update pages set body = 'same' where id = ID`)
    assert.deepEqual(await at.conflicts.retry(clash), { is: 'settled', as: 'retried' })
    assert.deepEqual([(await at.row('a'))?.body, (await at.row('a'))?.views], ['ours', '8'])
    assert.equal((await at.records())[0], 'update_differing merged')
  })

  test('merge: ours, when a person takes it, is laid over what it changed, not over what was merged since', async (t) => {
    const at = await parted(t, 'merge')
    await at.theirs('a', `update pages set body = 'theirs', done = true, views = views + 10 where id = ID`)
    const clash = await at.ours('a', `body = 'ours', views = views + 1`)
    await at.ours('a', 'rank = 7, views = views + 1')
    await at.carry()
    assert.deepEqual(await at.records(), ['update_differing open', 'update_differing merged'])
    assert.equal((await at.conflicts.show(clash))?.entries[0]?.theirs?.rank, '7')
    assert.deepEqual(await at.conflicts.take(clash, 'ours'), { is: 'settled', as: 'ours' })
    const row = await at.row('a')
    assert.deepEqual([row?.body, row?.rank, row?.done, row?.views, row?.version], ['ours', '7', '1', '17', '3'])
  })

  test('primary-wins: what the primary has changed stays, and what it has not takes the change', async (t) => {
    const at = await parted(t, 'primary-wins')
    await at.theirs('a', `update pages set body = 'theirs' where id = ID`)
    await at.ours('a', 'views = 9')
    await at.ours('b', 'views = 9')
    await at.remove('a')
    await at.insert('c', { body: 'ours' })
    await at.theirs(
      'c',
      `insert into pages (id, body, views, spent, ${name('createdAt')}, ${name('updatedAt')}, version) select ID, 'theirs', 1, 1, ${name('createdAt')}, ${name('updatedAt')}, 1 from pages where body = 'theirs'`,
    )
    await at.carry()
    assert.deepEqual(await at.records(), [
      'update_differing theirs',
      'delete_recently_updated theirs',
      'insert_exists theirs',
    ])
    assert.deepEqual([(await at.row('a'))?.body, (await at.row('a'))?.views], ['theirs', '5'])
    assert.equal((await at.row('b'))?.views, '9')
    assert.equal((await at.row('c'))?.body, 'theirs')
    assert.equal(await at.conflicts.count(), 0)
  })

  test('fallback-wins: rows end as they were on the fallback', async (t) => {
    const at = await parted(t, 'fallback-wins')
    await at.insert('c', { body: 'ours' })
    await at.insert('d')
    await at.carry()
    await at.theirs('a', `update pages set body = 'theirs', views = 99 where id = ID`)
    await at.theirs('b', 'delete from pages where id = ID')
    await at.theirs('c', `update pages set body = 'theirs' where id = ID`)
    await at.theirs('d', 'delete from pages where id = ID')
    const attempt = await at.ours('a', 'views = 9')
    await at.ours('b', 'views = 9')
    await at.remove('c')
    await at.remove('d')
    await at.carry()
    const row = await at.row('a')
    assert.deepEqual([row?.body, row?.views, row?.holdfast_attempt], ['same', '9', attempt])
    assert.deepEqual([(await at.row('b'))?.title, (await at.row('b'))?.views], ['b', '9'])
    assert.deepEqual([await at.row('c'), await at.row('d')], [null, null])
    assert.deepEqual(await at.records(), [
      'update_differing ours',
      'update_missing ours',
      'delete_recently_updated ours',
      'delete_missing ours',
    ])
    const [first] = await at.conflicts.list(1, null, 'settled')
    assert.equal((await at.conflicts.show(first?.attempt ?? ''))?.entries[0]?.theirs?.views, '99')
  })

  for (const policy of ['primary-wins', 'fallback-wins', 'merge'] as const) {
    test(`${policy}: a unique key that is taken is parked, and what builds on it`, async (t) => {
      const at = await parted(t, policy)
      const clash = await at.insert('c', { title: 'taken' })
      await at.carry()
      await at.theirs('b', `update pages set title = 'wanted' where id = ID`)
      const first = await at.ours('c', `title = 'wanted'`)
      await at.carry()
      const second = await at.ours('c', 'rank = 6, views = views + 1')
      await at.carry()
      assert.notEqual(clash, first)
      const isMerged = policy === 'merge'
      assert.deepEqual(await at.records(), [
        'multiple_unique_conflicts open',
        isMerged ? 'update_differing merged' : 'update_differing open',
      ])
      const row = await at.row('c')
      assert.deepEqual([row?.title, row?.rank, row?.views], ['taken', isMerged ? '6' : '5', isMerged ? '6' : '5'])
      await at.theirs('b', `update pages set title = 'b' where id = ID`)
      assert.deepEqual(await at.conflicts.retry(first), { is: 'settled', as: 'retried' })
      if (!isMerged) assert.deepEqual(await at.conflicts.retry(second), { is: 'settled', as: 'retried' })
      const last = await at.row('c')
      assert.deepEqual([last?.title, last?.rank, last?.views], ['wanted', '6', '6'])
    })
  }

  test('random changes of both sides end as the rules say, in whatever form the primary keeps its values', async (t) => {
    const at = await parted(t, 'merge')
    const letters = 'abcdefghij'
    for (const letter of letters.slice(2)) await at.insert(letter, { title: letter })
    await at.carry()
    const sets = [
      "body = 'x'",
      "body = 'y'",
      'rank = rank + 1',
      'ratio = 1e21',
      'ratio = 1e-7',
      'views = views + 3',
      'spent = spent + 0.125',
      'seen = NULL',
      'meta = NULL',
      `meta = '{"a":1,"b":[1,2.0]}'`,
    ]
    const change = fc.record({ letter: fc.constantFrom(...letters), set: fc.constantFrom(...sets) })
    const sample = (count: number, seed: number) =>
      fc.sample(fc.array(change, { minLength: count, maxLength: count }), { numRuns: 1, seed }).flat()
    for (const { letter, set } of sample(60, 1)) await at.ours(letter, set)
    for (const { letter, set } of sample(15, 2)) await at.theirs(letter, `update pages set ${set} where id = ID`)
    await at.theirs('c', 'delete from pages where id = ID')
    const tables = tablesByName(at.own.map(carriedTableOf))
    const expected = new Map<string, Image | null>()
    for (const letter of letters) expected.set(idOf(letter), await at.row(letter))
    const verdicts = judge(
      transactionsOf(await at.fallback.journal.waiting(0, 1_000)),
      { get: (_, key) => expected.get(key) ?? null },
      tables,
    )
    for (const verdict of verdicts) {
      if (verdict.is === 'parked') continue
      for (const { entry, image } of verdict.writes) expected.set(entry.key, { ...expected.get(entry.key), ...image })
    }
    assert.ok(
      verdicts.some(({ is }) => is === 'parked') &&
        verdicts.some((one) => one.is === 'applied' && one.settled.length > 0),
    )
    await at.carry()
    const columns = tables.get('pages')?.columns ?? new Map()
    for (const letter of letters) {
      const [row, wanted] = [await at.row(letter), expected.get(idOf(letter)) ?? null]
      if (row === null || wanted === null) assert.equal(row, wanted)
      else assert.ok(matchesImage(columns, wanted, row), JSON.stringify([wanted, row]))
    }
    assert.equal(await at.conflicts.count(), verdicts.filter(({ is }) => is === 'parked').length)
  })
})

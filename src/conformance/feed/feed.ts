import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { FedRow } from '../../driver/facet/feed.ts'
import type { Image } from '../../driver/facet/image.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import { markOf } from '../../driver/kit/primary/row-mark.ts'
import { type Bench, carriedTable } from '../bench.ts'
import {
  carried,
  exactImages,
  type FeedTest,
  feedOf,
  feedTest,
  imageOf,
  inReplay,
  insertCarried,
  notes,
  pagesOf,
  rowsOfKeys,
} from './feed-bench.ts'
import { conformFeedConnections, conformFeedSources, conformKeyOrder } from './feed-connections.ts'

/** The engine's `feed`. */
export function conformFeed(bench: () => Bench): void {
  const test = feedTest(bench)
  conformFedRows(test)
  conformDigests(test)
  conformVersions(test)
  conformWrittenVersions(test)
  conformKeyOrder(test)
  conformFeedSources(bench, test)
  conformFeedConnections(bench, test)
}

function conformFedRows(test: FeedTest): void {
  test('feeds rows exactly as replay reads them, by key, page after page', async ({ store, connection, identity }) => {
    const images = exactImages()
    await insertCarried(store, images)
    const locked = await inReplay(store, ({ lock }) =>
      lock(
        carriedTable,
        images.map(({ id = '' }) => id ?? ''),
      ),
    )
    const rows = await pagesOf(connection, identity, carried, 3)
    assert.deepEqual(
      rows.map(({ key }) => key),
      [...locked.keys()].sort(),
    )
    for (const { key, image } of rows) assert.deepEqual({ ...image }, { ...locked.get(key) })
    assert.deepEqual(await connection.page(identity, carried, rows.at(-1)?.key ?? null, 10), [])
  })

  test('feeds the rows of keys, and none for keys that are gone', async ({ store, connection, identity }) => {
    const images = Array.from({ length: 1_300 }, (_, at) => imageOf({ order: String(at) }))
    await insertCarried(store, images)
    const keys = images.flatMap(({ id = '' }) => [id ?? '', randomUUID()])
    const rows = await rowsOfKeys(connection, identity, carried, keys)
    assert.deepEqual(new Set(rows.map(({ image }) => image.order)), new Set(images.map(({ order }) => order)))
    assert.deepEqual(
      new Set(rows.map(({ key, version }) => `${key} ${version}`)),
      new Set([...(await connection.versions(identity, carried, null, null))].map((pair) => pair.join(' '))),
    )
    assert.deepEqual(await connection.rows(identity, carried, [randomUUID()]), { looked: 1, rows: [] })
  })

  test('limits an answer where rows are large, and feeds all of them', async ({ store, connection, identity }) => {
    const small = Array.from({ length: 200 }, () => imageOf({ id: drawId() }))
    const large = Array.from({ length: 24 }, () => imageOf({ id: drawId(), text: 'x'.repeat(600_000) }))
    for (const part of [small, ...large.map((image) => [image])]) await insertCarried(store, part)
    const bytesOf = (rows: readonly FedRow[]): number =>
      rows.reduce((all, { image }) => all + (image.text?.length ?? 0), 0)
    const most = 8 * 1_024 * 1_024
    const keys: string[] = []
    for (let rows = await connection.page(identity, carried, null, 1_000); rows.length > 0; ) {
      assert.ok(bytesOf(rows) < most)
      keys.push(...rows.map(({ key }) => key))
      rows = await connection.page(identity, carried, keys.at(-1) ?? null, 1_000)
    }
    assert.deepEqual(
      keys,
      [...small, ...large].map(({ id }) => id),
    )
    const { looked, rows } = await connection.rows(identity, carried, keys.toReversed())
    assert.ok(looked >= 1 && looked === rows.length && bytesOf(rows) < most)
    assert.deepEqual(
      new Set((await rowsOfKeys(connection, identity, carried, keys)).map(({ key }) => key)),
      new Set(keys),
    )
  })
}

function conformDigests(test: FeedTest): void {
  test('digests each part of a table as the marks of its versions', async ({ store, connection, identity }) => {
    await insertCarried(
      store,
      Array.from({ length: 2_300 }, (_, at) => imageOf({ text: 'x'.repeat(at % 50) })),
    )
    const all = await connection.versions(identity, carried, null, null)
    const keys = [...all.keys()].sort()
    for (let [after, at] = [null as string | null, 0]; ; ) {
      const { count, last, high, low } = await connection.digest(identity, carried, after, 1_000)
      assert.equal(last, keys[Math.min(at + 1_000, keys.length) - 1] ?? null)
      const versions = await connection.versions(identity, carried, after, last)
      assert.deepEqual([...versions.keys()].sort(), keys.slice(at, at + count))
      assert.deepEqual({ high, low }, sumsOf(versions))
      at += count
      after = last
      if (at === keys.length) break
    }
    const nothing = { count: 0, last: null, high: 0, low: 0 }
    assert.deepEqual(await connection.digest(identity, carried, keys.at(-1) ?? null, 1_000), nothing)
  })

  test('shows in digests what has committed, and nothing else', async ({ store, connection, identity }) => {
    const [changed, removed, kept] = [imageOf({}), imageOf({}), imageOf({})]
    await insertCarried(store, [changed, removed, kept])
    const look = async (): Promise<readonly unknown[]> => {
      const { last: _, ...digest } = await connection.digest(identity, carried, null, 100)
      return [digest, await connection.versions(identity, carried, null, null)]
    }
    const before = await look()
    const failing = inReplay(store, async (replay) => {
      await replay.insert(carriedTable, [imageOf({})])
      await replay.remove(carriedTable, [{ id: removed.id ?? '', base: removed.holdfast_attempt ?? null }])
      const update = { image: { ...changed, text: 'changed' }, base: changed.holdfast_attempt ?? null }
      assert.equal(await replay.update(carriedTable, [update]), 1)
      assert.deepEqual(await look(), before)
      assert.equal((await connection.page(identity, carried, null, 10)).length, 3)
      throw new Error('on purpose')
    })
    await assert.rejects(failing, /on purpose/)
    assert.deepEqual(await look(), before)
    await inReplay(store, ({ remove }) =>
      remove(carriedTable, [{ id: removed.id ?? '', base: removed.holdfast_attempt ?? null }]),
    )
    assert.equal((await connection.versions(identity, carried, null, null)).size, 2)
    assert.notDeepEqual(await look(), before)
  })
}

function conformVersions(test: FeedTest): void {
  test('gives a row another version with each change, whoever makes it', async ({ store, connection, identity }) => {
    const [row, other] = [imageOf({}), imageOf({})]
    await insertCarried(store, [row, other])
    const versions = async (): Promise<readonly [string | undefined, string | undefined]> => {
      const found = await connection.versions(identity, carried, null, null)
      return [found.get(row.id ?? ''), found.get(other.id ?? '')]
    }
    const change = async (set: Image): Promise<void> => {
      const base = row.holdfast_attempt ?? null
      assert.equal(
        await inReplay(store, ({ update }) => update(carriedTable, [{ image: { id: row.id ?? '', ...set }, base }])),
        1,
      )
    }
    const [first, untouched] = await versions()
    const seen = new Set([first])
    const sets: readonly Image[] = [
      { text: '' },
      { text: 'null' },
      { text: '-' },
      { text: '1', key: '2' },
      { text: '12', key: '' },
      { text: '', key: '12' },
      { text: null, key: null, order: '12' },
      { order: '-12' },
      { order: null, ratio: '0.1' },
      { ratio: '0.2' },
      { isOn: '0' },
      { isOn: '1' },
      { createdAt: '1700000000000' },
      { createdAt: '1700000000001' },
      { data: '{"a":1}' },
      { data: '{"a":2}' },
      { data: 'null' },
      { key: 'x,y', required: 'z' },
      { key: 'x', required: 'y,z' },
    ]
    for (const [at, set] of sets.entries()) {
      await change(set)
      const [version, same] = await versions()
      assert.ok(version !== undefined && version !== '' && !seen.has(version), `change ${at}`)
      assert.equal(same, untouched)
      seen.add(version)
    }
  })
}

function conformWrittenVersions(test: FeedTest): void {
  test('tells the version of an image as the feed does', async ({ store, connection, identity, t }) => {
    const { versionOf } = feedOf(store)
    if (versionOf === undefined) {
      t.skip('the feed has no "versionOf"')
      return
    }
    await insertCarried(store, [...exactImages(), imageOf({ text: 'é, "\\ \u{1f600}', key: ',', isOn: '1' })])
    const rows = await connection.page(identity, carried, null, 100)
    const told = rows.filter(({ image, version }) => [version, null].includes(versionOf(carried, image)))
    assert.equal(told.length, rows.length)
    const other = { ...rows[0]?.image, text: 'another' }
    assert.notEqual(versionOf(carried, other), rows[0]?.version)
  })

  test('returns the version of a row with what was written', async ({ store, connection, identity, t }) => {
    const { returned } = feedOf(store)
    if (returned === undefined) {
      t.skip('the feed has no "returned"')
      return
    }
    const versions: unknown[] = []
    for (const text of [
      "insert into conformance_note (id, text, count) values ('r', 'r', 0)",
      "update conformance_note set count = 1 where id = 'r'",
    ]) {
      const { rows } = await store.statements().write(`${text} returning ${returned(notes.name)} as version`, [])
      assert.equal(rows[0]?.version, (await connection.versions(identity, notes, null, null)).get('r'))
      versions.push(rows[0]?.version)
    }
    assert.notEqual(versions[0], versions[1])
  })
}

function sumsOf(versions: ReadonlyMap<string, string>): { readonly high: number; readonly low: number } {
  let [high, low] = [0, 0]
  for (const [key, version] of versions) {
    const mark = markOf(key, version)
    high += mark.high
    low += mark.low
  }
  return { high, low }
}

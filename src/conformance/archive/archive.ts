import assert from 'node:assert/strict'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { Secret } from '../../config/secret.ts'
import type { Target } from '../../driver/address.ts'
import { type ArchiveSource, archivedLife, type Cut, type EmbeddedArchive } from '../../driver/facet/archive.ts'
import { type Bench, limits } from '../bench.ts'
import { type KeptStore, keptTarget, openKept } from '../journal-bench.ts'

/** A local store whose changes are archived, and what was kept of it. */
interface ArchivedStore {
  readonly store: KeptStore
  readonly source: ArchiveSource
  readonly facet: EmbeddedArchive<Target>
  readonly folder: string
  readonly cuts: Cut[]
  readonly keep: (rest: readonly Cut[]) => Promise<void>
  /** Everything that is committed now. */
  drain(): Promise<void>
  /** Takes a snapshot, and forgets what was cut before. */
  snapshot(name: string): Promise<string>
  /** Rebuilds a file from a snapshot and whole cuts, and gives its rows by table. */
  rebuild(snapshot: string, cuts: readonly Cut[]): Promise<Readonly<Record<string, number>>>
}

type Case = (title: string, run: (archived: ArchivedStore) => Promise<void>) => void

/** The facet `archive` of an embedded driver, and of its local stores. */
export function conformArchive(bench: () => Bench): void {
  const archived: Case = (title, run) => {
    test(title, async (t) => {
      const facet = bench().driver.embedded?.archive
      if (facet === undefined) return t.skip('the driver has no "archive"')
      const target = await archivedTarget(bench())
      await using store = await openKept(bench(), { target })
      const source = store.engine.archive?.(store.orm) ?? null
      assert.ok(source, 'the engine has an "archive"')
      await run(opened(store, source, facet, join(bench().folder, `archive-${made++}`)))
    })
  }
  conformCuts(archived)
  conformCheckpoints(archived)
}

let made = 0

async function archivedTarget(bench: Bench): Promise<Target> {
  const archive = { ...bench.settings.archive, url: new Secret('file:///archive') }
  return await keptTarget({ ...bench, settings: { ...bench.settings, archive } }, archivedLife)
}

function opened(
  store: KeptStore,
  source: ArchiveSource,
  facet: EmbeddedArchive<Target>,
  folder: string,
): ArchivedStore {
  const cuts: Cut[] = []
  const keep = async (rest: readonly Cut[]): Promise<void> => void cuts.push(...rest)
  let rebuilt = 0
  return {
    ...{ store, source, facet, folder, cuts, keep },
    async drain() {
      for (let cut = await source.cut(1_048_576); cut !== null; cut = await source.cut(1_048_576)) cuts.push(cut)
    },
    async snapshot(name) {
      await mkdir(folder, { recursive: true })
      const made = await source.snapshot(join(folder, name), keep, new AbortController().signal)
      assert.ok(made, 'no reader is in the way')
      assert.equal(made.proof.fileId, source.fileId)
      cuts.length = 0
      return made.path
    },
    async rebuild(snapshot, whole) {
      const rebuild = await facet.rebuild(join(folder, `rebuilt-${rebuilt++}`, 'file'))
      await rebuild.write(await readFile(snapshot))
      for (const { payload } of whole) await rebuild.apply(payload)
      try {
        const { damage, tables } = await rebuild.finish()
        assert.deepEqual(damage, [])
        return Object.fromEntries(tables.map(({ table, rows }) => [table, rows]))
      } finally {
        await rebuild.abandon()
      }
    },
  }
}

async function insert({ statements }: KeptStore, ...ids: readonly number[]): Promise<void> {
  const sql = 'insert into conformance_imaged (id, words) values (?, ?)'
  for (const id of ids) await statements.write(sql, [`row-${id}`, `${id} ${'w'.repeat(1_000)}`])
}

function rowsIn(tables: Readonly<Record<string, number>>): number | undefined {
  return tables.conformance_imaged
}

function conformCuts(archived: Case): void {
  archived('gives an archive each commit once, and nothing when there is none', async (given) => {
    const { store, source, cuts } = given
    await source.begin(null)
    const snapshot = await given.snapshot('base')
    assert.equal(source.waitingBytes(), 0)
    assert.equal(await source.cut(1_048_576), null)
    await insert(store, 1, 2, 3)
    assert.ok(source.waitingBytes() > 0)
    await given.drain()
    assert.equal(source.waitingBytes(), 0)
    await insert(store, 4, 5)
    await given.drain()
    assert.equal(rowsIn(await given.rebuild(snapshot, cuts)), 5)
    assert.equal(rowsIn(await given.rebuild(snapshot, cuts.slice(0, -1))), 3)
    assert.equal(rowsIn(await given.rebuild(snapshot, [])), 0)
  })

  archived('cuts a transaction whole or marks its parts', async (given) => {
    const { store, source, cuts } = given
    await source.begin(null)
    const snapshot = await given.snapshot('base')
    await store.orm.em.fork().transactional(async (em) => {
      for (let id = 0; id < 300; id += 1) {
        await em.execute('insert into conformance_imaged (id, words) values (?, ?)', [
          `row-${id}`,
          `${id} ${'w'.repeat(2_000)}`,
        ])
      }
    })
    for (let cut = await source.cut(65_536); cut !== null; cut = await source.cut(65_536)) cuts.push(cut)
    assert.ok(cuts.length > 1)
    assert.deepEqual(
      cuts.map(({ isWhole }) => isWhole),
      cuts.map((_, index) => index === cuts.length - 1),
    )
    assert.equal(rowsIn(await given.rebuild(snapshot, cuts)), 300)
    await assert.rejects(given.rebuild(snapshot, cuts.slice(0, -1)))
  })

  archived('refuses to rebuild over a file, and what is no cut', async ({ facet, store, source }) => {
    await insert(store, 1)
    await assert.rejects(facet.rebuild(source.path))
    const rebuild = await facet.rebuild(join(dirname(source.path), `other-${made++}`))
    await assert.rejects(rebuild.apply(Buffer.from('no cut')))
    await rebuild.abandon()
    assert.equal(await facet.missing(store.target, limits.connectMs), null)
  })
}

function conformCheckpoints(archived: Case): void {
  archived('carries nothing that was not kept for the archive, and loses nothing to a checkpoint', async (given) => {
    const { store, source, cuts, keep } = given
    await source.begin(null)
    const snapshot = await given.snapshot('base')
    for (let round = 0; round < 6; round += 1) {
      await insert(store, round * 10, round * 10 + 1)
      if (round % 2 === 0) await given.drain()
      await insert(store, round * 10 + 2)
      if (round % 3 === 0)
        await assert.rejects(
          source.checkpoint(() => Promise.reject(new Error('no room'))),
          /no room/,
        )
      assert.ok(await source.checkpoint(keep), 'no reader is in the way')
    }
    await insert(store, 1_000)
    await given.drain()
    assert.equal(rowsIn(await given.rebuild(snapshot, cuts)), 19)
  })

  archived('copies a snapshot at the place that was kept last, while the service writes on', async (given) => {
    const { store, source, cuts, keep } = given
    await source.begin(null)
    await insert(store, 1, 2, 3)
    await mkdir(given.folder, { recursive: true })
    const isKept = Promise.withResolvers<void>()
    const keeping = async (rest: readonly Cut[]): Promise<void> => {
      await keep(rest)
      isKept.resolve()
    }
    const copying = source.snapshot(join(given.folder, 'copy'), keeping, new AbortController().signal)
    await isKept.promise
    await source.checkpoint(keep)
    await insert(store, 4, 5)
    const copy = await copying
    assert.ok(copy)
    assert.equal((await stat(copy.path)).size, copy.proof.bytes)
    cuts.length = 0
    await given.drain()
    assert.equal(rowsIn(await given.rebuild(copy.path, [])), 3)
    assert.equal(rowsIn(await given.rebuild(copy.path, cuts)), 5)
  })

  archived('goes on behind its end, and not behind a place that it cannot prove', async (given) => {
    const { store, source, keep } = given
    await source.begin(null)
    await insert(store, 1)
    const position = await source.end(keep)
    assert.ok(position)
    await insert(store, 2)
    assert.equal(await source.begin(position), true)
    assert.notEqual(await source.cut(1_048_576), null)
    await source.end(keep)
    assert.equal(await source.begin({}), false)
  })
}

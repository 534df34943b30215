import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import Database from 'better-sqlite3'
import driver from '../../../plugins/sqlite/sqlite.ts'
import type { SqliteTarget } from '../../../plugins/sqlite/target.ts'
import type {
  ArchivePosition,
  ArchiveSource,
  Cut,
  EmbeddedArchive,
  FileProof,
} from '../../../src/driver/facet/archive.ts'
import { limits, open, type Store, targetOf } from './bench.ts'

/** The driver's archive facet. */
export const facet: EmbeddedArchive<SqliteTarget> = archiveOf()

function archiveOf(): EmbeddedArchive<SqliteTarget> {
  const archive = driver.embedded?.archive
  if (archive === undefined) throw new Error('unreachable: the driver archives')
  return archive
}

export interface Archived extends Store {
  readonly source: ArchiveSource
  readonly path: string
}

export interface ArchivedOptions {
  readonly sync?: 'async' | 'full'
  readonly name?: string
}

export function archivedTarget(folder: string, { sync = 'async', name = 'x.db' }: ArchivedOptions = {}): SqliteTarget {
  return targetOf(`sqlite:${name}`, { folders: [folder], life: 'local', sync, isArchived: true })
}

/** Opens a local store whose changes are archived; closed at the end of the test. */
export async function openArchived(t: TestContext, folder: string, options: ArchivedOptions = {}): Promise<Archived> {
  const store = await open(t, archivedTarget(folder, options), { ...limits, connectMs: 10_000 })
  const source = store.engine.archive()
  assert.ok(source, 'the store has an archive')
  return { ...store, source, path: source.path }
}

/** What an archiver keeps: a snapshot, and the cuts behind it. */
export class Kept {
  /** A copy of the main file; null: none yet. */
  base: Uint8Array | null = null
  cuts: Cut[] = []
  position: ArchivePosition | null = null

  readonly keep = async (rest: readonly Cut[]): Promise<void> => {
    for (const cut of rest) this.add(cut)
  }

  add(cut: Cut): void {
    this.cuts.push(cut)
    this.position = cut.position
  }

  /** Takes a snapshot; what was cut before it is dropped. */
  async snapshot(source: ArchiveSource, into: string): Promise<FileProof> {
    const snapshot = await source.snapshot(into, this.keep, new AbortController().signal)
    assert.ok(snapshot, 'no reader is in the way of the snapshot')
    this.base = await readFile(snapshot.path)
    this.cuts = []
    this.position = snapshot.position
    return snapshot.proof
  }

  /** Cuts everything that is committed. Returns how many cuts. */
  async drain(source: ArchiveSource, maxBytes = 1_048_576): Promise<number> {
    let count = 0
    for (let cut = await source.cut(maxBytes); cut !== null; cut = await source.cut(maxBytes)) {
      this.add(cut)
      count += 1
    }
    return count
  }

  async checkpoint(source: ArchiveSource): Promise<boolean> {
    const position = await source.checkpoint(this.keep)
    if (position !== null) this.position = position
    return position !== null
  }

  /** Rebuilds the file in another folder from what is kept, up to the last whole cut. */
  async restore(folder: string, name = 'x.db'): Promise<string> {
    const path = join(folder, name)
    const rebuild = await facet.rebuild(path)
    assert.ok(this.base, 'a snapshot is kept')
    for (let at = 0; at < this.base.length; at += 100_000) await rebuild.write(this.base.subarray(at, at + 100_000))
    const whole = this.cuts.findLastIndex((cut) => cut.isWhole) + 1
    for (const cut of this.cuts.slice(0, whole)) await rebuild.apply(cut.payload)
    await rebuild.finish()
    return path
  }
}

/** Every row of every table, as text, read by a connection that is closed again. */
export function rowsOf(path: string): Readonly<Record<string, readonly unknown[]>> {
  const native = new Database(path, { readonly: true, fileMustExist: true })
  try {
    assert.equal(native.pragma('integrity_check', { simple: true }), 'ok')
    const names = native
      .prepare<unknown[], string>("select name from sqlite_master where type = 'table' and rootpage > 0")
      .pluck()
      .all()
    return Object.fromEntries(names.map((name) => [name, native.prepare(`select * from "${name}"`).raw().all()]))
  } finally {
    native.close()
  }
}

/** Asserts that what is kept, rebuilt in a folder of its own, is the live file. */
export async function assertRestored(kept: Kept, live: string, folder: string): Promise<void> {
  assert.deepEqual(rowsOf(await kept.restore(folder)), rowsOf(live))
}

/** Runs JavaScript with `native`, a connection of its own to the file, in another process. */
export function foreign(path: string, code: string): void {
  const client = createRequire(import.meta.url).resolve('better-sqlite3')
  const text = `const native = new (require(${JSON.stringify(client)}))(${JSON.stringify(path)}, { timeout: 50 })
    ${code}
    native.close()`
  execFileSync(process.execPath, ['-e', text], { stdio: ['ignore', 'ignore', 'inherit'] })
}

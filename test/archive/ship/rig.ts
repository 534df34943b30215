import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { readManifest } from '../../../src/archive/format/manifests.ts'
import {
  manifestKey,
  parseSegmentKey,
  parseSnapshotKey,
  partKey,
  segmentKey,
} from '../../../src/archive/format/names.ts'
import { sha256Hex, unpack } from '../../../src/archive/format/packing.ts'
import type { SegmentHead, SnapshotManifest } from '../../../src/archive/format/records.ts'
import { readSegmentHead, readSegmentPayload } from '../../../src/archive/format/segment.ts'
import type { ArchiveObservation } from '../../../src/archive/observation.ts'
import { Archiver } from '../../../src/archive/ship/archiver.ts'
import type { ShippingSettings } from '../../../src/archive/ship/shipping-parts.ts'
import { archiveFolder } from '../../../src/archive/ship/spool.ts'
import { readShipState } from '../../../src/archive/ship/state-file.ts'
import { type ChainHead, takeOver } from '../../../src/archive/ship/takeover.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { MemoryTarget } from '../../support/memory-target.ts'
import { type ScriptedFile, type ScriptedPayload, ScriptedSource } from '../../support/scripted-source.ts'
import { makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

/** A file on a disk of its own. */
export async function makeFile(
  t: TestContext,
  fileId = 'store-1',
  rows: readonly string[] = [],
): Promise<ScriptedFile> {
  const path = join(await makeTempDir(t, 'ship'), 'holdfast.db')
  return { fileId, path, rows: [...rows], carried: 0, foreign: 0 }
}

/** Another disk with a copy of the file, of the folder next to it only what the caller copies. */
export async function copyFile(t: TestContext, file: ScriptedFile): Promise<ScriptedFile> {
  const { holder: _elsewhere, ...kept } = file
  return { ...kept, rows: [...file.rows], path: join(await makeTempDir(t, 'ship'), 'holdfast.db') }
}

/** A clock whose wall time can jump. */
class WallClock extends FakeClock {
  aheadMs = 0

  override wallMs(): number {
    return super.wallMs() + this.aheadMs
  }
}

/** A process with an archiver, whose time passes when a test waits for something. */
export class ScriptedProcess {
  readonly clock: WallClock = new WallClock()
  readonly seen: ArchiveObservation[] = []
  readonly source: ScriptedSource
  readonly archiver: Archiver
  readonly target: MemoryTarget
  settings: ShippingSettings = { intervalS: 1, spoolMaxBytes: 1_000_000 }
  #isDead = false

  constructor(store: MemoryTarget, file: ScriptedFile, head: ChainHead | null = null) {
    this.source = new ScriptedSource(file)
    this.source.isRebuilt = head?.rebuilt != null
    this.target = processTarget(store, () => this.#isDead)
    this.archiver = new Archiver({
      ...{ target: this.target, source: this.source, folder: archiveFolder(file.path), head },
      settings: () => this.settings,
      ...{ clock: this.clock, random: () => 0.5, observe: (seen) => void this.seen.push(seen) },
    })
  }

  start(): this {
    this.archiver.start()
    return this
  }

  /** Commits rows. */
  write(...rows: readonly string[]): void {
    this.source.file.rows.push(...rows)
  }

  /** Lets time pass, `stepMs` at a time, until the condition holds. */
  async until(holds: () => boolean, what: string, stepMs = 100): Promise<void> {
    await until(
      async () => {
        if (holds()) return true
        await this.clock.advance(stepMs)
        return holds()
      },
      { what: `${what} (${this.archiver.state.phase})`, everyMs: 1 },
    )
  }

  /** Lets time pass, and a moment for the file system. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }

  /** Resolves when a complete snapshot is followed by everything. */
  async ready(): Promise<this> {
    await this.until(() => this.archiver.state.snapshotAtMs !== null && this.archiver.state.lagS === 0, 'a base')
    const folder = folderOf(this.source.file)
    const isNoted = async (): Promise<boolean> =>
      (await readShipState(folder))?.base != null && !(await readdir(folder)).some((name) => /^snapshot-/.test(name))
    await until(isNoted, { what: 'the base to be noted', everyMs: 1 })
    return this
  }

  /** Resolves when everything that was written is stored. */
  async shipped(): Promise<void> {
    // Nothing is old at the moment at which it is written.
    await this.clock.advance(1)
    await this.until(() => this.archiver.state.lagS === 0, 'all to be stored')
  }

  async passing<T>(promise: Promise<T>): Promise<T> {
    let isDone = false
    void promise.then(
      () => {
        isDone = true
      },
      () => {
        isDone = true
      },
    )
    await this.until(() => isDone, 'a promise')
    return await promise
  }

  async close(withinMs = 5_000): Promise<void> {
    await this.passing(this.archiver.close(withinMs))
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** As `kill`, from within a request. */
  die(): void {
    // The system gives the file to the next one.
    if (this.source.file.holder === this.source) delete this.source.file.holder
    this.#isDead = true
  }

  /** Ends it at once: its clock stands still, and what it asks of the target is never answered. */
  async kill(): Promise<void> {
    this.die()
    // What it has begun to write is written, or not.
    await new Promise((resolve) => setTimeout(resolve, 30))
  }

  problems(): readonly string[] {
    return this.archiver.state.problems.map(({ code }) => code)
  }
}

/** What a process sees of the target: it may fail for one process and not for another. */
function processTarget(store: MemoryTarget, isDead: () => boolean): MemoryTarget {
  const mine = new MemoryTarget(store.objects)
  mine.isHonouring = store.isHonouring
  mine.isFencing = store.isFencing
  mine.isDead = isDead
  return mine
}

/** What a restore finds. */
export interface FoundRows {
  readonly rows: string[]
  readonly lineage: string
  readonly base: { readonly number: number; readonly atMs: number; readonly bytes: number }
  /** The last segment that was used. */
  readonly last: number
}

/** The rows of the newest complete snapshot, and of the segments that follow it without a gap; null: there is no snapshot. */
export async function findRows(store: MemoryTarget, lineage?: string): Promise<FoundRows | null> {
  const manifests = store
    .keys('snapshots/')
    .filter((key) => parseSnapshotKey(key)?.file === 'manifest.json')
    .map((key) => readManifest(key, store.objects.get(key) ?? new Uint8Array()))
    .filter((one) => lineage === undefined || one.lineage === lineage)
    .sort((one, other) => one.number - other.number)
  const newest = manifests.at(-1)
  if (newest === undefined) return null
  const rows = await snapshotRows(store, newest)
  const base = { number: newest.number, atMs: Date.parse(newest.at), bytes: newest.bytes }
  let previous: string | null = newest.previous
  for (let number = newest.number + 1; ; number += 1) {
    const found = { rows, lineage: newest.lineage, base, last: number - 1 }
    const key = segmentKey(number, null)
    const bytes = store.objects.get(key)
    if (bytes === undefined) return found
    const head = readSegmentHead(key, bytes)
    if (head.lineage !== newest.lineage || !head.isContiguous) return found
    assert.equal(head.previous, previous, `segment ${number} follows the one before`)
    previous = await sha256Hex(bytes)
    const payload = await readSegmentPayload(key, bytes)
    if (payload === null) continue
    const cut = JSON.parse(new TextDecoder().decode(payload)) as ScriptedPayload // As ScriptedSource writes it.
    assert.ok(cut.from <= rows.length, `segment ${number} leaves nothing out`)
    rows.splice(cut.from, cut.rows.length, ...cut.rows)
  }
}

/** The rows that a restore finds. */
export async function restored(store: MemoryTarget, lineage?: string): Promise<readonly string[]> {
  const found = await findRows(store, lineage)
  assert.ok(found, 'a complete snapshot')
  return found.rows
}

/** A process on an empty disk: takes over, restores what is there, goes on. Without a base it begins without rows. */
export async function startAfresh(file: ScriptedFile, store: MemoryTarget, isWhole = true): Promise<ScriptedProcess> {
  const head = await takeOver({ target: store, folder: folderOf(file), wallMs: () => 1_700_000_000_000 })
  const found = await findRows(store)
  if (head === null || found === null) return new ScriptedProcess(store, file, head).start()
  file.rows.push(...found.rows)
  const isAll = isWhole && found.lineage === head.lineage && found.last === head.number
  const rebuilt = { lineage: found.lineage, base: found.base, isWhole: isAll }
  return new ScriptedProcess(store, file, { ...head, rebuilt }).start()
}

async function snapshotRows(store: MemoryTarget, manifest: SnapshotManifest): Promise<string[]> {
  const folder = `snapshots/${String(manifest.number).padStart(12, '0')}-${manifest.id}`
  assert.ok(store.objects.has(manifestKey(folder)))
  const parts: Uint8Array[] = []
  for (const [at, part] of manifest.parts.entries()) {
    const packed = store.objects.get(partKey(folder, at + 1)) ?? new Uint8Array()
    assert.equal(await sha256Hex(packed), part.hash)
    parts.push(await unpack(packed, part.bytes))
  }
  return JSON.parse(Buffer.concat(parts).toString()) as string[] // As ScriptedSource writes it.
}

/** The heads of all segments, in order. */
export function heads(store: MemoryTarget): readonly SegmentHead[] {
  return store
    .keys('segments/')
    .filter((key) => parseSegmentKey(key) !== null)
    .map((key) => readSegmentHead(key, store.objects.get(key) ?? new Uint8Array()))
}

/** The folder next to a scripted file. */
export function folderOf(file: ScriptedFile): string {
  return join(dirname(file.path), 'holdfast.db.archive')
}

import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../database/store/clock.ts'
import { type ArchiveSource, archiveGapCode } from '../../driver/facet/archive.ts'
import { FaultError } from '../../driver/fault.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import { keepsTooMuchProblem, snapshotProblem } from '../problems.ts'
import { type ArchiveTarget, TargetError } from '../target/target.ts'
import type { Recorder } from './recorder.ts'
import { removeUnneeded } from './retention.ts'
import type { Retrier } from './retrier.ts'
import type { ChainTip } from './segment-queue.ts'
import type { Shipment } from './shipment.ts'
import { putManifest, type SnapshotCopy, uploadParts } from './snapshot-upload.ts'

/** Below so many bytes of changes a small file is not sent again as a whole. */
const changesDueBytes = 16 * 1024 ** 2
/** An older snapshot is replaced where anything has changed since. */
const ageDueMs = 86_400_000
/** When a reader was in the way, the disk was full, or it failed otherwise. */
const retryMs = { reader: 1_000, room: 600_000, failure: 60_000 } as const

/** What making snapshots works with. */
export interface SnapshotParts {
  readonly target: ArchiveTarget
  readonly source: ArchiveSource
  readonly folder: string
  readonly clock: Clock
  readonly recorder: Recorder
  readonly retrier: Retrier
}

/** Makes snapshots of the file when they are due, stores them, and removes what they make unneeded. */
export class SnapshotMaker {
  readonly #parts: SnapshotParts
  readonly #shipment: Shipment
  #running: Promise<void> | null = null
  #isWanted = false
  #notBeforeMs = Number.NEGATIVE_INFINITY

  constructor(parts: SnapshotParts, shipment: Shipment) {
    this.#parts = parts
    this.#shipment = shipment
  }

  /** Removes copies that a dead process left. */
  async clean(): Promise<void> {
    for (const name of await readdir(this.#parts.folder).catch(() => []))
      if (/^snapshot-/.test(name)) await rm(join(this.#parts.folder, name), { force: true })
  }

  /** The next look begins one, be it due or not. */
  want(): void {
    this.#isWanted = true
    this.#notBeforeMs = Number.NEGATIVE_INFINITY
  }

  /** Begins a snapshot where one is due and can be made. Resolves when none runs; never rejects. */
  async look(signal: AbortSignal): Promise<void> {
    if (this.#running === null && this.#isDue()) {
      this.#isWanted = false
      this.#running = this.#make(signal)
        .catch((error: unknown) => this.#failed(error, signal))
        .finally(() => {
          this.#running = null
        })
    }
    await this.#running
  }

  #isDue(): boolean {
    const { clock, recorder } = this.#parts
    const { base, bytesSince, isDropping } = this.#shipment
    if (recorder.phase !== 'shipping' || isDropping || clock.now() < this.#notBeforeMs) return false
    if (this.#isWanted || base === null) return true
    if (bytesSince > Math.max(changesDueBytes, base.bytes / 4)) return true
    return bytesSince > 0 && clock.wallMs() - base.atMs > ageDueMs
  }

  async #make(signal: AbortSignal): Promise<void> {
    const { source, folder, clock } = this.#parts
    const startedMs = clock.now()
    const id = drawId()
    const path = join(folder, `snapshot-${id}.db`)
    const atMs = clock.wallMs()
    let tip: ChainTip | null = null
    const keep = async (rest: Parameters<Shipment['keep']>[0]): Promise<void> => {
      tip = await this.#shipment.keepForSnapshot(rest)
    }
    try {
      const found = await source.snapshot(path, keep, signal)
      if (found === null || tip === null) {
        this.#isWanted = true
        this.#notBeforeMs = clock.now() + retryMs.reader
        return
      }
      this.#shipment.copied(tip, found.position)
      const { proof } = found
      if (proof.damage.length > 0) throw new Error(`The file is damaged: ${proof.damage.join('; ')}.`)
      const at = new Date(atMs).toISOString()
      await this.#store({ id, path, proof, at, tip, identity: this.#shipment.identity }, startedMs, signal)
    } finally {
      await rm(path, { force: true }).catch(() => {})
    }
  }

  async #store(copy: SnapshotCopy, startedMs: number, signal: AbortSignal): Promise<void> {
    const { target, clock, recorder, retrier } = this.#parts
    const put = async (key: string, bytes: Uint8Array): Promise<void> => {
      const sinceMs = clock.now()
      await retrier.run(() => target.put(key, bytes, signal), signal)
      recorder.stored(key, bytes.byteLength, clock.now() - sinceMs)
    }
    const manifest = await uploadParts(copy, put, signal)
    // Only who has put this segment may say what follows it: another process may have taken over meanwhile.
    await this.#shipment.storedUpTo(copy.tip.number, signal)
    const folder = await retrier.run(() => putManifest(target, manifest, signal), signal)
    const base = { number: manifest.number, atMs: Date.parse(manifest.at), bytes: manifest.bytes }
    const storedBytes = manifest.parts.reduce((sum, { packedBytes }) => sum + packedBytes, 0)
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
    recorder.snapshotStored({ folder, bytes: manifest.bytes, storedBytes, rows, tookMs: clock.now() - startedMs })
    recorder.set('snapshot', null)
    await this.#shipment.based(base)
    await this.retain(signal)
  }

  /** Removes what is no longer needed. Never rejects. */
  async retain(signal: AbortSignal): Promise<void> {
    const { target, recorder } = this.#parts
    try {
      recorder.removed(await removeUnneeded(target, this.#shipment.identity, signal))
      recorder.set('retention', null)
    } catch (error) {
      // A target that is away is another matter: the next snapshot tries again.
      if (error instanceof TargetError && error.kind === 'auth')
        recorder.set('retention', keepsTooMuchProblem(target.label, error))
      else if (!(error instanceof TargetError) && !signal.aborted) recorder.defect(error)
    }
  }

  #failed(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return
    const { clock, recorder } = this.#parts
    const isFault = error instanceof FaultError
    const isRoom = isFault && error.fault.kind === 'disk-full'
    const isGap = isFault && error.fault.code === archiveGapCode
    this.#isWanted = true
    this.#notBeforeMs = clock.now() + (isRoom ? retryMs.room : isGap ? retryMs.reader : retryMs.failure)
    if (!isGap) recorder.set('snapshot', snapshotProblem(isRoom, error))
  }
}

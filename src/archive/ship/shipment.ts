import { type ArchivePosition, archiveGapCode, type Cut } from '../../driver/facet/archive.ts'
import { FaultError } from '../../driver/fault.ts'
import { fencedProblem, holeProblem, spoolFullWhy } from '../problems.ts'
import { Bell } from './bell.ts'
import { ChangeAge } from './change-age.ts'
import { Confirmations } from './confirmations.ts'
import type { JoinedChain } from './joining.ts'
import { type ChainIdentity, type ChainTip, SegmentQueue } from './segment-queue.ts'
import { type ShipmentParts, shipLimits } from './shipping-parts.ts'
import { type BaseSnapshot, writeShipState } from './state-file.ts'

/** Cuts what is committed, and ships it: the chain of one process from its `open` segment on. */
export class Shipment {
  readonly identity: ChainIdentity
  readonly #parts: ShipmentParts
  readonly #queue: SegmentQueue
  readonly #bell: Bell
  readonly #confirmations = new Confirmations()
  #base: BaseSnapshot | null
  /** The `gap` segment that is not stored yet, by its number: until then what is cut is dropped. */
  #droppingUntil: number | null = null
  /** The source has lost changes, and goes on from a snapshot. */
  #isLost = false
  /** The last `gap` segment: a snapshot of a lower number is no base. */
  #brokenAt = 0
  /** Behind everything that was cut before what follows the last `gap` segment. */
  #gapPosition: ArchivePosition | null
  /** Why a `gap` segment is still to be made. */
  #gapDue: string | null
  /** A better form of the place behind a segment. */
  #provable: { readonly number: number; readonly position: ArchivePosition } | null = null
  readonly #age: ChangeAge
  #bytesSince = 0
  #isFenced = false
  #writing: Promise<unknown> = Promise.resolve()

  constructor(parts: ShipmentParts, { identity, tip, base, isGapDue }: JoinedChain) {
    this.#parts = parts
    this.identity = identity
    this.#queue = new SegmentQueue(parts.target, parts.spool, identity, tip)
    this.#bell = new Bell(parts.clock)
    this.#base = base
    this.#gapPosition = tip.position
    this.#age = new ChangeAge(parts.clock, () => parts.source.waitingBytes())
    this.#gapDue = isGapDue ? 'What is there could not be restored as a whole.' : null
  }

  /** Null: no complete snapshot is followed by everything since. */
  get base(): BaseSnapshot | null {
    return this.#base
  }

  /** Payload since the last snapshot. */
  get bytesSince(): number {
    return this.#bytesSince
  }

  get stored(): ChainTip {
    return this.#queue.stored
  }

  get tip(): ChainTip {
    return { ...this.#queue.tip, position: this.#positionOf(this.#queue.tip) }
  }

  get isFenced(): boolean {
    return this.#isFenced
  }

  /** Whether changes are being dropped, so that a snapshot would not be followed by what comes after it. */
  get isDropping(): boolean {
    return this.#droppingUntil !== null || this.#gapDue !== null
  }

  /** How old the oldest change is that is not stored, in seconds; Infinity: unknown. */
  get lagS(): number {
    const times = [this.#queue.oldestMs, this.#age.oldestMs].filter((ms) => ms !== null)
    return times.length === 0 ? 0 : Math.max(0, this.#parts.clock.now() - Math.min(...times)) / 1_000
  }

  confirmed(signal?: AbortSignal): Promise<void> {
    const done = this.#confirmations.add(signal)
    this.#bell.ring()
    return done
  }

  /** Cuts while the signal lasts: in time, in size, for those who wait, and before each checkpoint. */
  async cutting(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#gapDue !== null) await this.#openGap(this.#gapDue)
        if (this.#isCutDue()) await this.cutAll()
        if (!this.#isLost && this.#parts.source.isCheckpointDue) await this.#checkpoint()
      } catch (error) {
        if (!signal.aborted) await this.#failed(error)
        await this.#bell.wait(shipLimits.failedMs, signal)
      }
      await this.#bell.wait(this.#confirmations.gatheringMs(this.#parts.clock.now()) ?? this.#tickMs, signal)
    }
  }

  /** Puts segments in their order while the signal lasts, and until another process has taken over. */
  async putting(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#isFenced) {
      if (this.#queue.length === 0) await this.#bell.wait(60_000, signal)
      else await this.flush(signal)
    }
  }

  /** Cuts everything that is committed now. Rejects with what the source rejects with. */
  async cutAll(): Promise<void> {
    if (this.#isLost) return
    const { source } = this.#parts
    const covered = this.#confirmations.begin()
    const oldestMs = this.#age.begin()
    let isCut = false
    try {
      for (;;) {
        const cut = await source.cut(shipLimits.cutBytesMax)
        if (cut === null) break
        await this.#take(cut, oldestMs)
        if (cut.isAll) break
      }
      covered(this.#queue.tip.number)
      isCut = true
    } finally {
      this.#age.end(isCut)
    }
    this.#confirmations.stored(this.#queue.stored.number, this.#parts.clock.now())
    this.#bell.ring()
  }

  /** For the source's checkpoints: resolves when these changes, and all before them, survive a power cut. */
  async keep(rest: readonly Cut[]): Promise<void> {
    const oldestMs = this.#age.look() ?? this.#parts.clock.now()
    for (const cut of rest) await this.#take(cut, oldestMs)
    if (this.isDropping) return
    await this.#queue.keep()
    await this.#writeState(true)
    this.#bell.ring()
  }

  /** Like `keep`, for a snapshot; resolves with the end of the chain, which the snapshot then has. */
  async keepForSnapshot(rest: readonly Cut[]): Promise<ChainTip> {
    await this.keep(rest)
    this.#bytesSince = 0
    return this.tip
  }

  /** The copy of a snapshot was made: what was lost before does no harm any more. `tip`: what `keepForSnapshot` gave. */
  copied(tip: ChainTip, position: ArchivePosition): void {
    this.#isLost = false
    this.#provable = { number: tip.number, position }
  }

  /** A snapshot is complete. It is a base unless changes behind it were lost meanwhile. */
  async based(base: BaseSnapshot): Promise<void> {
    if (this.#isLost || this.isDropping || this.#brokenAt > base.number) return
    this.#base = base
    this.#parts.recorder.set('hole', null)
    await this.#writeState(true)
  }

  /** Resolves when this segment is stored. Rejects with the signal's reason. */
  async storedUpTo(number: number, signal: AbortSignal): Promise<void> {
    while (this.#queue.stored.number < number) {
      signal.throwIfAborted()
      await this.#bell.wait(1_000, signal)
    }
  }

  /** Puts what waits until all of it is stored, or the signal is aborted. */
  async flush(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    while (this.#queue.length > 0 && !signal.aborted && !this.#isFenced) {
      const startedMs = clock.now()
      const outcome = await this.#parts.retrier.run(() => this.#queue.ship(signal), signal)
      if (outcome?.is === 'taken') this.#fenced(outcome.by.head?.generation ?? null)
      if (outcome?.is === 'stored') await this.#storedOne(outcome, clock.now() - startedMs)
    }
  }

  /** The last checkpoint, and what the next process needs to know. Never rejects. */
  async end(): Promise<void> {
    const position = await this.#parts.source.end((rest) => (this.#isFenced ? Promise.resolve() : this.keep(rest)))
    if (this.#isFenced || this.#isLost || this.isDropping) return
    if (position !== null) this.#provable = { number: this.#queue.tip.number, position }
    await this.#writeState(true).catch((error: unknown) => this.#parts.recorder.defect(error))
  }

  /** Nobody is told any more that something is stored. */
  stop(cause?: unknown): void {
    this.#confirmations.fail(cause)
    this.#bell.ring()
  }

  get #tickMs(): number {
    return Math.min(250, Math.max(20, this.#parts.settings().intervalS * 250))
  }

  #isCutDue(): boolean {
    const { source, settings, clock } = this.#parts
    const oldestMs = this.#age.look()
    if (this.#isLost) return false
    const waiting = source.waitingBytes()
    // One put serves all that wait for it: the next cut comes when it has ended.
    if (this.#queue.length > 0) return waiting >= shipLimits.pressureBytes
    if (this.#confirmations.isCutDue(clock.now()) || waiting >= shipLimits.sizeDueBytes) return true
    return oldestMs !== null && clock.now() - oldestMs >= settings().intervalS * 1_000 - this.#tickMs
  }

  /** Makes a segment of a cut, or drops it where the chain has a hole that is not closed. */
  async #take(cut: Cut, oldestMs: number): Promise<void> {
    const { clock, spool, settings } = this.#parts
    this.#bytesSince += cut.payload.byteLength
    if (this.isDropping) {
      this.#gapPosition = cut.position
      return
    }
    const { payload, position, isWhole } = cut
    const at = new Date(clock.wallMs()).toISOString()
    const draft = { kind: 'pages', isContiguous: true, isWhole, position, at, payload, oldestMs } as const
    await this.#queue.add(draft).catch((error: unknown) => {
      // The source goes on behind these changes all the same.
      this.#lose('A segment could not be made.', null)
      throw error
    })
    this.#bell.ring()
    const { spoolMaxBytes } = settings()
    if (spool.bytes <= spoolMaxBytes && this.#queue.memoryBytes <= shipLimits.memoryMaxBytes) return
    const why = spoolFullWhy(spoolMaxBytes)
    this.#lose(why, position)
    await this.#queue.drop()
    await this.#openGap(why)
  }

  /** Changes up to this place (null: unknown) are not in the chain: a `gap` segment is due, whatever fails until it is made. */
  #lose(why: string, position: ArchivePosition | null): void {
    this.#gapDue = why
    this.#gapPosition = position
    this.#base = null
    this.#confirmations.fail(why)
  }

  /** Says in the chain that changes are missing; what is cut before that is stored is dropped. */
  async #openGap(why: string): Promise<void> {
    const { clock, recorder } = this.#parts
    this.#lose(why, this.#isLost ? null : this.#gapPosition)
    // Before anything is dropped by a checkpoint: a process that dies now must not continue this chain.
    await this.#writeState(true)
    const at = new Date(clock.wallMs()).toISOString()
    const place = { position: this.#gapPosition, at, oldestMs: clock.now() }
    await this.#queue.add({ kind: 'gap', isContiguous: false, isWhole: true, payload: null, ...place })
    this.#brokenAt = this.#queue.tip.number
    this.#droppingUntil = this.#brokenAt
    this.#gapDue = null
    recorder.set('hole', holeProblem(this.#brokenAt, why))
    this.#bell.ring()
  }

  async #checkpoint(): Promise<void> {
    const { source } = this.#parts
    let last = 0
    const position = await source.checkpoint(async (rest) => {
      await this.keep(rest)
      last = this.#queue.tip.number
    })
    if (position !== null && last > this.#brokenAt) this.#provable = { number: last, position }
    await this.#writeState(false)
  }

  async #failed(error: unknown): Promise<void> {
    const isGap = error instanceof FaultError && error.fault.code === archiveGapCode
    if (!isGap) this.#parts.recorder.defect(error)
    if (!isGap || this.#isLost) return
    this.#isLost = true
    await this.#openGap(error.fault.summary).catch((defect: unknown) => this.#parts.recorder.defect(defect))
  }

  async #storedOne(
    { key, number, bytes }: { readonly key: string; readonly number: number; readonly bytes: number },
    tookMs: number,
  ): Promise<void> {
    if (this.#droppingUntil !== null && number >= this.#droppingUntil) this.#droppingUntil = null
    this.#parts.recorder.stored(key, bytes, tookMs)
    this.#confirmations.stored(number, this.#parts.clock.now(), tookMs)
    this.#bell.ring()
    await this.#writeState(false).catch((error: unknown) => this.#parts.recorder.defect(error))
  }

  #fenced(by: string | null): void {
    this.#isFenced = true
    const { recorder, target } = this.#parts
    recorder.ended('fenced', fencedProblem(target.label, by))
    this.stop('Another process has taken over the archive.')
  }

  #positionOf(tip: ChainTip): ArchivePosition | null {
    if (this.#provable?.number === tip.number) return this.#provable.position
    // Everything that was dropped is before the snapshot that comes.
    return tip.number === this.#brokenAt ? this.#gapPosition : tip.position
  }

  /** One after the other: each replaces the file as a whole. */
  #writeState(isSynced: boolean): Promise<void> {
    const written = this.#writing.then(() => this.#writeNow(isSynced))
    this.#writing = written.catch(() => {})
    return written
  }

  async #writeNow(isSynced: boolean): Promise<void> {
    const { root, generation, lineage, since } = this.identity
    const kept = this.#queue.kept
    const place = { number: kept.number, hash: kept.hash, position: this.#positionOf(kept) }
    const chain = { archive: root.archive, generation, lineage, since, base: this.#base }
    const state = { ...chain, ...place, isBroken: this.isDropping || this.#isLost, isEmptyStart: false }
    await writeShipState(this.#parts.spool.folder, state, isSynced)
  }
}

import type { Clock } from '../../database/store/clock.ts'
import type { ArchiveSource } from '../../driver/facet/archive.ts'
import { HoldfastError } from '../../errors.ts'
import type { ArchiveState, LastDrill } from '../archive-state.ts'
import { FormatError } from '../format/format-error.ts'
import type { ArchiveObservation } from '../observation.ts'
import { drillFailedProblem, formatProblem, lagProblem, notFencingProblem } from '../problems.ts'
import type { ArchiveTarget } from '../target/target.ts'
import { Bell } from './bell.ts'
import { Joiner, type Joining } from './joining.ts'
import { Recorder } from './recorder.ts'
import { Retrier } from './retrier.ts'
import { Shipment } from './shipment.ts'
import type { ShippingSettings } from './shipping-parts.ts'
import { SnapshotMaker } from './snapshot-maker.ts'
import { Spool } from './spool.ts'
import type { ChainHead } from './takeover.ts'

/** What an archiver needs. */
export interface ArchiverOptions {
  readonly target: ArchiveTarget
  readonly source: ArchiveSource
  /** `archiveFolder` of the source's file. */
  readonly folder: string
  /** Read whenever they matter. */
  readonly settings: () => ShippingSettings
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly observe: (seen: ArchiveObservation) => void
  /** Where this process has taken the chain over before the file was made; null: the file was there. */
  readonly head: ChainHead | null
}

/** From here on the lag is a problem. */
const lagWarnS = 60
/** Of the time that closing has, how much may go into shipping before the file's last checkpoint. */
const shipShare = 0.8
/** For so long a target that did not answer is waited for when closing. */
const awayMs = 2_000

/** Archives one open local store: joins the chain of its archive, ships what is committed, makes snapshots. */
export class Archiver {
  readonly #options: ArchiverOptions
  readonly #recorder: Recorder
  readonly #retrier: Retrier
  readonly #spool: Spool
  readonly #bell: Bell
  /** Ends everything but what closing does. */
  readonly #loops = new AbortController()
  #joiner: Joiner | null = null
  #shipment: Shipment | null = null
  #snapshots: SnapshotMaker | null = null
  #running: Promise<void> | null = null
  #closed: Promise<void> | null = null

  constructor(options: ArchiverOptions) {
    const { target, clock, random, observe, folder } = options
    this.#options = options
    this.#recorder = new Recorder(target.label, clock, observe)
    this.#retrier = new Retrier(this.#recorder, clock, random)
    this.#spool = new Spool(folder)
    this.#bell = new Bell(clock)
  }

  /** Begins. To be called once; what fails is tried again. */
  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => {
      if (!this.#loops.signal.aborted) this.#recorder.defect(error)
    })
  }

  /** From memory. */
  get state(): ArchiveState {
    const { phase, counts, problems, drill } = this.#recorder
    const { lagS } = this
    return {
      label: this.#options.target.label,
      phase,
      lagS,
      ...counts,
      spoolBytes: this.#spool.bytes,
      snapshotAtMs: this.#shipment?.base?.atMs ?? null,
      drill,
      restore: null,
      problems: lagS !== null && lagS > lagWarnS ? [...problems, lagProblem(lagS)] : problems,
    }
  }

  /** How old the oldest change is that is not in the archive, in seconds; null: unknown, or there is no base yet. */
  get lagS(): number | null {
    const shipment = this.#shipment
    if (shipment === null || shipment.base === null || shipment.isFenced) return null
    return Number.isFinite(shipment.lagS) ? shipment.lagS : null
  }

  /** Whether `confirmed` may be expected to resolve soon: the names fence, and a complete snapshot is followed by all since. */
  get canConfirm(): boolean {
    const shipment = this.#shipment
    if (shipment === null || this.#closed !== null || this.#recorder.phase !== 'shipping') return false
    return shipment.identity.isFencing && shipment.base !== null && !shipment.isDropping
  }

  /** Whether `canConfirm` is only false because no complete snapshot is stored yet. */
  get isPreparing(): boolean {
    const { phase } = this.#recorder
    if (this.#closed !== null || (phase !== 'idle' && phase !== 'shipping')) return false
    const shipment = this.#shipment
    return shipment === null || (shipment.identity.isFencing && shipment.base === null && !shipment.isDropping)
  }

  /** Resolves when everything that was committed before this call is in the archive. Rejects with ARCHIVE_UNCONFIRMED. */
  async confirmed(signal?: AbortSignal): Promise<void> {
    const shipment = this.#shipment
    const isOver = this.#closed !== null || shipment === null || shipment.isFenced
    if (isOver || !shipment.identity.isFencing || shipment.base === null) throw new HoldfastError('ARCHIVE_UNCONFIRMED')
    await shipment.confirmed(signal)
  }

  /** Makes a snapshot as soon as possible, be it due or not. */
  snapshotNow(): void {
    this.#snapshots?.want()
    this.#bell.ring()
  }

  /** A drill has ended, and has said in the archive what it has proven. */
  drilled(drill: LastDrill): void {
    this.#recorder.drill = drill
    this.#recorder.set('drill', drill.failure === null ? null : drillFailedProblem(drill.failure))
    if (drill.failure === null) void this.#snapshots?.retain(this.#loops.signal)
  }

  /**
   * Ships what is left, within the limit; without a complete snapshot, that first. Never rejects. The source is ended then,
   * and its store may close.
   */
  close(withinMs: number): Promise<void> {
    this.#closed ??= this.#close(withinMs).finally(() => this.#joiner?.leave())
    return this.#closed
  }

  async #run(): Promise<void> {
    const { clock, settings, folder, target, source } = this.#options
    const { signal } = this.#loops
    const joining = await this.#join(signal)
    if ('refused' in joining) {
      this.#recorder.ended('refused', joining.refused)
      this.#joiner?.leave()
      return
    }
    const { chain } = joining
    const parts = { target, source, clock, recorder: this.#recorder, retrier: this.#retrier }
    const shipment = new Shipment({ ...parts, spool: this.#spool, settings }, chain)
    const snapshots = new SnapshotMaker({ ...parts, folder }, shipment)
    await snapshots.clean()
    this.#shipment = shipment
    this.#snapshots = snapshots
    this.#recorder.joined(chain.identity.lineage, chain.tip.number, chain.base !== null)
    this.#recorder.set('lineage', chain.problem)
    if (!chain.identity.isFencing) this.#recorder.set('fence', notFencingProblem(target.label))
    await Promise.all([this.#shipping(shipment, signal), this.#snapshotting(snapshots, signal)])
    // A fenced process goes on without the archive: SQLite carries its changes by itself again.
    if (!shipment.isFenced) return
    await shipment.end()
    this.#joiner?.leave()
  }

  async #join(signal: AbortSignal): Promise<Joining> {
    const { target, source, clock, head } = this.#options
    const wallMs = (): number => clock.wallMs()
    const joiner = new Joiner({ target, source, spool: this.#spool, head, wallMs, signal })
    this.#joiner = joiner
    const join = async (): Promise<Joining> => {
      try {
        return await joiner.join()
      } catch (error) {
        if (error instanceof FormatError && error.fault === 'newer') return { refused: formatProblem(error) }
        throw error
      }
    }
    return await this.#retrier.run(join, signal)
  }

  async #shipping(shipment: Shipment, signal: AbortSignal): Promise<void> {
    const cutting = shipment.cutting(signal)
    await shipment.putting(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    if (shipment.isFenced) this.#loops.abort(new Error('Another process has taken over the archive.'))
    await cutting
  }

  async #snapshotting(snapshots: SnapshotMaker, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await snapshots.look(signal)
      await this.#bell.wait(1_000, signal)
    }
  }

  async #close(withinMs: number): Promise<void> {
    const { clock, source } = this.#options
    const endMs = clock.now() + withinMs
    const shipment = this.#shipment
    const isAway = this.#recorder.phase === 'waiting'
    if (shipment !== null && !shipment.isFenced)
      await this.#within(isAway ? Math.min(awayMs, withinMs * shipShare) : withinMs * shipShare, (signal) =>
        this.#shipRest(shipment, signal),
      )
    this.#loops.abort(new Error('The store closes.'))
    await this.#running
    if (shipment === null) {
      // Begun, and never joined: what it has is for the next process.
      if (this.#joiner?.isBegun) await source.end(async () => {})
      return
    }
    if (!shipment.isFenced) {
      await shipment.end()
      if (!isAway) await this.#within(endMs - clock.now(), (signal) => shipment.flush(signal))
    }
    shipment.stop('The store has closed.')
  }

  /** Through the loops, which go on: first a base, without which nothing could be restored. */
  async #shipRest(shipment: Shipment, signal: AbortSignal): Promise<void> {
    this.#retrier.hurry()
    for (let isFirst = true; shipment.base === null && !signal.aborted && !shipment.isFenced; isFirst = false) {
      if (isFirst) this.snapshotNow()
      await this.#bell.wait(20, signal)
    }
    await shipment.confirmed(signal)
  }

  /** Does what may be cut off; never rejects. */
  async #within(ms: number, act: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const limit = new AbortController()
    const cancel = this.#options.clock.wait(Math.max(0, ms), () => limit.abort(new Error('The time is over.')))
    await act(limit.signal)
      .catch(() => {})
      .finally(cancel)
  }
}

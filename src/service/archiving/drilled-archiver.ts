import { join } from 'node:path'
import type { ArchiveState, LastDrill } from '../../archive/archive-state.ts'
import type { ArchiveObservation } from '../../archive/observation.ts'
import { problemOfFailure } from '../../archive/problems.ts'
import { lastProven, runDrill } from '../../archive/restore/drill.ts'
import { DrillSchedule } from '../../archive/restore/drills.ts'
import type { RestoreObservation } from '../../archive/restore/observation.ts'
import { Archiver, type ArchiverOptions } from '../../archive/ship/archiver.ts'
import { atMost } from '../../database/store/bounded.ts'
import type { FileRebuild } from '../../driver/facet/archive.ts'
import type { StoreArchiver } from './archive-service.ts'

/** What archives a local store and restores it as a test. */
export interface DrilledOptions extends Omit<ArchiverOptions, 'observe'> {
  readonly observe: (seen: ArchiveObservation | RestoreObservation) => void
  /** Begins the file of a drill. */
  readonly rebuild: (path: string) => Promise<FileRebuild>
  /** ARCHIVE_DRILL in milliseconds. */
  readonly drillEveryMs: () => number
}

/** Archives the file of a local store, and restores its archive as a test once there is a snapshot, then every so often. */
export class DrilledArchiver implements StoreArchiver {
  readonly #options: DrilledOptions
  readonly #archiver: Archiver
  readonly #drills: DrillSchedule
  #lineage: string | null = null

  constructor(options: DrilledOptions) {
    const { target, clock, folder, observe, rebuild } = options
    const { label } = target
    this.#options = options
    this.#archiver = new Archiver({ ...options, observe: (seen) => this.#observe(seen) })
    const parts = { target, clock, folder: join(folder, 'drill'), rebuild }
    this.#drills = new DrillSchedule({
      clock,
      everyMs: options.drillEveryMs,
      last: (signal) => lastProven(target, this.#lineage, signal),
      run: async (signal) => {
        const drill = await runDrill(parts, this.#lineage, signal)
        if (drill?.failure === null) observe({ type: 'drill.passed', label, rows: drill.rows, tookMs: drill.tookMs })
        return drill
      },
      ended: (drill: LastDrill) => this.#archiver.drilled(drill),
      failed: (error) => observe({ type: 'drill.failed', problem: problemOfFailure(label, error) }),
    })
  }

  get state(): ArchiveState {
    return this.#archiver.state
  }

  get lagS(): number | null {
    return this.#archiver.lagS
  }

  get canConfirm(): boolean {
    return this.#archiver.canConfirm
  }

  get isPreparing(): boolean {
    return this.#archiver.isPreparing
  }

  start(): void {
    this.#archiver.start()
  }

  async confirmed(signal?: AbortSignal): Promise<void> {
    await this.#archiver.confirmed(signal)
  }

  async close(withinMs: number): Promise<void> {
    const ended = atMost(this.#options.clock, withinMs, this.#drills.close())
    await Promise.all([this.#archiver.close(withinMs), ended])
  }

  #observe(seen: ArchiveObservation): void {
    this.#options.observe(seen)
    if (seen.type === 'archive.joined') this.#lineage = seen.lineage
    const hasSnapshot = seen.type === 'archive.snapshot-stored' || (seen.type === 'archive.joined' && seen.isContiguous)
    if (hasSnapshot) this.#drills.snapshotStored()
  }
}

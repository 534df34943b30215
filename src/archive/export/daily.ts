import type { Problem } from '../../config/problem.ts'
import type { Clock } from '../../database/store/clock.ts'
import { HoldfastError } from '../../errors.ts'
import { archiveProblem } from '../problems.ts'
import { type ArchiveTarget, TargetError } from '../target/target.ts'
import { type ExportedTable, type ExportOptions, ExportRefused, exportTables, lastExport } from './exporter.ts'
import type { ExportObservation } from './observation.ts'

const dayMs = 86_400_000

/** A start has other things to do. */
const firstMs = 60_000

/** Pause after an export that failed, and while there is nothing to export from. */
const againMs = 15 * 60_000

/** The collections of the database that serves. */
export interface ExportedTables extends Pick<ExportOptions, 'source' | 'unavailable'> {
  readonly tables: readonly ExportedTable[]
}

/** What exports once a day. */
export interface DailyExportParts {
  readonly target: ArchiveTarget
  /** Whether ARCHIVE_EXPORT asks for it. */
  isWanted(): boolean
  /** Null while nothing may be exported: no database serves, or the archive is another process's or store's. */
  tables(): ExportedTables | null
  readonly clock: Clock
  observe(seen: ExportObservation): void
}

/** Exports every collection once a day; when the last export was, the target knows, so that restarts do not count. */
export class DailyExport {
  readonly #parts: DailyExportParts
  readonly #ending = new AbortController()
  #cancel: () => void = () => {}
  #running: Promise<void> = Promise.resolve()
  #failure: Problem | null = null

  constructor(parts: DailyExportParts) {
    this.#parts = parts
  }

  get problems(): readonly Problem[] {
    return this.#failure === null ? [] : [this.#failure]
  }

  start(): void {
    this.#wait(firstMs)
  }

  /** Ends an export that is under way. Never rejects. */
  async close(): Promise<void> {
    this.#ending.abort()
    this.#cancel()
    await this.#running
  }

  #wait(ms: number): void {
    if (this.#ending.signal.aborted) return
    this.#cancel = this.#parts.clock.wait(ms, () => {
      this.#running = this.#due().then((next) => this.#wait(next))
    })
  }

  /** Exports where that is due; resolves with the time until the next look. Never rejects. */
  async #due(): Promise<number> {
    const { target, isWanted, clock } = this.#parts
    const found = isWanted() ? this.#parts.tables() : null
    if (found === null) {
      if (!isWanted()) this.#failure = null
      return againMs
    }
    const startedMs = clock.now()
    const { tables, ...more } = found
    try {
      const last = await lastExport(target, this.#ending.signal)
      const at = new Date(clock.wallMs())
      const ageMs = last === null ? dayMs : at.getTime() - last.getTime()
      // A clock that was set back makes it due, too.
      if (ageMs >= 0 && ageMs < dayMs) return dayMs - ageMs
      const summary = await exportTables(target, tables, { ...more, at, signal: this.#ending.signal })
      this.#failure = null
      const tookMs = clock.now() - startedMs
      this.#parts.observe({ type: 'archive.exported', label: target.label, tookMs, ...summary })
      return dayMs
    } catch (error) {
      this.#failed(error)
      return againMs
    }
  }

  #failed(error: unknown): void {
    if (this.#ending.signal.aborted) return
    const { label } = this.#parts.target
    const why = error instanceof Error ? error.message : 'it failed.'
    const hasHint = error instanceof TargetError || error instanceof HoldfastError || error instanceof ExportRefused
    const hint = hasHint ? error.hint : 'It is tried again.'
    const problem = archiveProblem(
      'ARCHIVE_EXPORT_FAILED',
      'warning',
      `The collections could not be exported to ${label}: ${why}`,
      hint,
    )
    this.#failure = problem
    this.#parts.observe({ type: 'archive.export-failed', label, problem, error })
  }
}

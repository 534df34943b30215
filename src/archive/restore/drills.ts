import type { Clock } from '../../database/store/clock.ts'
import type { LastDrill } from '../archive-state.ts'

/** What decides when a drill runs. */
export interface DrillScheduleParts {
  readonly clock: Clock
  /** ARCHIVE_DRILL in milliseconds; 0: never. Read each time, so that a changed setting counts. */
  everyMs(): number
  /** When an earlier process proved a snapshot; null: none did. */
  last(signal: AbortSignal): Promise<LastDrill | null>
  /** Null: there is nothing to restore. Rejects when the archive does not answer. */
  run(signal: AbortSignal): Promise<LastDrill | null>
  /** A drill has ended. */
  ended(drill: LastDrill): void
  /** `run` or `last` rejected. */
  failed(error: unknown): void
}

/** After a drill that failed, or could not run. */
const retryMs = 3_600_000
/** How often the time is compared at least: a timer for a day would stand still with the machine. */
const lookMs = 60_000
/** How often at most, however often drills are to run. */
const pauseMs = 1_000

/** Runs a drill after the first snapshot, then as often as the setting says. Never two at once. */
export class DrillSchedule {
  readonly #parts: DrillScheduleParts
  readonly #controller = new AbortController()
  #dueMs: number | null = null
  #cancel: (() => void) | null = null
  #running: Promise<void> = Promise.resolve()
  #isAsked = false

  constructor(parts: DrillScheduleParts) {
    this.#parts = parts
  }

  /** To be called when a complete snapshot is there, again and again: the first time counts. */
  snapshotStored(): void {
    if (this.#isAsked || this.#controller.signal.aborted) return
    this.#isAsked = true
    this.#running = this.#begin()
  }

  /** Ends the drill that runs. Never rejects. */
  async close(): Promise<void> {
    this.#controller.abort(new Error('The service is shutting down.'))
    this.#cancel?.()
    await this.#running
  }

  async #begin(): Promise<void> {
    const { clock, everyMs, last, ended, failed } = this.#parts
    const { signal } = this.#controller
    try {
      const found = everyMs() === 0 ? null : await last(signal)
      if (found !== null) ended(found)
      this.#dueMs = found === null ? clock.wallMs() : found.atMs + everyMs()
    } catch (error) {
      if (!signal.aborted) failed(error)
      this.#dueMs = clock.wallMs() + retryMs
    }
    await this.#look()
  }

  async #look(): Promise<void> {
    const { clock, everyMs } = this.#parts
    if (this.#controller.signal.aborted) return
    // A clock that was set back must not put it off.
    const nowMs = clock.wallMs()
    const dueMs = Math.min(this.#dueMs ?? nowMs, nowMs + Math.max(everyMs(), retryMs))
    this.#dueMs = dueMs
    if (everyMs() > 0 && nowMs >= dueMs) await this.#drill()
    if (this.#controller.signal.aborted) return
    const untilDueMs = everyMs() > 0 ? (this.#dueMs ?? 0) - clock.wallMs() : lookMs
    this.#cancel = clock.wait(Math.min(lookMs, Math.max(pauseMs, untilDueMs)), () => {
      this.#running = this.#look()
    })
  }

  async #drill(): Promise<void> {
    const { clock, everyMs, run, ended, failed } = this.#parts
    const { signal } = this.#controller
    try {
      const drill = await run(signal)
      if (drill !== null) ended(drill)
      const isProven = drill !== null && drill.failure === null
      this.#dueMs = clock.wallMs() + (isProven ? everyMs() : Math.min(everyMs(), retryMs))
    } catch (error) {
      if (!signal.aborted) failed(error)
      this.#dueMs = clock.wallMs() + Math.min(everyMs(), retryMs)
    }
  }
}

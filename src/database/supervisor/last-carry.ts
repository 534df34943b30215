import { faultOf, UnusableDeclaration } from '../machine/faults.ts'
import { backoffMs, times } from '../machine/policy.ts'
import { atMost, limitedSignal, untilAborted } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import type { Gate } from './gate.ts'
import type { DatabaseObservation, Observe } from './observation.ts'
import type { StoreSteps } from './steps.ts'

/** What `LastCarry` works with. */
export interface LastCarryParts {
  readonly clock: Clock
  readonly gate: Gate
  readonly steps: StoreSteps
  readonly observe: Observe<DatabaseObservation>
  /** Opens the primary. Rejects with a FaultError. */
  openPrimary(limitMs: number, signal: AbortSignal): Promise<Store>
  /** Closes a store that was opened here. */
  close(store: Store): void
}

/**
 * The end of a service whose journal is not empty: where the next restart may lose the file, what is left of the time is
 * spent on carrying it.
 */
export class LastCarry {
  readonly #parts: LastCarryParts

  constructor(parts: LastCarryParts) {
    this.#parts = parts
  }

  /** Begins after `before`. The stores must stay open until it has settled, within the limit. Never rejects. */
  async run(held: readonly Store[], limitMs: number, before: Promise<void>): Promise<void> {
    const { clock, steps, observe } = this.#parts
    const fallback = held.find(({ role }) => role === 'fallback')
    if (fallback === undefined || steps.owed(fallback) === 0) return
    const primary = held.find(({ role }) => role === 'primary') ?? null
    const limited = limitedSignal(clock, limitMs, undefined, () => new Error('The time to close is over.'))
    const isLosable = isLost(fallback)
    try {
      await untilAborted(before, limited.signal)
      if (isLosable) await this.#empty(fallback, primary, limitMs, limited.signal)
    } catch {
      // What is left is reported.
    } finally {
      limited.end()
    }
    const entries = steps.owed(fallback)
    const { label, facts } = fallback
    if (entries > 0) observe({ type: 'journal.left', label, path: facts.path, entries, isLosable })
  }

  /** Rejects when the signal aborts, or another try would be in vain. */
  async #empty(fallback: Store, primary: Store | null, limitMs: number, signal: AbortSignal): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      let opened: Store | null = null
      try {
        // After a failure the one that was open before may be dead.
        const known = failures === 0 ? primary : null
        if (known === null) opened = await this.#parts.openPrimary(limitMs, signal)
        const to = known ?? opened
        if (to !== null && (await this.#isEmptied(fallback, to, signal))) return
      } catch (error) {
        const { cause } = faultOf(fallback.driver, error, 'open')
        if (signal.aborted || cause instanceof UnusableDeclaration) throw error
      } finally {
        if (opened !== null) this.#parts.close(opened)
      }
      const pause = untilAborted(new Promise<void>(() => {}), signal)
      await atMost(this.#parts.clock, backoffMs(failures, 0.5, times.backoffCapMs), pause)
    }
  }

  async #isEmptied(fallback: Store, to: Store, signal: AbortSignal): Promise<boolean> {
    const { steps, gate } = this.#parts
    await steps.carry(fallback, to, 0, signal)
    // Requests in progress may still write.
    await untilAborted(gate.drained(fallback, 'write'), signal)
    return steps.owed(fallback) === 0
  }
}

/** Whether the next restart may lose the file. */
function isLost({ facts, disk }: Store): boolean {
  return facts.ephemeral || disk?.kind === 'ephemeral'
}

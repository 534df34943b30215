import type { Fault } from '../../driver/fault.ts'
import type { EventType } from '../machine/event.ts'
import type { StateName } from '../machine/state.ts'
import type { DatabaseObservation } from './observation.ts'

/** One change of state, as `/status` shows it. */
export interface Transition {
  /** ISO 8601. */
  readonly at: string
  readonly from: StateName
  readonly to: StateName
  readonly reason: EventType
  readonly fault: Pick<Fault, 'kind' | 'code' | 'summary'> | null
}

const keptMs = 3_600_000

/** A flapping primary must not fill the memory. */
const keptCount = 500

/** The transitions of the last hour, at most 500. */
export class TransitionHistory {
  readonly #entries: { readonly wallMs: number; readonly transition: Transition }[] = []

  /** Adds a transition that happened at `wallMs`. */
  add(wallMs: number, changed: Extract<DatabaseObservation, { type: 'connection.changed' }>): void {
    const { from, to, reason } = changed
    const fault = changed.fault && {
      kind: changed.fault.kind,
      code: changed.fault.code,
      summary: changed.fault.summary,
    }
    this.#entries.push({ wallMs, transition: { at: new Date(wallMs).toISOString(), from, to, reason, fault } })
    if (this.#entries.length > keptCount) this.#entries.shift()
  }

  /** Oldest first. Forgets what is older than an hour at `wallMs`. */
  list(wallMs: number): readonly Transition[] {
    while ((this.#entries[0]?.wallMs ?? wallMs) < wallMs - keptMs) this.#entries.shift()
    return this.#entries.map((entry) => entry.transition)
  }
}

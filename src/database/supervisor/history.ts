import type { Fault } from '../../driver/driver.ts'
import type { EventType } from '../machine/event.ts'
import type { StateName } from '../machine/state.ts'

/** One change of state, as `/status` shows it. */
export interface Transition {
  /** ISO 8601. */
  readonly at: string
  readonly from: StateName
  readonly to: StateName
  readonly reason: EventType
  readonly fault: { readonly kind: Fault['kind']; readonly code: string; readonly summary: string } | null
}

const keptMs = 3_600_000

/** A flapping primary must not fill the memory. */
const keptCount = 500

/** The transitions of the last hour, at most 500. */
export class TransitionHistory {
  readonly #entries: { readonly wallMs: number; readonly transition: Transition }[] = []

  /** Notes a transition that happened at `wallMs`. */
  add(wallMs: number, transition: Omit<Transition, 'at'>): void {
    this.#entries.push({ wallMs, transition: { at: new Date(wallMs).toISOString(), ...transition } })
    if (this.#entries.length > keptCount) this.#entries.shift()
  }

  /** Oldest first; those older than an hour at `wallMs` are forgotten. */
  list(wallMs: number): readonly Transition[] {
    while ((this.#entries[0]?.wallMs ?? wallMs) < wallMs - keptMs) this.#entries.shift()
    return this.#entries.map((entry) => entry.transition)
  }
}

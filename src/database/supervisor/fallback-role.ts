import { type State, servingStore } from '../machine/state.ts'
import type { WriteBlock } from '../machine/write-block.ts'
import type { Store } from '../store/store.ts'
import type { StoreSteps } from './steps.ts'

/** What `FallbackRole` works with. */
export interface FallbackRoleParts {
  readonly steps: Pick<StoreSteps, 'serve'>
  state(): State<Store>
  block(): WriteBlock | null
  /** True while a switch decides which store serves. */
  isHeld(): boolean
}

/** Opens the fallback to changes exactly while it serves next to a declared primary and lets writes in. */
export class FallbackRole {
  readonly #parts: FallbackRoleParts
  #open: Store | null = null

  constructor(parts: FallbackRoleParts) {
    this.#parts = parts
  }

  /** Must be called after each change of state, and when writes are blocked or let in. */
  changed(): void {
    const { steps, state, isHeld } = this.#parts
    const now = state()
    // Work that is still running may finish before its store is closed: what it writes is journaled.
    if (isHeld() || now.name === 'DISCONNECTED') return
    const wanted = this.#wanted()
    if (wanted === this.#open) return
    if (this.#open !== null) steps.serve(this.#open, false)
    this.#open = wanted
    if (wanted !== null) steps.serve(wanted, true)
  }

  /** Must be called when a switch has settled, before writes are let in: it may have closed the fallback. */
  switched(): void {
    const wanted = this.#wanted()
    if (wanted !== null) this.#parts.steps.serve(wanted, true)
    this.#open = wanted
  }

  #wanted(): Store | null {
    const serving = servingStore(this.#parts.state())
    return serving?.shown === 'fallback' && this.#parts.block() === null ? serving.store : null
  }
}

import type { Fault } from '../../../driver/fault.ts'
import { heldStores, type State } from '../../machine/state.ts'
import type { Store } from '../../store/store.ts'
import type { DatabaseObservation, Observe } from '../observation.ts'
import type { PrimaryWatch } from '../primary-watch.ts'
import { isHarmless, type LivenessCheck } from './liveness-check.ts'

/** What `StoreChecks` works with. */
export interface StoreChecksParts {
  readonly liveness: LivenessCheck
  readonly observe: Observe<DatabaseObservation>
  state(): State<Store>
  readonly watch: Pick<PrimaryWatch, 'block' | 'diskFull'>
  /** This store is lost: leaves it. */
  lose(store: Store, fault: Fault): void
}

/** Checks stores on which work failed, or is slow, and leaves those that are lost. */
export class StoreChecks {
  readonly #parts: StoreChecksParts

  constructor(parts: StoreChecksParts) {
    this.#parts = parts
  }

  /**
   * Checks a store on which work met this fault, or on which a statement is slow (null). Resolves with what became of the
   * store; a lost one has left the state by then.
   */
  async report(store: Store, fault: Fault | null): Promise<'kept' | 'lost'> {
    const { liveness, observe, state, watch, lose } = this.#parts
    const isHeld = (): boolean => heldStores(state()).includes(store)
    if (!isHeld()) return 'lost'
    if (fault !== null && isHarmless(store, fault, watch.block)) return 'kept'
    if (fault?.kind === 'disk-full') watch.diskFull(store)
    const found = await liveness.check(store, fault)
    if (!isHeld()) return 'lost'
    const { verdict } = found
    const why = fault === null ? 'slow' : 'fault'
    observe({ type: 'store.checked', label: store.label, why, verdict, fault: 'fault' in found ? found.fault : fault })
    if (verdict === 'lost') lose(store, found.fault)
    return verdict
  }
}

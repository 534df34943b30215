import type { Want } from '../../../driver/driver.ts'
import { copyReadOnlyCode } from '../../../driver/facet/copy.ts'
import { restingCode } from '../../../driver/facet/journal.ts'
import { type Fault, FaultError, type FaultKind } from '../../../driver/fault.ts'
import type { DatabaseConfig } from '../../address/config.ts'
import { faultOf, harmlessKinds, openingFault, timeoutFault } from '../../machine/faults.ts'
import type { WriteBlock } from '../../machine/write-block.ts'
import { atMost, limitedSignal, untilAborted } from '../../store/bounded.ts'
import type { Clock } from '../../store/clock.ts'
import type { StoreOpener } from '../../store/engine-factory.ts'
import type { Store } from '../../store/store.ts'

/** The result of a liveness check. */
export type Liveness = { readonly verdict: 'kept' } | { readonly verdict: 'lost'; readonly fault: Fault }

/** Faults that leave a file of this process usable; no probe could say more about it than the fault itself. */
const endured: ReadonlySet<FaultKind> = new Set<FaultKind>([...harmlessKinds, 'disk-full', 'capacity'])

/** How often, and how many milliseconds apart, the store's own connections are tried when its server accepts no more. */
const triesMax = 3
const retryMs = 50

const kept: Liveness = { verdict: 'kept' }

/** Whether this fault says nothing against the store. A fallback may be meant to refuse writes, or those of a table. */
export function isHarmless({ role }: Store, { kind, code }: Fault, block: WriteBlock | null): boolean {
  if (harmlessKinds.has(kind)) return true
  if (role !== 'fallback') return false
  return code === restingCode || code === copyReadOnlyCode || (kind === 'read-only' && block !== null)
}

/** What `LivenessCheck` works with. */
export interface LivenessCheckParts {
  readonly clock: Clock
  readonly opener: StoreOpener
  /** The resolution, re-read. Never rejects. */
  resolve(): Promise<DatabaseConfig>
  /** How long the probe may take, in milliseconds, where the store's cluster does not stall for longer. */
  limitMs(): number
}

/** Decides whether a store is lost: an embedded one by its fault, any other by a probe outside the pool. */
export class LivenessCheck {
  readonly #parts: LivenessCheckParts
  readonly #probes = new Map<Store, Promise<Liveness>>()

  constructor(parts: LivenessCheckParts) {
    this.#parts = parts
  }

  /** Never rejects. Concurrent checks of a store share one probe. `fault` null: a statement is merely slow. */
  async check(store: Store, fault: Fault | null): Promise<Liveness> {
    if (store.driver.embedded !== undefined) {
      return fault === null || endured.has(fault.kind) ? kept : { verdict: 'lost', fault }
    }
    if (fault !== null && harmlessKinds.has(fault.kind)) return kept
    const running = this.#probes.get(store)
    if (running !== undefined) return await running
    const probe = this.#probe(store).finally(() => this.#probes.delete(store))
    this.#probes.set(store, probe)
    return await probe
  }

  async #probe(store: Store): Promise<Liveness> {
    const limitMs = this.#parts.limitMs()
    const { stallMs = 0 } = store.facts
    const proof = store.role === 'primary' ? 'write' : 'open'
    if (stallMs <= limitMs) return await this.#proven(store, proof, limitMs)
    // A member that answers is alive; writes, and reads that wait for the others, may stand still until the cluster knows that
    // one of them is gone.
    const reading = await this.#proven(store, 'open', limitMs)
    return reading.verdict === 'lost' ? reading : await this.#proven(store, proof, stallMs)
  }

  async #proven(store: Store, proof: Want['proof'], limitMs: number): Promise<Liveness> {
    const limited = limitedSignal(this.#parts.clock, limitMs, undefined, () => new FaultError(timeoutFault(limitMs)))
    try {
      const config = await this.#parts.resolve()
      const resolved = config[store.role] ?? { driver: store.driver, target: store.target }
      // The very host that serves: another host of the address does not keep these connections alive.
      await this.#parts.opener.prove(resolved, { role: store.role, proof }, limited.signal, { only: store.label })
      return kept
    } catch (error) {
      const cause = limited.signal.aborted ? limited.signal.reason : error
      const fault = openingFault(store.driver, cause)
      // A busy writer, or our own mistake, is not a loss.
      if (harmlessKinds.has(fault.kind)) return kept
      // Nor is a full server, as long as the store's own connections still answer.
      const isKept = fault.kind === 'capacity' && (await this.#answers(store, fault, limited.signal))
      return isKept ? kept : { verdict: 'lost', fault }
    } finally {
      limited.end()
    }
  }

  /** Whether one of the store's own connections answers. Tried repeatedly: other work may be using all of them. */
  async #answers(store: Store, { code }: Fault, signal: AbortSignal): Promise<boolean> {
    for (let tries = 1; !signal.aborted; tries += 1) {
      try {
        await untilAborted(store.statements.read('select 1', []), signal)
        return true
      } catch (error) {
        if (signal.aborted) return false
        const own = faultOf(store.driver, error, 'statement')
        // Refused for another reason means that it answers; a pool of ours that is full is full of open connections.
        if (harmlessKinds.has(own.kind) || (own.kind === 'capacity' && own.code !== code)) return true
        if (tries === triesMax) return false
        await atMost(this.#parts.clock, retryMs, new Promise(() => {}))
      }
    }
    return false
  }
}

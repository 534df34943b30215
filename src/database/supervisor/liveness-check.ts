import { type Fault, FaultError, type FaultKind } from '../../driver/driver.ts'
import type { DatabaseConfig } from '../address/config.ts'
import { faultOf, openingFault, timeoutFault } from '../machine/fault-of.ts'
import { harmlessKinds } from '../machine/fault-rules.ts'
import { atMost, limitedSignal, untilAborted } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { StoreOpener } from '../store/engine-factory.ts'
import type { Store } from '../store/store.ts'

/** What was found about a store that somebody doubts. */
export type Verdict = { readonly verdict: 'kept' } | { readonly verdict: 'lost'; readonly fault: Fault }

/** Of files in this process nobody else can say more than the fault itself: these kinds leave the file usable. */
const endured: ReadonlySet<FaultKind> = new Set<FaultKind>([...harmlessKinds, 'disk-full', 'capacity'])

/** How often, and how many milliseconds apart, a store is asked itself whose server takes no more connections. */
const asks = 3
const askAgainMs = 50

const kept: Verdict = { verdict: 'kept' }

/** What `Doubt` needs. */
export interface DoubtTools {
  readonly clock: Clock
  readonly opener: StoreOpener
  /** The resolution, anew. Never rejects. */
  resolve(): Promise<DatabaseConfig>
  /** How long the probe may take, in milliseconds. */
  limitMs(): number
}

/** Decides whether a store is lost: by its fault where it is a file of ours, else by a probe outside the pool. */
export class Doubt {
  readonly #tools: DoubtTools
  readonly #probes = new Map<Store, Promise<Verdict>>()

  constructor(tools: DoubtTools) {
    this.#tools = tools
  }

  /** Never rejects. All that doubt a store at one time share one probe. `fault` null: a statement is merely slow. */
  async verdictOf(store: Store, fault: Fault | null): Promise<Verdict> {
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

  async #probe(store: Store): Promise<Verdict> {
    const limitMs = this.#tools.limitMs()
    const limited = limitedSignal(this.#tools.clock, limitMs, undefined, () => new FaultError(timeoutFault(limitMs)))
    try {
      const config = await this.#tools.resolve()
      const resolved = config[store.role] ?? { driver: store.driver, target: store.target }
      const proof = store.role === 'primary' ? 'write' : 'open'
      // The very host that serves: that another one of the address would serve keeps nobody's connections.
      await this.#tools.opener.prove(resolved, { role: store.role, proof }, limited.signal, store.label)
      return kept
    } catch (error) {
      const cause = limited.signal.aborted ? limited.signal.reason : error
      const fault = openingFault(store.driver, cause)
      // From the outside a busy writer or our own mistake is no loss.
      if (harmlessKinds.has(fault.kind)) return kept
      // Nor is a full server, as long as the store's own connections answer: it may have ended all of them.
      const isKept = fault.kind === 'capacity' && (await this.#answers(store, fault, limited.signal))
      return isKept ? kept : { verdict: 'lost', fault }
    } finally {
      limited.end()
    }
  }

  /** Whether a connection of the store's own answers: asked more than once, since others may be using them all. */
  async #answers(store: Store, { code }: Fault, signal: AbortSignal): Promise<boolean> {
    for (let asked = 1; !signal.aborted; asked += 1) {
      try {
        await untilAborted(store.statements.read('select 1', []), signal)
        return true
      } catch (error) {
        if (signal.aborted) return false
        const own = faultOf(store.driver, error, 'statement')
        // Refused for another reason, it answers; and a pool of ours that is full is full of connections.
        if (harmlessKinds.has(own.kind) || (own.kind === 'capacity' && own.code !== code)) return true
        if (asked === asks) return false
        await atMost(this.#tools.clock, askAgainMs, new Promise(() => {}))
      }
    }
    return false
  }
}

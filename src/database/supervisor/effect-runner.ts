import type { Demand } from '../machine/effects.ts'
import type { Happening } from '../machine/event.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import type { Gate } from './gate.ts'
import type { Operations } from './operations.ts'

/** What is running for the state: started when a demand appears, aborted when it is gone. */
export class Runs {
  readonly #clock: Clock
  readonly #operations: Operations
  readonly #gate: Gate
  readonly #tell: (happening: Happening<Store>) => void
  /** By the demand's id; kept after the end, until the state no longer names it, so that nothing is started twice. */
  readonly #running = new Map<number, () => void>()

  constructor(clock: Clock, operations: Operations, gate: Gate, tell: (happening: Happening<Store>) => void) {
    this.#clock = clock
    this.#operations = operations
    this.#gate = gate
    this.#tell = tell
  }

  /** Afterwards exactly these demands are running, or have run. */
  match(demands: readonly Demand<Store>[]): void {
    const wanted = new Set(demands.map((demand) => demand.id))
    for (const [id, stop] of this.#running) {
      if (wanted.has(id)) continue
      this.#running.delete(id)
      stop()
    }
    for (const demand of demands) {
      if (!this.#running.has(demand.id)) this.#running.set(demand.id, this.#start(demand))
    }
  }

  #start(demand: Demand<Store>): () => void {
    if (demand.run === 'wait') {
      const { id, until } = demand
      const waitMs = until - this.#clock.now()
      const onDue = (): void => this.#tell({ type: 'due', id })
      return waitMs > 0 ? this.#clock.wait(waitMs, onDue) : soon(onDue)
    }
    const controller = new AbortController()
    void this.#perform(demand, controller.signal).then((happening) => {
      // Told even when it is late: the machine drops it, and what it opened is closed.
      this.#tell(happening)
      // Writes are let in only now: the machine knows where they belong.
      if (demand.run === 'switch') this.#gate.release()
    })
    return () => controller.abort(new Error('The state of the connection changed.'))
  }

  #perform(demand: Exclude<Demand<Store>, { run: 'wait' }>, signal: AbortSignal): Promise<Happening<Store>> {
    switch (demand.run) {
      case 'open-primary':
        return this.#operations.openPrimary(demand, signal)
      case 'open-fallback':
        return this.#operations.openFallback(demand, signal)
      case 'probe':
        return this.#operations.probe(demand, signal)
      case 'carry':
        return this.#operations.carry(demand, signal)
      case 'switch':
        return this.#operations.switch(demand, signal)
    }
  }
}

/** Calls `fn` once this turn's work is done, unless the returned function was called before. */
function soon(fn: () => void): () => void {
  let isCancelled = false
  queueMicrotask(() => {
    if (!isCancelled) fn()
  })
  return () => {
    isCancelled = true
  }
}

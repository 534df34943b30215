import type { Effect } from '../machine/effects.ts'
import type { Happening } from '../machine/event.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import type { Gate } from './gate.ts'
import type { Operations } from './operations.ts'

/** Runs the effects of the state: starts each that appears, and aborts each that is gone. */
export class EffectRunner {
  readonly #clock: Clock
  readonly #operations: Operations
  readonly #gate: Gate
  readonly #dispatch: (happening: Happening<Store>) => void
  /** How to stop each effect, by its id; kept until the state no longer names it, so that none is started twice. */
  readonly #running = new Map<number, () => void>()

  constructor(clock: Clock, operations: Operations, gate: Gate, dispatch: (happening: Happening<Store>) => void) {
    this.#clock = clock
    this.#operations = operations
    this.#gate = gate
    this.#dispatch = dispatch
  }

  /** Afterwards exactly these effects are running, or have run. */
  reconcile(effects: readonly Effect<Store>[]): void {
    const wanted = new Set(effects.map((effect) => effect.id))
    for (const [id, stop] of this.#running) {
      if (wanted.has(id)) continue
      this.#running.delete(id)
      stop()
    }
    for (const effect of effects) {
      if (!this.#running.has(effect.id)) this.#running.set(effect.id, this.#start(effect))
    }
  }

  #start(effect: Effect<Store>): () => void {
    if (effect.run === 'wait') {
      const { id, until } = effect
      const waitMs = until - this.#clock.now()
      const onDue = (): void => this.#dispatch({ type: 'timer.due', id })
      return waitMs > 0 ? this.#clock.wait(waitMs, onDue) : soon(onDue)
    }
    const controller = new AbortController()
    void this.#perform(effect, controller.signal).then((happening) => {
      // Also when it is late: the machine drops the event, and what it opened is closed.
      this.#dispatch(happening)
      // Only now, when the machine knows where writes belong.
      if (effect.run === 'switch') this.#gate.release()
    })
    return () => controller.abort(new Error('The state of the connection changed.'))
  }

  #perform(effect: Exclude<Effect<Store>, { run: 'wait' }>, signal: AbortSignal): Promise<Happening<Store>> {
    switch (effect.run) {
      case 'open-primary':
        return this.#operations.openPrimary(effect, signal)
      case 'open-fallback':
        return this.#operations.openFallback(effect, signal)
      case 'probe':
        return this.#operations.probe(effect, signal)
      case 'carry':
        return this.#operations.carry(effect, signal)
      case 'switch':
        return this.#operations.switch(effect, signal)
    }
  }
}

/** Calls `fn` in a microtask, unless the returned function is called first. */
function soon(fn: () => void): () => void {
  let isCancelled = false
  queueMicrotask(() => {
    if (!isCancelled) fn()
  })
  return () => {
    isCancelled = true
  }
}

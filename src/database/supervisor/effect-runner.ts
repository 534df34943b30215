import type { Effect } from '../machine/effects.ts'
import type { Happening } from '../machine/event.ts'
import type { Clock } from '../store/clock.ts'
import type { Store } from '../store/store.ts'
import type { Operations } from './operations.ts'

/** What `EffectRunner` works with. */
export interface EffectRunnerParts {
  readonly clock: Clock
  readonly operations: Operations
  dispatch(happening: Happening<Store>): void
  /** A switch has settled, and the machine has received the result: lets writes in. */
  switched(): void
  /** The journal of this fallback was drained while the primary serves. Never rejects. */
  drained(fallback: Store): Promise<void>
}

type Work = Exclude<Effect<Store>, { run: 'wait' }>

/** Runs the effects of the state: starts each that appears, and aborts each that is gone. */
export class EffectRunner {
  readonly #parts: EffectRunnerParts
  /** How to stop each effect, by its id; kept until the state no longer names it, so that none is started twice. */
  readonly #running = new Map<number, () => void>()
  #carried: Promise<void> = Promise.resolve()

  constructor(parts: EffectRunnerParts) {
    this.#parts = parts
  }

  /** Resolves when whatever carries a journal at the moment has settled. Never rejects. */
  get carried(): Promise<void> {
    return this.#carried
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
    const { clock, dispatch } = this.#parts
    if (effect.run === 'wait') {
      const { id, until } = effect
      const waitMs = until - clock.now()
      const onDue = (): void => dispatch({ type: 'timer.due', id })
      return waitMs > 0 ? clock.wait(waitMs, onDue) : soon(onDue)
    }
    const controller = new AbortController()
    void this.#run(effect, controller.signal)
    return () => controller.abort(new Error('The state of the connection changed.'))
  }

  async #run(effect: Work, signal: AbortSignal): Promise<void> {
    const { run } = effect
    if (run !== 'carry' && run !== 'drain' && run !== 'switch') {
      this.#parts.dispatch(await this.#perform(effect, signal))
      return
    }
    const before = this.#carried
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#carried = promise
    // Two must never carry one journal at once, nor a switch begin before the last one has let writes in.
    await before
    if (!signal.aborted) await this.#carry(effect, signal)
    resolve()
  }

  async #carry(effect: Work, signal: AbortSignal): Promise<void> {
    const happening = await this.#perform(effect, signal)
    const isLate = signal.aborted
    // Also when it is late: the machine drops the event, and what it opened is closed.
    this.#parts.dispatch(happening)
    // Only now, when the machine knows where writes belong.
    if (effect.run === 'switch') this.#parts.switched()
    if (effect.run === 'drain' && happening.type === 'journal.drained' && !isLate)
      await this.#parts.drained(effect.from)
  }

  #perform(effect: Work, signal: AbortSignal): Promise<Happening<Store>> {
    const { operations } = this.#parts
    switch (effect.run) {
      case 'open-primary':
        return operations.openPrimary(effect, signal)
      case 'open-fallback':
        return operations.openFallback(effect, signal)
      case 'probe':
        return operations.probe(effect, signal)
      case 'drain':
        return operations.drain(effect, signal)
      case 'carry':
        return operations.carry(effect, signal)
      case 'switch':
        return operations.switch(effect, signal)
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

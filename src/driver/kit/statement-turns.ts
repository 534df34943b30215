import { DeadlineTimer } from './deadline-timer.ts'

/** The server has not answered a statement in time. */
export class LateError extends Error {
  constructor() {
    super('Query read timeout')
  }
}

/** The turns on one connection: a statement at a time, and a limit for the one that was sent. */
export class StatementTurns {
  readonly #limitMs: number
  readonly #timer = new DeadlineTimer((nowMs) => this.#expire(nowMs))
  readonly #waiting: (() => void)[] = []
  #isTaken = false
  #done: ((error: LateError) => void) | null = null
  #dueMs = 0

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /** True while a caller has the turn. */
  get isTaken(): boolean {
    return this.#isTaken
  }

  /** The deadline of the statement that was sent, on the clock of `performance.now()`. */
  get dueMs(): number {
    return this.#dueMs
  }

  /** Takes the turn if no caller has it. False: the caller waits for it. */
  take(): boolean {
    if (this.#isTaken) return false
    this.#isTaken = true
    return true
  }

  /** Resolves when it is the caller's turn. `signal` ends the wait with its reason. */
  wait(signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    signal?.addEventListener('abort', () => {
      const at = this.#waiting.indexOf(resolve)
      if (at < 0) return
      this.#waiting.splice(at, 1)
      reject(signal.reason)
    })
    return promise
  }

  /** Ends a turn; the next one begins at once. */
  pass(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#isTaken = false
    else next()
  }

  /** Starts the limit of a statement: `done` is called with a LateError unless `end(done)` comes first. */
  begin(done: (error: LateError) => void): void {
    const nowMs = performance.now()
    this.#done = done
    this.#dueMs = nowMs + this.#limitMs
    this.#timer.watch(this.#dueMs, nowMs)
  }

  /** False where the statement has ended before. */
  end(done: (error: LateError) => void): boolean {
    if (this.#done !== done) return false
    this.#done = null
    return true
  }

  #expire(nowMs: number): number | null {
    const done = this.#done
    if (done === null) return null
    if (this.#dueMs > nowMs) return this.#dueMs
    done(new LateError())
    return null
  }
}

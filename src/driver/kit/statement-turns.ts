import { DeadlineTimer } from './deadline-timer.ts'

/** The server has not answered a statement in time. */
export class LateError extends Error {
  constructor() {
    super('Query read timeout')
  }
}

/** Frees the caller of a statement that was sent. */
type Done = (error: LateError) => void

/**
 * The turns on one connection: a statement at a time. Statements that need no turn, because their answers come in the order
 * of sending, share the connection: the limit is that of the one whose answer is next.
 */
export class StatementTurns {
  readonly #limitMs: number
  readonly #timer = new DeadlineTimer((nowMs) => this.#expire(nowMs))
  readonly #waiting: (() => void)[] = []
  #isTaken = false
  /** In the order of sending. */
  readonly #sent: Done[] = []
  #dueMs = 0

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /** True while a caller has the turn. */
  get isTaken(): boolean {
    return this.#isTaken
  }

  /** The deadline of the statement that is answered next, on the clock of `performance.now()`. */
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
  begin(done: Done): void {
    if (this.#sent.push(done) === 1) this.#limit()
  }

  /** False where the statement has ended before. The limit of the next one begins. */
  end(done: Done): boolean {
    const at = this.#sent.indexOf(done)
    if (at < 0) return false
    this.#sent.splice(at, 1)
    if (at === 0 && this.#sent.length > 0) this.#limit()
    return true
  }

  #limit(): void {
    const nowMs = performance.now()
    this.#dueMs = nowMs + this.#limitMs
    this.#timer.watch(this.#dueMs, nowMs)
  }

  #expire(nowMs: number): number | null {
    const [done] = this.#sent
    if (done === undefined) return null
    if (this.#dueMs > nowMs) return this.#dueMs
    done(new LateError())
    return null
  }
}

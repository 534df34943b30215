import { DeadlineTimer } from './deadline-timer.ts'

/** The server has not answered a statement in time. */
export class LateError extends Error {
  constructor() {
    super('Query read timeout')
  }
}

/** Frees the caller of a statement that was sent. */
type Done = (error: LateError) => void

/** A statement that was sent. */
interface Sent {
  readonly done: Done
  /** On the clock of `performance.now()`. */
  readonly dueMs: number
}

/**
 * The turns on one connection: a statement at a time. Statements that need no turn, because their answers come in the order
 * of sending, share the connection. The limit of each begins when it is sent.
 */
export class StatementTurns {
  readonly #limitMs: number
  readonly #timer = new DeadlineTimer((nowMs) => this.#expire(nowMs))
  readonly #waiting: (() => void)[] = []
  #isTaken = false
  /** In the order of sending. */
  readonly #sent: Sent[] = []
  #dueMs = 0

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /** True while a caller has the turn. */
  get isTaken(): boolean {
    return this.#isTaken
  }

  /** The deadline of the statement that is answered next, or was answered last, on the clock of `performance.now()`. */
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

  /**
   * Starts the limit of a statement: `done` is called with a LateError unless `end(done)` comes first. `limitMs` is another
   * limit than that of the connection, for a statement that shares it with no other.
   */
  begin(done: Done, limitMs: number = this.#limitMs): void {
    const nowMs = performance.now()
    const dueMs = nowMs + limitMs
    if (this.#sent.push({ done, dueMs }) > 1) return
    this.#dueMs = dueMs
    this.#timer.watch(dueMs, nowMs)
  }

  /** False where the statement has ended before. */
  end(done: Done): boolean {
    const at = this.#sent.findIndex((sent) => sent.done === done)
    if (at < 0) return false
    this.#sent.splice(at, 1)
    this.#dueMs = this.#sent[0]?.dueMs ?? this.#dueMs
    return true
  }

  #expire(nowMs: number): number | null {
    const [next] = this.#sent
    if (next === undefined) return null
    if (next.dueMs > nowMs) return next.dueMs
    next.done(new LateError())
    const [after] = this.#sent
    return after === undefined || after === next ? null : after.dueMs
  }
}

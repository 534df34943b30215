import type { Pool, PoolClient } from 'pg'

/** Members of pg-pool's pool that its types leave out, as version 3 has them. */
interface Internals {
  readonly ending: boolean
  readonly options: { idleTimeoutMillis: number }
  readonly _idle: readonly unknown[]
  readonly _pendingQueue: Wait[]
  _isFull(): boolean
  _pulseQueue(): void
}

/** One who waits, as pg-pool keeps them. */
interface Wait {
  readonly callback: (error: Error | undefined, client: PoolClient) => void
  timedOut: boolean
  readonly dueMs: number
  isOver: boolean
}

/**
 * Connections of pg-pool's, with one timer for all that wait: its own takes a timer, a turn of the loop and two promises
 * for each, also where a connection is free.
 */
export class Waits {
  readonly #pool: Pool
  readonly #inner: Internals
  readonly #limitMs: number
  /** Oldest first; some of them are over. */
  readonly #waits: Wait[] = []
  #timer: NodeJS.Timeout | null = null

  constructor(pool: Pool, limitMs: number) {
    this.#pool = pool
    this.#inner = pool as unknown as Internals // See `Internals`.
    this.#limitMs = limitMs
    const inner = this.#inner
    const { idleTimeoutMillis: idleMs } = inner.options
    // Each that is given back gets a timer, which is taken away again where somebody waits for it: they get it at once.
    Object.defineProperty(inner.options, 'idleTimeoutMillis', {
      get: () => (inner._pendingQueue.length > 0 ? 0 : idleMs),
    })
  }

  /** As the pool's own `connect`, with the same limit and the same errors. */
  connect(): Promise<PoolClient> {
    const inner = this.#inner
    const isFree = inner._idle.length > 0
    // What has to be opened, and what ends, is the pool's own affair.
    if (inner.ending || !(isFree || inner._isFull())) return this.#pool.connect()
    return new Promise((resolve, reject) => {
      const wait: Wait = {
        callback: (error, client) => {
          wait.isOver = true
          this.#forget()
          if (error) reject(error)
          else resolve(client)
        },
        timedOut: false,
        isOver: false,
        dueMs: performance.now() + this.#limitMs,
      }
      this.#waits.push(wait)
      inner._pendingQueue.push(wait)
      if (isFree) inner._pulseQueue()
      // Rings for the oldest: the limit is the same for all.
      if (!wait.isOver && this.#timer === null) this.#arm(this.#limitMs)
    })
  }

  #forget(): void {
    while (this.#waits[0]?.isOver === true) this.#waits.shift()
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(ms))).unref()
  }

  #look(): void {
    this.#timer = null
    const now = performance.now()
    for (const wait of [...this.#waits]) {
      if (wait.isOver) continue
      if (wait.dueMs > now) {
        this.#arm(wait.dueMs - now)
        break
      }
      this.#giveUp(wait)
    }
    this.#forget()
  }

  #giveUp(wait: Wait): void {
    const at = this.#inner._pendingQueue.indexOf(wait)
    if (at >= 0) this.#inner._pendingQueue.splice(at, 1)
    wait.callback(new Error('timeout exceeded when trying to connect'), undefined as never) // As pg-pool does.
    // A connection that is being opened for it goes to whoever comes next.
    wait.timedOut = true
  }
}

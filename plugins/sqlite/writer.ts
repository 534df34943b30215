import { busyError, closedError } from './faults.ts'

/** The right to write; its holder is the only writer of this process. */
export interface Permit {
  /** Hands the writer to the next in line. Safe to call twice. */
  release(): void
}

type Grant = (permit: Permit) => void

interface Waiter {
  readonly label: string
  readonly grant: Grant
  readonly refuse: (error: Error) => void
}

/** How many may wait; each is a request in progress. */
const waitersMax = 10_000

/** A fair lock for SQLite's one writer within this process: first come, first served. Every wait has a limit. */
export class Writer {
  #holder: { readonly label: string; readonly since: number } | null = null
  readonly #waiters: Set<Waiter> = new Set()
  #isClosed = false
  readonly #released: () => void

  /** `released` is called each time that a holder has finished, and before the next begins. */
  constructor(released: () => void) {
    this.#released = released
  }

  /** The writer at once, or null when it is held or waited for. */
  tryTake(label: string): Permit | null {
    if (this.#isClosed || this.#holder !== null || this.#waiters.size > 0) return null
    return this.#give(label)
  }

  /**
   * Calls `grant` when it is its turn, which may be at once. Returns how to leave the line.
   * `refuse` is called instead when the file closes.
   */
  line(label: string, grant: Grant, refuse: (error: Error) => void): () => void {
    if (this.#isClosed || this.#waiters.size >= waitersMax) {
      refuse(this.#isClosed ? closedError() : busyError('Too many writes are waiting.'))
      return () => {}
    }
    const waiter: Waiter = { label, grant, refuse }
    this.#waiters.add(waiter)
    this.#next()
    return () => void this.#waiters.delete(waiter)
  }

  /**
   * Resolves with the writer.
   *
   * @throws FaultError `STORE_BUSY` past `limitMs` (null: no limit), naming the holder; the signal's reason when it aborts.
   */
  take(label: string, limitMs: number | null, signal?: AbortSignal): Promise<Permit> {
    const permit = this.tryTake(label)
    if (permit !== null) return Promise.resolve(permit)
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      const abort = (): void => {
        leave()
        settle()
        reject(signal?.reason)
      }
      const leave = this.line(
        label,
        (granted) => {
          settle()
          resolve(granted)
        },
        (error) => {
          settle()
          reject(error)
        },
      )
      if (signal?.aborted === true) return abort()
      signal?.addEventListener('abort', abort)
      if (limitMs === null) return
      timer = setTimeout(() => {
        leave()
        settle()
        reject(this.busy())
      }, limitMs)
    })
  }

  /** The error for a caller that waited too long. */
  busy(): Error {
    const holder = this.#holder
    if (holder === null) return busyError('The writer was not free in time.')
    const heldMs = Math.round(performance.now() - holder.since)
    return busyError(`The writer was not free in time: ${holder.label} has held it for ${heldMs} ms.`)
  }

  /** Rejects all waiters, now and later; the holder may finish. */
  close(): void {
    this.#isClosed = true
    for (const waiter of this.#waiters) waiter.refuse(closedError())
    this.#waiters.clear()
  }

  #next(): void {
    if (this.#holder !== null || this.#isClosed) return
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter)
      waiter.grant(this.#give(waiter.label))
      return
    }
  }

  #give(label: string): Permit {
    const holder = { label, since: performance.now() }
    this.#holder = holder
    return {
      release: () => {
        if (this.#holder !== holder) return
        this.#holder = null
        this.#released()
        this.#next()
      },
    }
  }
}

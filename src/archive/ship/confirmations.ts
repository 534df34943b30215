import { HoldfastError } from '../../errors.ts'

interface Waiter {
  /** The last segment that it needs; null: what was committed before it is not cut yet. */
  number: number | null
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Those who wait until what they have committed is in the archive. */
export class Confirmations {
  readonly #waiters = new Set<Waiter>()

  /** Whether anyone waits for a cut. */
  get isCutWanted(): boolean {
    return [...this.#waiters].some(({ number }) => number === null)
  }

  /** Resolves when everything that is committed now is stored. Rejects with ARCHIVE_UNCONFIRMED. */
  add(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(unconfirmed(signal.reason))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { number: null, resolve, reject }
    this.#waiters.add(waiter)
    const aborted = (): void => reject(unconfirmed(signal?.reason))
    signal?.addEventListener('abort', aborted, { once: true })
    return promise.finally(() => {
      this.#waiters.delete(waiter)
      signal?.removeEventListener('abort', aborted)
    })
  }

  /** Those who wait for a cut that begins now; the returned function says which segment is the last one with their changes. */
  begin(): (number: number) => void {
    const mine = [...this.#waiters].filter(({ number }) => number === null)
    return (number) => {
      for (const waiter of mine) waiter.number = number
    }
  }

  /** Everything up to this segment is stored. */
  stored(upTo: number): void {
    for (const waiter of [...this.#waiters]) if (waiter.number !== null && waiter.number <= upTo) waiter.resolve()
  }

  /** Nobody can be told any more that it is stored. */
  fail(cause: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(unconfirmed(cause))
  }
}

function unconfirmed(cause: unknown): HoldfastError {
  return new HoldfastError('ARCHIVE_UNCONFIRMED', cause === undefined ? {} : { cause })
}

import { HoldfastError } from '../../errors.ts'

interface Waiter {
  /** The last segment that it needs; null: what was committed before it is not cut yet. */
  number: number | null
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Those who wait for a cut wait half as long as the last put has taken for others to share it, within these milliseconds. */
const gatherMs = { least: 4, most: 25 } as const

/** Those who wait until what they have committed is in the archive. */
export class Confirmations {
  readonly #waiters = new Set<Waiter>()
  /**
   * Those who were told a moment ago that theirs is stored, and those who waited then: they write again and share a put. Else
   * they part into two halves, each of which waits for the put of the other one.
   */
  #gathering = { callers: 0, untilMs: 0 }

  /** Whether those who wait for a cut are to have it now. */
  isCutDue(nowMs: number): boolean {
    const uncut = this.#uncut
    return uncut > 0 && (uncut >= this.#gathering.callers || nowMs >= this.#gathering.untilMs)
  }

  /** How long a cut may have to wait for others, in milliseconds; null: it does not. */
  gatheringMs(nowMs: number): number | null {
    const leftMs = this.#gathering.untilMs - nowMs
    return leftMs > 0 ? leftMs : null
  }

  get #uncut(): number {
    return [...this.#waiters].filter(({ number }) => number === null).length
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

  /** Everything up to this segment is stored. `tookMs`: how long that has taken. */
  stored(upTo: number, nowMs: number, tookMs: number = 0): void {
    const freed = [...this.#waiters].filter(({ number }) => number !== null && number <= upTo)
    for (const waiter of freed) {
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
    const waitMs = Math.min(gatherMs.most, Math.max(gatherMs.least, tookMs / 2))
    if (freed.length > 0) this.#gathering = { callers: freed.length + this.#uncut, untilMs: nowMs + waitMs }
  }

  /** Nobody can be told any more that it is stored. */
  fail(cause: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(unconfirmed(cause))
  }
}

function unconfirmed(cause: unknown): HoldfastError {
  return new HoldfastError('ARCHIVE_UNCONFIRMED', cause === undefined ? {} : { cause })
}

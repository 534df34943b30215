import { HoldfastError } from '../../errors.ts'

interface Waiter {
  readonly last: number
  done(): void
}

/** Those who wait until the entries up to a sequence are in the archive. */
export class EntryConfirmations {
  #waiters: readonly Waiter[] = []

  /** Resolves once `reached` was called with this sequence or a later one. Rejects with ARCHIVE_UNCONFIRMED when `ends` aborts. */
  async of(last: number, ends: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const fail = (): void => reject(new HoldfastError('ARCHIVE_UNCONFIRMED'))
    const waiter = { last, done: resolve }
    if (ends.aborted) fail()
    ends.addEventListener('abort', fail, { once: true })
    this.#waiters = [...this.#waiters, waiter]
    try {
      await promise
    } finally {
      ends.removeEventListener('abort', fail)
      this.#waiters = this.#waiters.filter((one) => one !== waiter)
    }
  }

  reached(sequence: number): void {
    for (const { last, done } of this.#waiters) if (last <= sequence) done()
  }
}

import Cursor from 'pg-cursor'
import { timeoutError } from '../faults.ts'
import type { SafeClient } from './client.ts'

/** Rows by portions, each of which has the limit of a statement. */
export class SafeCursor {
  readonly #client: SafeClient
  readonly #cursor: Cursor
  readonly #queryMs: number

  constructor(client: SafeClient, text: string, values: readonly unknown[], queryMs: number) {
    this.#client = client
    this.#queryMs = queryMs
    this.#cursor = client.query(new Cursor(text, [...values]))
  }

  /** The next rows; none at the end. @throws FaultError QUERY_TIMEOUT; then the connection is reset. */
  async read(count: number): Promise<readonly unknown[]> {
    return await this.#limited(this.#cursor.read(count))
  }

  /** Never throws. A connection that cannot end the portal is reset. */
  async close(): Promise<void> {
    if (!this.#client.isOpen) return
    await this.#limited(this.#cursor.close()).catch(() => {})
  }

  async #limited<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    let onEnd: (() => void) | undefined
    const late = new Promise<never>((_, reject) => {
      // A portal whose connection has ended never settles by itself.
      onEnd = () => reject(new Error('Connection terminated unexpectedly'))
      this.#client.once('end', onEnd)
      timer = setTimeout(() => {
        this.#client.evict()
        reject(timeoutError())
      }, this.#queryMs)
    })
    try {
      return await Promise.race([work, late])
    } finally {
      clearTimeout(timer)
      if (onEnd !== undefined) this.#client.removeListener('end', onEnd)
    }
  }
}

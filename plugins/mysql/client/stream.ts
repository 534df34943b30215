import type { Readable } from 'node:stream'
import { timeoutError, withPhase } from '../faults.ts'
import type { SafeClient } from './client.ts'

/** Rows by portions, each of which has the limit of a statement. */
export class SafeStream {
  readonly #client: SafeClient
  readonly #rows: Promise<Readable>
  #next: AsyncIterator<unknown> | null = null
  readonly #queryMs: number
  #isOver = false

  constructor(client: SafeClient, text: string, values: readonly unknown[], buffered: number, queryMs: number) {
    this.#client = client
    this.#queryMs = queryMs
    this.#rows = client.stream(text, values, buffered)
    // Who asks for rows hears of it.
    this.#rows.catch(() => {})
  }

  /** The next rows; none at the end. @throws FaultError QUERY_TIMEOUT; then the connection is reset. */
  async read(count: number): Promise<readonly unknown[]> {
    this.#next ??= (await this.#rows)[Symbol.asyncIterator]()
    const next = this.#next
    const rows: unknown[] = []
    const limit = performance.now() + this.#queryMs
    while (rows.length < count && !this.#isOver) {
      const { done, value } = await this.#limited(next.next(), limit)
      this.#isOver = done === true
      if (!this.#isOver) rows.push(value)
    }
    return rows
  }

  /** Never throws. The server sends all rows or none: a connection whose rows are not all read is reset. */
  async close(): Promise<void> {
    if (this.#next === null) return
    if (!this.#isOver) this.#client.evict()
    const rows = await this.#rows
    rows.on('error', () => {})
    rows.destroy()
  }

  async #limited<T>(work: Promise<T>, limit: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => {
          reject(timeoutError('statement'))
          this.#client.evict()
        },
        Math.max(1, limit - performance.now()),
      )
    })
    try {
      return await Promise.race([work, late])
    } catch (error) {
      this.#isOver = true
      this.#client.evict()
      throw withPhase(error, 'statement')
    } finally {
      clearTimeout(timer)
    }
  }
}

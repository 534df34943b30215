import type { Connection, Facts, Want } from '../../src/driver/driver.ts'
import type { SafeClient } from './client/client.ts'
import type { MysqlTarget } from './target.ts'
import { verifyServer } from './verify.ts'

/** One connection in no pool, for proofs. */
export class MysqlConnection implements Connection {
  readonly #client: SafeClient
  readonly #target: MysqlTarget

  constructor(client: SafeClient, target: MysqlTarget) {
    this.#client = client
    this.#target = target
  }

  /** @throws what `classify` reads; the signal's reason as soon as it aborts. */
  async verify(want: Want, signal: AbortSignal): Promise<Facts> {
    signal.throwIfAborted()
    const aborted = Promise.withResolvers<never>()
    const onAbort = (): void => aborted.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([verifyServer(this.#client, this.#target, want), aborted.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async close(): Promise<void> {
    await this.#client.end()
  }

  evict(): void {
    this.#client.evict()
  }
}

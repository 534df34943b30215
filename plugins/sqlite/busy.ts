import { setTimeout as sleep } from 'node:timers/promises'
import { busyError, isBusy } from './faults.ts'

/** Another process's locks last about as long as one commit: asked again soon at first, then less often. */
const firstMs = 1
const longestMs = 32

/**
 * Runs until no foreign lock is met, waiting without blocking the event loop (SQLite's own `busy_timeout` does block).
 *
 * @throws FaultError `STORE_BUSY` past `limitMs`; the signal's reason when it aborts; anything else that `run` throws.
 */
export async function whileBusy<T>(run: () => T, limitMs: number, signal?: AbortSignal): Promise<T> {
  const until = performance.now() + limitMs
  for (let waitMs = firstMs; ; waitMs = Math.min(longestMs, waitMs * 2)) {
    signal?.throwIfAborted()
    try {
      return run()
    } catch (error) {
      if (!isBusy(error)) throw error
      if (performance.now() + waitMs > until) {
        throw busyError('Another process held the lock of the SQLite file for too long.', error)
      }
    }
    await sleep(waitMs, undefined, signal === undefined ? {} : { signal })
  }
}

import { times } from '../machine/policy.ts'
import type { Clock } from '../store/clock.ts'

/**
 * One patient try, for a database that is merely slow; and beside it, as long as that hangs, a new one every now and then,
 * so that it is soon noticed when a black hole is gone: a lost packet is sent again ever later, a new connection at once.
 * Resolves with the first that succeeds, rejects with the first that fails by itself; what still runs is aborted. At the
 * latest when `signal` aborts.
 */
export function tryPatiently(
  clock: Clock,
  attempt: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = new AbortController()
    let isOver = false
    let stopWaiting = (): void => {}
    const end = (settle: () => void): void => {
      if (isOver) return
      isOver = true
      stopWaiting()
      settle()
      over.abort(new Error('Another try was first.'))
    }
    const start = (limited: AbortSignal, late: () => boolean): void => {
      attempt(limited).then(
        () => end(resolve),
        (error: unknown) => late() || end(() => reject(error)),
      )
    }
    const again = (previous: AbortController | null): void => {
      stopWaiting = clock.wait(times.impatientMs, () => {
        previous?.abort(new Error('A newer try takes its place.'))
        const next = new AbortController()
        start(AbortSignal.any([signal, over.signal, next.signal]), () => next.signal.aborted)
        again(next)
      })
    }
    again(null)
    start(AbortSignal.any([signal, over.signal]), () => false)
  })
}

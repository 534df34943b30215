import { times } from '../machine/policy.ts'
import type { Clock } from '../store/clock.ts'

/**
 * A hedged attempt: one try that is never given up, for a slow database, and next to it, while that hangs, a new try every
 * `hedgeMs`. A black hole that ends is noticed soon this way: a lost packet is resent ever later, a new connection at once.
 * Resolves with the first success, rejects with the first failure of its own or when `signal` aborts; aborts the rest.
 */
export function hedgedAttempt(
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
    const start = (limited: AbortSignal, isReplaced: () => boolean): void => {
      attempt(limited).then(
        () => end(resolve),
        (error: unknown) => isReplaced() || end(() => reject(error)),
      )
    }
    const startNext = (previous: AbortController | null): void => {
      stopWaiting = clock.wait(times.hedgeMs, () => {
        previous?.abort(new Error('A newer try replaces this one.'))
        const next = new AbortController()
        start(AbortSignal.any([signal, over.signal, next.signal]), () => next.signal.aborted)
        startNext(next)
      })
    }
    startNext(null)
    start(AbortSignal.any([signal, over.signal]), () => false)
  })
}

import { times } from '../machine/policy.ts'
import type { Clock } from '../store/clock.ts'

/**
 * A hedged attempt: one try that is never given up, for a slow database, and next to it, while that hangs, a new try every
 * `hedgeMs`. A black hole that ends is noticed soon this way: a lost packet is resent ever later, a new connection at once.
 * Resolves with the first success, rejects with the first failure of its own or when `signal` aborts; aborts the rest. What
 * another try opens after that is given to `late`.
 */
export function hedgedAttempt<T>(
  clock: Clock,
  attempt: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
  late: (value: T) => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const over = new AbortController()
    let isOver = false
    let stopWaiting = (): void => {}
    const end = (settle: () => void): void => {
      isOver = true
      stopWaiting()
      settle()
      over.abort(new Error('Another try was first.'))
    }
    const start = (limited: AbortSignal, isReplaced: () => boolean): void => {
      attempt(limited).then(
        (value) => (isOver ? late(value) : end(() => resolve(value))),
        (error: unknown) => isOver || isReplaced() || end(() => reject(error)),
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

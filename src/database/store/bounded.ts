import type { Clock } from './clock.ts'

/**
 * `work`, or a rejection with the signal's reason as soon as it aborts. A value that comes after that is given to `late`,
 * so that nothing which was opened is left open.
 */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal, late?: (value: T) => void): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let isOver = false
    const onAbort = (): void => {
      isOver = true
      reject(signal.reason)
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    work.then(
      (value) => {
        signal.removeEventListener('abort', onAbort)
        if (isOver) late?.(value)
        else resolve(value)
      },
      (error: unknown) => {
        signal.removeEventListener('abort', onAbort)
        if (!isOver) reject(error)
      },
    )
  })
}

/** Resolves when `work` settles, or after `ms`, whichever is first. Never rejects. */
export function atMost(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.wait(ms, resolve)
    const done = (): void => {
      cancel()
      resolve()
    }
    work.then(done, done)
  })
}

/** A signal that also aborts after `ms`, with `reason`. `end` frees timer and listener; call it when the work is over. */
export function limitedSignal(
  clock: Clock,
  ms: number,
  outer: AbortSignal | undefined,
  reason: () => unknown,
): { readonly signal: AbortSignal; readonly end: () => void } {
  const controller = new AbortController()
  const onAbort = (): void => controller.abort(outer?.reason)
  const cancel = clock.wait(ms, () => controller.abort(reason()))
  if (outer?.aborted) onAbort()
  else outer?.addEventListener('abort', onAbort, { once: true })
  return {
    signal: controller.signal,
    end: () => {
      cancel()
      outer?.removeEventListener('abort', onAbort)
    },
  }
}

import { limitedSignal, untilAborted } from '../../database/store/bounded.ts'
import type { Clock } from '../../database/store/clock.ts'
import { TargetError } from './target.ts'

/** What retries and limits are measured and drawn by. */
export interface AttemptTools {
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
}

/** One operation at a target. */
export interface Attempt<T> {
  /** For the message of the time limit: `to store an object`. */
  readonly what: string
  /** For all tries together. */
  readonly limitMs: number
  readonly run: (signal: AbortSignal) => Promise<T>
}

/** Before each further try; the caller has its own, longer ones. */
const pausesMs = [100, 500] as const

/** How long an operation may take whose body has `bytes`: the slowest line that keeps up sends 100 KiB in a second. */
export function operationLimitMs(bytes: number): number {
  return 20_000 + (bytes / 102_400) * 1_000
}

/**
 * Runs an operation, and again where that may help, within its limit. Rejects with a `TargetError`, or with the reason of
 * `signal`.
 */
export async function attempted<T>(
  { clock, random }: AttemptTools,
  { what, limitMs, run }: Attempt<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted()
  const limited = limitedSignal(clock, limitMs, signal, () => tooLate(what, limitMs))
  try {
    for (const pauseMs of pausesMs) {
      try {
        return await untilAborted(run(limited.signal), limited.signal)
      } catch (error) {
        if (limited.signal.aborted || !isWorthAnotherTry(error)) throw error
      }
      await pause(clock, pauseMs * (0.5 + random()), limited.signal)
    }
    return await untilAborted(run(limited.signal), limited.signal)
  } finally {
    limited.end()
  }
}

/** The error of a time limit. */
export function tooLate(what: string, limitMs: number): TargetError {
  return new TargetError(
    'unreachable',
    `The archive took longer than ${Math.round(limitMs / 1_000)} s ${what}.`,
    'Check the network between this machine and the archive.',
  )
}

function isWorthAnotherTry(error: unknown): boolean {
  return error instanceof TargetError && (error.kind === 'busy' || error.kind === 'unreachable')
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const cancel = clock.wait(ms, resolve)
  await untilAborted(promise, signal).finally(cancel)
}

/** How long and how often `until` looks. */
export interface UntilOptions {
  /** The limit, 5,000 unless told. */
  readonly withinMs?: number
  readonly everyMs?: number
  /** What is waited for, for the message when it does not come. */
  readonly what?: string
}

/**
 * Resolves with the first answer of `look` that is neither false, null nor undefined; an answer that throws counts as
 * "not yet". Rejects at the limit, naming what was waited for and the last error.
 */
export async function until<T>(
  look: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { withinMs = 5_000, everyMs = 20, what = 'the condition' } = options
  const limit = performance.now() + withinMs
  let failure: unknown
  for (;;) {
    try {
      const seen = await look()
      // The three values that mean "not yet" are gone, and TypeScript does not narrow a type parameter.
      if (seen !== false && seen !== null && seen !== undefined) return seen as Exclude<T, false | null | undefined>
      failure = undefined
    } catch (error) {
      failure = error
    }
    if (performance.now() >= limit) {
      throw new Error(`Waited ${withinMs} ms for ${what} in vain.`, failure === undefined ? {} : { cause: failure })
    }
    await pause(everyMs)
  }
}

/** Rejects when `promise` has not settled within the limit; the promise itself goes on. */
export async function within<T>(promise: Promise<T>, limitMs: number, what = 'the promise'): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`${what} did not settle within ${limitMs} ms.`)), limitMs)
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

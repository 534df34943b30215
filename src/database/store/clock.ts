/** The clock of the database modules: passed in, so that a test can make an hour pass in a millisecond. */
export interface Clock {
  /** Monotonic milliseconds; of no meaning outside this process. */
  now(): number
  /** Milliseconds since 1970, for people only: no decision about data rests on it. */
  wallMs(): number
  /** Calls `fn` once after `ms`, unless the returned function was called before. */
  wait(ms: number, fn: () => void): () => void
}

/** A longer timer would fire at once in Node. */
const longestTimerMs = 2 ** 31 - 1

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  wait: (ms, fn) => {
    const timer = setTimeout(fn, Math.min(Math.max(0, ms), longestTimerMs))
    return () => clearTimeout(timer)
  },
}

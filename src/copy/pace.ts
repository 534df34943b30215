/** The share of one core of the primary's server that the sweep takes at the default rate. */
const share = 0.03
const defaultRate = 5_000

/** The most rows of one look, and of one page of a first copy. */
export const lookRowsMax = 5_000
const lookRowsMin = 100

/** Rows of one look: about a second's worth. `rate`: COPY_RATE. */
export function lookRowsOf(rate: number): number {
  return Math.max(lookRowsMin, Math.min(lookRowsMax, rate))
}

/** The share while much has changed: what is old is to be replaced soon. */
const changedShare = 1

/**
 * How long the primary is left alone after a look at so many rows, of which so many had changed. A higher rate than the
 * default takes a larger share.
 */
export function sweepPauseMs(rows: number, changed: number, tookMs: number, rate: number): number {
  const least = changed * 10 > rows ? changedShare : share
  const taken = Math.min(1, Math.max(least, (share * rate) / defaultRate))
  return Math.max((rows * 1000) / rate, tookMs / taken)
}

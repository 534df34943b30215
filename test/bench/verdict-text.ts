import { showSpread, table } from './statistics.ts'
import type { Verdict } from './verdict.ts'

/** A line for each verdict. */
export function showVerdicts(verdicts: readonly Verdict[]): string {
  return table(
    verdicts.map(({ rule, is, atLeast, atMost, outcome, because }) => [
      ...[`  ${rule}`, showSpread(is), atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`],
      because ?? outcome,
    ]),
  )
}

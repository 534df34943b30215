import { type Spread, showSpread, table } from './statistics.ts'
import type { Verdict } from './verdict.ts'
import { showVerdicts } from './verdict-text.ts'

/** One value over all repetitions. */
export interface Figure {
  readonly what: string
  readonly is: Spread
}

/** What one part of a benchmark measured. */
export interface Part {
  readonly name: string
  readonly figures: readonly Figure[]
  readonly verdicts: readonly Verdict[]
}

/** A part as text. */
export function showPart({ name, figures, verdicts }: Part): string {
  const rows = figures.map(({ what, is }) => [`  ${what}`, showSpread(is, is.median < 20 ? 2 : 0)])
  return [
    `${name}, median (least to most)`,
    table(rows),
    ...(verdicts.length === 0 ? [] : [showVerdicts(verdicts)]),
  ].join('\n')
}

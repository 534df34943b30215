import { spreadOf, table } from '../bench/statistics.ts'
import type { Verdict } from './history/checker.ts'
import { slopeOf } from './load/process-view.ts'
import type { HistoryOptions, Measured, Outcome } from './load/random-history.ts'
import { say } from './schedule/expect.ts'

/** The figures of a verdict, as the end of each run names them. */
export interface Figures {
  readonly seed: number
  readonly acknowledged: number
  readonly applied: number
  readonly parked: number
  readonly unknown: number
  readonly refused: number
  /** Answers from whole copies. */
  readonly copied: number
  readonly lost: number
  readonly doubled: number
  readonly laidOver: number
  /** Answers from copies that were older than they said, of what never was, or without what was there. */
  readonly misread: number
  /** All violations, those three among them. */
  readonly violations: number
}

/** The figures of a history. */
export function figuresOf(seed: number, { violations, ...counts }: Verdict): Figures {
  const of = (wrong: string): number => violations.filter((one) => one.wrong === wrong).length
  return {
    ...{ seed, ...counts, lost: of('lost'), doubled: of('doubled'), laidOver: of('laid over') },
    misread: of('stale') + of('unheard of') + of('missing'),
    violations: violations.length,
  }
}

/** Growth that is called flat, in megabytes an hour; below half an hour a slope says nothing. */
const flatMbPerHour = 20

/** Megabytes an hour by which the service grew, over the last two thirds; null: the run was too short. */
export function growthOf(measured: readonly Measured[], seconds: number): number | null {
  if (seconds < 1_800) return null
  const late = measured.slice(Math.floor(measured.length / 3))
  return slopeOf(late.map(({ atMs, rssMb }) => ({ at: atMs / 3_600_000, value: rssMb })))
}

/** Whether a growth is a leak. */
export function isLeak(growth: number | null): boolean {
  return growth !== null && growth > flatMbPerHour
}

/** The end of a history, for a person. */
export function summary({ seed, seconds }: HistoryOptions, { verdict, tally, measured }: Outcome): string {
  const figures = figuresOf(seed, verdict)
  const { acknowledged, applied, parked, unknown, refused, lost, doubled, laidOver } = figures
  const growth = growthOf(measured, seconds)
  const memory = measured.length === 0 ? null : spreadOf(measured.map(({ rssMb }) => rssMb))
  return [
    table([
      ['what', 'value'],
      ['seed', String(seed)],
      ['acknowledged', String(acknowledged)],
      ['applied', String(applied)],
      ['parked', String(parked)],
      ['unknown', String(unknown)],
      ['refused', String(refused)],
      ['lost', String(lost)],
      ['doubled', String(doubled)],
      ['laid over', String(laidOver)],
      ['answers from whole copies', String(figures.copied)],
      ['of them wrong', String(figures.misread)],
      ['requests', String(tally.requests)],
      ['longest answer', `${tally.longestMs.toFixed(0)} ms`],
      ['longest without a useful answer', `${tally.longestOutageMs.toFixed(0)} ms`],
      ['memory, least to most', memory === null ? '' : `${memory.least.toFixed(0)} to ${memory.most.toFixed(0)} MB`],
      ['growth', growth === null ? '' : `${growth.toFixed(1)} MB an hour`],
    ]),
    '',
    table([['an answer took', 'times'], ...tally.histogram().map(([most, times]) => [most, String(times)])]),
    '',
    table([['answers', 'times'], ...sorted(tally.statuses)]),
    '',
    verdict.violations.length === 0 ? 'No violation.' : `Violations:\n${say(verdict.violations.slice(0, 50))}`,
  ].join('\n')
}

function sorted(counts: ReadonlyMap<string, number>): readonly (readonly string[])[] {
  return [...counts].sort(([, a], [, b]) => b - a).map(([name, times]) => [name, String(times)])
}

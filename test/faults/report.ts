import { spreadOf, table } from '../bench/statistics.ts'
import { eventsOf, type LogLine } from '../support/log.ts'
import type { Transfers } from './business.ts'
import type { FoundRow, Ledger, Side } from './ledger.ts'
import type { SoakOptions } from './options.ts'
import { slopeOf } from './process-view.ts'
import { count, type Tally } from './tally.ts'

/** The process at one moment. */
export interface Measured {
  readonly atMs: number
  readonly rssMb: number
  readonly files: number
}

/** Everything that is known at the end. */
export interface Outcome {
  readonly options: SoakOptions
  readonly tally: Tally
  readonly ledger: Ledger
  readonly transfers: Transfers
  readonly measured: readonly Measured[]
  readonly log: readonly LogLine[]
  readonly found: Readonly<Record<Side, readonly FoundRow[]>>
}

/** Growth that is called flat, in megabytes an hour; below half an hour a slope says nothing. */
const flatMbPerHour = 20

/** The end of a soak, for a person. Memory that grows is noted as a violation. */
export function summary(outcome: Outcome): string {
  const { options, tally, measured } = outcome
  const late = measured.slice(Math.floor(measured.length / 3))
  const slope = slopeOf(late.map(({ atMs, rssMb }) => ({ at: atMs / 3_600_000, value: rssMb })))
  if (options.minutes >= 30 && slope > flatMbPerHour) tally.violate(`memory grows by ${slope.toFixed(0)} MB an hour`)
  return [
    '',
    table([['what', 'value'], ...facts(outcome), ['memory, last two thirds', `${slope.toFixed(1)} MB an hour`]]),
    '',
    table([['memory, minutes', 'MB, median (least to most)', 'files'], ...memoryRows(measured)]),
    '',
    table([['an answer took', 'times'], ...tally.histogram().map(([most, times]) => [most, String(times)])]),
    '',
    table([['answers', 'times'], ...sorted(tally.statuses)]),
    '',
    table([['store', 'answers'], ...sorted(tally.stores)]),
    '',
    table([['state', 'seconds', 'entered'], ...stateRows(outcome.log)]),
    '',
    table([['log', 'lines'], ...sorted(eventCounts(outcome.log))]),
    '',
    tally.violated === 0 ? 'No violation.' : `${tally.violated} violations:\n${tally.violations.join('\n')}`,
  ].join('\n')
}

function facts({ options, tally, ledger, transfers, found }: Outcome): readonly (readonly string[])[] {
  const by = (side: Side): number => ledger.rows.filter((row) => row.side === side).length
  return [
    ['seed', String(options.seed)],
    ['requests', String(tally.requests)],
    ['longest answer', `${tally.longestMs.toFixed(0)} ms`],
    ['a hang is longer than', `${options.queryMs} + ${options.fallbackMs} + ${options.marginMs} ms`],
    ['longest without a useful answer to anybody', `${tally.longestOutageMs.toFixed(0)} ms`],
    ['creates acknowledged on the primary, there now', `${by('primary')}, ${found.primary.length}`],
    ['creates acknowledged on the fallback, there now', `${by('fallback')}, ${found.fallback.length}`],
    ['creates refused with nothing written', String(ledger.refused.size)],
    ['transactions acknowledged, refused, unknown', transferCounts(transfers)],
    ['writes of unknown outcome, creates among them', `${ledger.unknownWrites}, ${ledger.unknown.size}`],
    ['deletes acknowledged after an unknown try, row elsewhere', String(ledger.absentDeletes)],
  ]
}

function transferCounts({ acknowledged, refused, unknown }: Transfers): string {
  const onPrimary = [...acknowledged.values()].filter((side) => side === 'primary').length
  return `${acknowledged.size} (${onPrimary} on the primary), ${refused.size}, ${unknown.size}`
}

function memoryRows(measured: readonly Measured[]): readonly (readonly string[])[] {
  const [first] = measured
  const spans = Map.groupBy(measured, ({ atMs }) => Math.floor((atMs - (first?.atMs ?? 0)) / 300_000) * 5)
  return [...spans].map(([minute, some]) => {
    const { median, least, most } = spreadOf(some.map(({ rssMb }) => rssMb))
    const files = spreadOf(some.map((one) => one.files))
    const shown = `${median.toFixed(0)} (${least.toFixed(0)} to ${most.toFixed(0)})`
    return [`${minute} to ${minute + 5}`, shown, `${files.median} (${files.least} to ${files.most})`]
  })
}

/** How long each state lasted, as the service's own log says. */
function stateRows(log: readonly LogLine[]): readonly (readonly string[])[] {
  const changes = eventsOf(log, 'connection.changed')
  const states = Map.groupBy(changes, ({ from }) => String(from))
  return [...states].map(([state, lines]) => {
    const lastedS = lines.reduce((sum, { lastedMs }) => sum + Number(lastedMs), 0) / 1_000
    return [state, lastedS.toFixed(1), String(changes.filter(({ to }) => to === state).length)]
  })
}

function eventCounts(log: readonly LogLine[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { level, event, fault } of log) count(counts, `${level} ${event}${codeOf(fault)}`)
  return counts
}

function codeOf(fault: unknown): string {
  return typeof fault === 'object' && fault !== null && 'code' in fault ? ` ${fault.code}` : ''
}

function sorted(counts: ReadonlyMap<string, number>): readonly (readonly string[])[] {
  return [...counts].sort(([, a], [, b]) => b - a).map(([name, times]) => [name, String(times)])
}

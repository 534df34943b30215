import type { CaseStanding, Contest } from './contest.ts'
import { showSpread, table } from './statistics.ts'
import { showVerdicts } from './verdict-text.ts'

/** Above this share of a service's processor time per request, the load generator may slow the service down. */
const loadShareMax = 0.8

/** The result of a comparison as text. */
export function showContest({ on, seconds, repeat, rows, node, cases, memory, memoryVerdicts }: Contest): string {
  const memoryRows = memory.map(({ name, idleMb, loadedMb }) => [name, showSpread(idleMb, 0), showSpread(loadedMb, 0)])
  const busy = warnOfLoad(cases)
  return [
    `On ${on}, Node ${node}: ${repeat} repetitions in turn, each with new processes and ${rows} rows, ${seconds} s for each`,
    'case; median (least to most). Processor time is that of one request; ratios are of the same repetition.',
    ...cases.flatMap((one) => ['', showCase(one)]),
    ...['', table([['memory, MB', 'after the first answer', 'after load'], ...memoryRows])],
    showVerdicts(memoryVerdicts),
    ...(busy === null ? [] : ['', busy]),
  ].join('\n')
}

/** A sentence that names the cases in which the generator may be what is measured; null: none. */
export function warnOfLoad(cases: readonly Pick<CaseStanding, 'name' | 'loadShare'>[]): string | null {
  const busy = cases.filter(({ loadShare }) => loadShare > loadShareMax).map(({ name }) => name)
  return busy.length === 0 ? null : `The load generator may be the bottleneck at: ${busy.join(', ')}.`
}

function showCase({ name, connections, contestants, verdicts, loadShare }: CaseStanding): string {
  const title = `${name}, ${connections} connection${connections === 1 ? '' : 's'}`
  const head = [title, 'requests/s', 'to by hand', 'p50, ms', 'p99, ms', 'processor, µs', 'to by hand']
  const lines = contestants.map((one) => [
    ...[one.name, showSpread(one.perSecond, 0), showSpread(one.ratio), showSpread(one.p50Ms), showSpread(one.p99Ms)],
    ...[showSpread(one.cpuUs, 0), showSpread(one.cpuRatio)],
  ])
  const share = `load generator: ${loadShare.toFixed(2)} of the processor time of the least busy contestant`
  return [table([head, ...lines]), ...(verdicts.length === 0 ? [] : [showVerdicts(verdicts)]), share].join('\n')
}

import { repository } from '../support/process.ts'
import type { Cleanup } from '../support/temp.ts'
import { warnOfLoad } from './contest-text.ts'
import { enterBuild } from './contestant.ts'
import type { Sample } from './measure.ts'
import type { BenchOptions } from './options.ts'
import { repeat, wantedCases } from './repetition.ts'
import { geometricMean, ratiosOf, type Spread, showSpread, spreadOf, table } from './statistics.ts'

/** The samples of one case, in the order of the repetitions. */
interface Pair {
  readonly own: readonly Sample[]
  readonly against: readonly Sample[]
}

/** One case over all repetitions. */
interface CaseResult {
  readonly name: string
  /** Processor time per request, in microseconds. */
  readonly cpuUs: { readonly own: Spread; readonly against: Spread }
  readonly perSecond: { readonly own: Spread; readonly against: Spread }
  /** This build's processor time per request divided by the other's. Above 1: this build needs more. */
  readonly ratio: Spread
  /** That of each repetition. */
  readonly ratios: readonly number[]
  /** The load generator's processor time per request divided by that of the build that needs less. */
  readonly loadShare: number
}

/** What `npm run bench -- --against <folder> --json` prints. */
interface Comparison extends Pick<BenchOptions, 'on' | 'seconds' | 'repeat' | 'rows'> {
  readonly own: string
  readonly against: string
  readonly cases: readonly CaseResult[]
  /** Over all cases: of each repetition, the geometric mean of its ratios. */
  readonly ratio: Spread
  readonly ratios: readonly number[]
}

/** Measures this tree's build and that of another folder in turn; the ratio of their processor time per request. */
export async function compareBuilds(t: Cleanup, options: BenchOptions, against: string): Promise<Comparison> {
  const folders = [repository, against]
  const enters = folders.map((folder) => (scope: Cleanup, url?: string) => enterBuild(scope, folder, url))
  const repetitions = await repeat(t, options, enters)
  const samplesOf = (contestant: number, at: number) => repetitions.flatMap((all) => all[contestant]?.samples[at] ?? []) // Each repetition has a sample of each case.
  const { on, seconds, rows } = options
  const cases = wantedCases(options).map(({ name }, at) =>
    resultOf(name, { own: samplesOf(0, at), against: samplesOf(1, at) }),
  )
  const ratios = repetitions.map((_, at) => geometricMean(cases.flatMap((one) => one.ratios[at] ?? [])))
  const head = { own: repository, against, on, seconds, repeat: options.repeat, rows }
  return { ...head, cases, ratio: spreadOf(ratios), ratios }
}

function resultOf(name: string, { own, against }: Pair): CaseResult {
  const valuesOf = (samples: readonly Sample[], key: keyof Sample) => samples.map((sample) => sample[key])
  const both = (key: keyof Sample) => ({
    own: spreadOf(valuesOf(own, key)),
    against: spreadOf(valuesOf(against, key)),
  })
  const ratios = ratiosOf(valuesOf(own, 'cpuUs'), valuesOf(against, 'cpuUs'))
  const [cpuUs, loadUs] = [both('cpuUs'), both('loadUs')]
  const loadShare =
    Math.max(loadUs.own.median, loadUs.against.median) / Math.min(cpuUs.own.median, cpuUs.against.median)
  return { name, cpuUs, perSecond: both('perSecond'), ratio: spreadOf(ratios), ratios, loadShare }
}

/** The comparison as text. */
export function showComparison({ own, against, on, seconds, repeat: count, rows, cases, ratio }: Comparison): string {
  const head = ['processor time per request', 'against, µs', 'this build, µs', 'ratio', 'load generator']
  const lines = cases.map((one) => [
    ...[one.name, showSpread(one.cpuUs.against, 0), showSpread(one.cpuUs.own, 0)],
    ...[showSpread(one.ratio, 3), `${one.loadShare.toFixed(2)} of the service`],
  ])
  const busy = warnOfLoad(cases)
  return [
    `This build (${own}) against ${against}, on ${on}: ${count} repetitions in turn, each with new processes and`,
    `${rows} rows, ${seconds} s for each case; median (least to most). Ratio above 1: this build needs more.\n`,
    table([head, ...lines, ['all cases', '', '', showSpread(ratio, 3)]]),
    ...(busy === null ? [] : [`\n${busy}`]),
  ].join('\n')
}

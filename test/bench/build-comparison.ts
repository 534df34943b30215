import { repository } from '../support/process.ts'
import { type Postgres, startPostgres } from '../support/servers/postgres.ts'
import type { Cleanup } from '../support/temp.ts'
import { enterBuild } from './contestant.ts'
import { type Case, cases, measureInTurn, type Sample, type Seeded, seed } from './measure.ts'
import { type BenchOptions, withCleanup } from './options.ts'
import { geometricMean, type Spread, showSpread, spreadOf, table } from './statistics.ts'

/** How long each case runs before it is measured, in seconds: V8 compiles what the case needs. */
const warmUpSeconds = 0.5

/** Above this share of the service's processor time per request, the load generator may slow the service down. */
const loadShareMax = 0.8

/** The measurements of one case in one repetition. */
interface Pair {
  readonly own: Sample
  readonly against: Sample
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

/** What `--json` prints. */
interface Comparison extends Pick<BenchOptions, 'on' | 'seconds' | 'repeat' | 'rows'> {
  readonly own: string
  readonly against: string
  readonly cases: readonly CaseResult[]
  /** Over all cases: of each repetition, the geometric mean of its ratios. */
  readonly ratio: Spread
  readonly ratios: readonly number[]
}

/**
 * Measures this tree's build and that of another folder in turn, and prints the ratio of their processor time per request.
 *
 * Each repetition starts both as new processes on new databases, because what V8 decides in one process moves its speed by
 * some percent from the next: more measurements of the same two processes would not show it.
 */
export async function compareBuilds(t: Cleanup, options: BenchOptions, against: string): Promise<void> {
  const wanted = cases.filter(({ name }) => options.only.length === 0 || options.only.includes(name))
  const settings = ['fsync = on', 'shared_buffers = 128MB']
  const server = options.on === 'postgresql' ? await startPostgres(t, { settings }) : null
  const repetitions: (readonly Pair[])[] = []
  for (let at = 0; at < options.repeat; at += 1) {
    const names = at % 2 === 0 ? (['against', 'own'] as const) : (['own', 'against'] as const)
    const folders = { own: repository, against }
    repetitions.push(await withCleanup((scope) => repeatOnce(scope, options, wanted, { names, folders, server })))
    process.stderr.write(`repetition ${at + 1} of ${options.repeat}\n`)
  }
  const { on, seconds, repeat, rows } = options
  const results = wanted.map(({ name }, at) =>
    resultOf(
      name,
      repetitions.flatMap((pairs) => pairs[at] ?? []),
    ),
  ) // One pair for each case.
  const ratios = repetitions.map((pairs) => geometricMean(pairs.map(ratioOf)))
  const head = { own: repository, against, on, seconds, repeat, rows }
  const comparison = { ...head, cases: results, ratio: spreadOf(ratios), ratios }
  console.log(options.json ? JSON.stringify(comparison, null, 2) : show(comparison))
}

interface Entries {
  /** In the order in which they are measured. */
  readonly names: readonly (keyof Pair)[]
  readonly folders: Readonly<Record<keyof Pair, string>>
  readonly server: Postgres | null
}

async function repeatOnce(
  t: Cleanup,
  options: BenchOptions,
  wanted: readonly Case[],
  { names, folders, server }: Entries,
): Promise<readonly Pair[]> {
  const contestants: Seeded[] = []
  for (const name of names) {
    const url = server?.url(await server.createDatabase())
    contestants.push(await seed(await enterBuild(t, folders[name], url), options.rows))
  }
  const pairs: Pair[] = []
  for (const one of wanted) {
    await measureInTurn(one, contestants, warmUpSeconds)
    const samples = await measureInTurn(one, contestants, options.seconds)
    const [own, against] = [samples[names.indexOf('own')], samples[names.indexOf('against')]]
    if (own !== undefined && against !== undefined) pairs.push({ own, against })
  }
  return pairs
}

function ratioOf({ own, against }: Pair): number {
  return own.cpuUs / against.cpuUs
}

function resultOf(name: string, pairs: readonly Pair[]): CaseResult {
  const both = (key: keyof Sample) => ({
    own: spreadOf(pairs.map(({ own }) => own[key])),
    against: spreadOf(pairs.map(({ against }) => against[key])),
  })
  const ratios = pairs.map(ratioOf)
  const [cpuUs, loadUs] = [both('cpuUs'), both('loadUs')]
  const loadShare =
    Math.max(loadUs.own.median, loadUs.against.median) / Math.min(cpuUs.own.median, cpuUs.against.median)
  return { name, cpuUs, perSecond: both('perSecond'), ratio: spreadOf(ratios), ratios, loadShare }
}

function show({ own, against, on, seconds, repeat, rows, cases: results, ratio }: Comparison): string {
  const head = ['processor time per request', 'against, µs', 'this build, µs', 'ratio', 'load generator']
  const lines = results.map((one) => [
    ...[one.name, showSpread(one.cpuUs.against, 0), showSpread(one.cpuUs.own, 0)],
    ...[showSpread(one.ratio, 3), `${one.loadShare.toFixed(2)} of the service`],
  ])
  const busy = results.filter(({ loadShare }) => loadShare > loadShareMax).map(({ name }) => name)
  return [
    `This build (${own}) against ${against}, on ${on}: ${repeat} repetitions in turn, each with new processes and`,
    `${rows} rows, ${seconds} s for each case; median (least to most). Ratio above 1: this build needs more.\n`,
    table([head, ...lines, ['all cases', '', '', showSpread(ratio, 3)]]),
    ...(busy.length === 0 ? [] : [`\nThe load generator may be the bottleneck at: ${busy.join(', ')}.`]),
  ].join('\n')
}

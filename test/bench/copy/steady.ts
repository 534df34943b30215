import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { cases, collectionPath } from '../cases.ts'
import { measureInTurn, type Sample, type Seeded } from '../measure.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { cpuMs } from '../process-meter.ts'
import { ratiosOf, spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import { type CopiedService, enterCopied, isPrimary, makeDatabase, untilWhole } from './copied-service.ts'
import type { CopyBenchOptions } from './copy-options.ts'
import { type BenchServer, meterServer, type ServerKind, serverKinds } from './kind.ts'

/** How long a service without requests is watched, in seconds. */
const watchedS = 10

/** Percent of one core that the copy may take of the service and of the server. */
const shareGoal = { atMost: 3 } as const

/** What a request may cost with the copy, times without it, and the share of the rate that is left. */
const costGoal = { atMost: 1.03 } as const
const rateGoal = { atLeast: 0.97 } as const

const warmUpSeconds = 0.5

/** A write is in the copy so long after its answer. */
const tailMs = 60

/** Rows that are read and changed. */
const rowPathsMax = 1_000

const compared = cases.filter(({ name }) => ['get', 'list', 'mixed', 'create1', 'create64'].includes(name))

interface Quiet {
  readonly ownPercent: number
  readonly serverPercent: number
}

type Switched<T> = { readonly auto: T; readonly off: T }

interface Steady {
  readonly quiet: Switched<Quiet>
  /** Of each case. */
  readonly samples: readonly Switched<Sample>[]
}

/** What the copy takes once it is whole: of the machine, and of each request. */
export async function measureSteady(t: Cleanup, options: CopyBenchOptions): Promise<readonly Part[]> {
  const kind = serverKinds[options.on]
  const server = await kind.start(t)
  const all: Steady[] = []
  for (let at = 0; at < options.repeat; at += 1) {
    all.push(await withCleanup((scope) => steadyOnce(scope, kind, server, options, at % 2 === 1)))
  }
  const rows = options.rows.toLocaleString('en')
  return [quietPart(`a whole copy of ${rows} rows without requests, ${kind.name}`, all), ...casePartsOf(all)]
}

function quietPart(name: string, all: readonly Steady[]): Part {
  const differenceOf = (key: keyof Quiet) => all.map(({ quiet: { auto, off } }) => auto[key] - off[key])
  const [own, server] = [differenceOf('ownPercent'), differenceOf('serverPercent')]
  return {
    name,
    figures: [
      { what: 'the service without a copy, % of one core', is: spreadOf(all.map(({ quiet }) => quiet.off.ownPercent)) },
      { what: 'the server without one, %', is: spreadOf(all.map(({ quiet }) => quiet.off.serverPercent)) },
      { what: 'the copy in the service, %', is: spreadOf(own) },
      { what: 'the copy in the server, %', is: spreadOf(server) },
    ],
    verdicts: [
      judge('of one core, in the service, %', own, shareGoal),
      judge('of one core, in the server, %', server, shareGoal),
    ],
  }
}

function casePartsOf(all: readonly Steady[]): readonly Part[] {
  return compared.map(({ name }, at) => {
    const valuesOf = (side: keyof Switched<Sample>, key: keyof Sample) =>
      all.map(({ samples }) => samples[at]?.[side][key] ?? Number.NaN)
    const ratios = (key: keyof Sample) => ratiosOf(valuesOf('auto', key), valuesOf('off', key))
    return {
      name: `${name}: with a copy, next to without`,
      figures: [
        { what: 'without, requests/s', is: spreadOf(valuesOf('off', 'perSecond')) },
        { what: 'with, requests/s', is: spreadOf(valuesOf('auto', 'perSecond')) },
        { what: 'without, processor time, µs', is: spreadOf(valuesOf('off', 'cpuUs')) },
        { what: 'with, processor time, µs', is: spreadOf(valuesOf('auto', 'cpuUs')) },
        { what: 'p99, with to without', is: spreadOf(ratios('p99Ms')) },
      ],
      verdicts: [
        judge('processor time, with to without', ratios('cpuUs'), costGoal),
        judge('requests/s, with to without', ratios('perSecond'), rateGoal),
      ],
    }
  })
}

async function steadyOnce(
  t: Cleanup,
  kind: ServerKind,
  server: BenchServer,
  { rows, seconds }: CopyBenchOptions,
  isTurned: boolean,
): Promise<Steady> {
  const enterOne = async (COPY: 'auto' | 'off'): Promise<Seeded & { readonly quiet: Quiet }> => {
    const database = await makeDatabase(kind, server, { feedback: rows })
    const one = await enterCopied(t, server.url(database), { COPY })
    if (COPY === 'auto') await untilWhole(one, ['feedback', 'holdfast_request'])
    else await until(() => isPrimary(one), { withinMs: 20_000, what: 'the primary' })
    return {
      ...one,
      rowPaths: await pathsOf(server, database, rows),
      fresh: { paths: [], perSecond: 0 },
      quiet: await watch(kind, server, one),
    }
  }
  // One after the other: the server's processes say nothing of whom they work for.
  const off = await enterOne('off')
  const auto = await enterOne('auto')
  const turned = <T>(list: readonly T[]): readonly T[] => (isTurned ? list.toReversed() : list)
  const samples: Switched<Sample>[] = []
  for (const one of compared) {
    await measureInTurn(one, [auto, off], warmUpSeconds)
    const [first, second] = turned(await measureInTurn(one, turned([auto, off]), seconds, tailMs))
    if (first === undefined || second === undefined) throw new Error('unreachable: there are two services')
    samples.push({ auto: first, off: second })
  }
  return { quiet: { auto: auto.quiet, off: off.quiet }, samples }
}

async function watch(kind: ServerKind, server: BenchServer, { running: { pid } }: CopiedService): Promise<Quiet> {
  // What the start left behind is no part of it.
  await sleep(2_000)
  const serverMs = await meterServer(kind, server)
  const [startedMs, ownMs] = [performance.now(), cpuMs(pid)]
  await sleep(watchedS * 1_000)
  const tookMs = performance.now() - startedMs
  const [own, used] = [cpuMs(pid) - ownMs, await serverMs()]
  return { ownPercent: (100 * own) / tookMs, serverPercent: (100 * used) / tookMs }
}

/** Some rows, as far apart as they can be. */
async function pathsOf(server: BenchServer, database: string, rows: number): Promise<readonly string[]> {
  const found = await server.query('select id from feedback order by id', database)
  const step = Math.max(1, Math.floor(rows / rowPathsMax))
  return found
    .filter((_, at) => at % step === 0)
    .slice(0, rowPathsMax)
    .map(({ id }) => `${collectionPath}/${id}`)
}

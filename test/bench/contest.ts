import type { Cleanup } from '../support/temp.ts'
import type { Case } from './cases.ts'
import { enter, names } from './contestant.ts'
import type { Sample } from './measure.ts'
import type { BenchOptions } from './options.ts'
import { type Measured, repeat, wantedCases } from './repetition.ts'
import { ratiosOf, type Spread, spreadOf } from './statistics.ts'
import { judge, refuseUnsteady, type Verdict } from './verdict.ts'

/** One contestant in one case, over all repetitions. */
export interface Standing {
  readonly name: string
  readonly perSecond: Spread
  readonly p50Ms: Spread
  readonly p99Ms: Spread
  /** Processor time per request, in microseconds. */
  readonly cpuUs: Spread
  /** That divided by the one of the server written by hand; above 1: more. */
  readonly cpuRatio: Spread
  /** Requests per second divided by those of the server written by hand; above 1: faster. */
  readonly ratio: Spread
  /** That of each repetition. */
  readonly ratios: readonly number[]
}

/** One case over all repetitions. */
export interface CaseStanding {
  readonly name: string
  readonly connections: number
  readonly contestants: readonly Standing[]
  readonly verdicts: readonly Verdict[]
  /** The load generator's processor time per request divided by that of the contestant that needs least. */
  readonly loadShare: number
}

/** What one contestant holds, over all repetitions. */
export interface MemoryStanding {
  readonly name: string
  /** After its first answer, and after all cases, in megabytes. */
  readonly idleMb: Spread
  readonly loadedMb: Spread
}

/** What `npm run bench -- --json` prints. */
export interface Contest extends Pick<BenchOptions, 'on' | 'seconds' | 'repeat' | 'rows'> {
  readonly node: string
  readonly cases: readonly CaseStanding[]
  readonly memory: readonly MemoryStanding[]
  readonly memoryVerdicts: readonly Verdict[]
}

const [byHand, fastify, ours, logging] = names

/** Goals that hold for each case with a goal of its own. */
const ahead = { atLeast: 1 } as const
const logShare = { atLeast: 0.85 } as const
const p99Ratio = { atMost: 1.5 } as const

/** Goals of memory, in megabytes. */
export const idleLimit = { atMost: 85 } as const
const loadedLimit = { atMost: 150 } as const

/** Measures the server written by hand, Fastify with Drizzle, and Holdfast without and with its request log. */
export async function contest(t: Cleanup, options: BenchOptions, enterOne: typeof enter = enter): Promise<Contest> {
  const enters = names.map((name) => (scope: Cleanup, url?: string) => enterOne(scope, name, url))
  const repetitions = await repeat(t, options, enters)
  const { on, seconds, rows } = options
  const memory = names.map((name, at) => ({
    name,
    idleMb: spreadOf(repetitions.map((all) => all[at]?.idleMb ?? Number.NaN)),
    loadedMb: spreadOf(repetitions.map((all) => all[at]?.loadedMb ?? Number.NaN)),
  }))
  const our = names.indexOf(ours)
  const valuesOf = (key: 'idleMb' | 'loadedMb') => repetitions.map((all) => all[our]?.[key] ?? Number.NaN)
  return {
    ...{ on, seconds, repeat: options.repeat, rows, node: process.version },
    cases: wantedCases(options).map((one, at) => standingsOf(one, on, samplesOf(repetitions, at))),
    memory,
    memoryVerdicts: [
      judge('memory after the first answer, MB', valuesOf('idleMb'), idleLimit),
      judge('memory after load, MB', valuesOf('loadedMb'), loadedLimit),
    ],
  }
}

/** The samples of each contestant in one case. */
function samplesOf(repetitions: readonly (readonly Measured[])[], at: number): Samples {
  return new Map(names.map((name, index) => [name, repetitions.flatMap((all) => all[index]?.samples[at] ?? [])]))
}

type Samples = ReadonlyMap<string, readonly Sample[]>

/** What the samples of each contestant in a case come to. */
export function standingsOf(
  { name, connections, goals }: Case,
  on: BenchOptions['on'],
  samples: Samples,
): CaseStanding {
  const valuesOf = (who: string, key: keyof Sample) => (samples.get(who) ?? []).map((sample) => sample[key])
  const ratiosTo = (who: string, other: string, key: keyof Sample) => ratiosOf(valuesOf(who, key), valuesOf(other, key))
  const contestants = [...samples.keys()].map((who) => ({
    name: who,
    perSecond: spreadOf(valuesOf(who, 'perSecond')),
    p50Ms: spreadOf(valuesOf(who, 'p50Ms')),
    p99Ms: spreadOf(valuesOf(who, 'p99Ms')),
    cpuUs: spreadOf(valuesOf(who, 'cpuUs')),
    cpuRatio: spreadOf(ratiosTo(who, byHand, 'cpuUs')),
    ratio: spreadOf(ratiosTo(who, byHand, 'perSecond')),
    ratios: ratiosTo(who, byHand, 'perSecond'),
  }))
  const verdicts: Verdict[] = []
  if (goals !== null) {
    const { ratio, next } = goals[on]
    const toByHand = ratiosTo(ours, byHand, 'perSecond')
    verdicts.push(judge('ratio to by hand', toByHand, { atLeast: ratio }))
    if (next !== undefined) verdicts.push(judge('ratio to by hand, next', toByHand, { atLeast: next }))
    verdicts.push(judge(`ahead of ${fastify}`, ratiosTo(ours, fastify, 'perSecond'), ahead))
    verdicts.push(judge('log on to log off', ratiosTo(logging, ours, 'perSecond'), logShare))
    if (connections > 1) verdicts.push(judge('p99 to by hand', ratiosTo(ours, byHand, 'p99Ms'), p99Ratio))
  }
  const loadUs = Math.max(...[...samples.keys()].map((who) => spreadOf(valuesOf(who, 'loadUs')).median))
  return {
    ...{ name, connections, contestants },
    verdicts: refuseUnsteady(verdicts, spreadOf(valuesOf(byHand, 'perSecond'))),
    loadShare: loadUs / Math.min(...contestants.map(({ cpuUs }) => cpuUs.median)),
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { type Case, collectionPath, newRow } from './cases.ts'
import type { Contestant } from './contestant.ts'
import { load } from './load/generator.ts'
import { cpuMs } from './process-meter.ts'
import { quantileOf } from './statistics.ts'

/** What one measurement gave. */
export interface Sample {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Processor time per request of the contestant alone, in microseconds: other work on the machine hardly moves it. */
  readonly cpuUs: number
  /** The same of the load generator. */
  readonly loadUs: number
}

/** A contestant with rows to be read. */
export interface Seeded extends Contestant {
  /** Some rows, as far apart as they can be. */
  readonly rowPaths: readonly string[]
  /** Rows that are requested once and are gone then. */
  readonly fresh: { paths: readonly string[]; perSecond: number }
}

/** How long one contestant is measured before the next one's turn, in seconds. */
const sliceSeconds = 0.25

/** How many of the rows are read and changed. */
const rowPathsMax = 1_000

/** Writes rows to be read. */
export async function seed(one: Contestant, rows: number): Promise<Seeded> {
  const paths = await createRows(one, rows)
  const step = Math.max(1, Math.floor(paths.length / rowPathsMax))
  const rowPaths = paths.filter((_, at) => at % step === 0).slice(0, rowPathsMax)
  return { ...one, rowPaths, fresh: { paths: [], perSecond: 1_000 } }
}

/**
 * Runs one case against each contestant in turn, in slices of a quarter of a second and every second time in the other
 * order, until each has had its `seconds`; gives their samples. Whatever else the machine does meanwhile meets all.
 * `tailMs`: what a contestant does so long after its last answer is counted, too.
 *
 * @throws {Error} when a request failed.
 */
export async function measureInTurn(
  one: Case,
  contestants: readonly Seeded[],
  seconds: number,
  tailMs = 0,
): Promise<readonly Sample[]> {
  const slices = Math.max(1, Math.round(seconds / sliceSeconds))
  const turn = contestants.map((contestant) => ({ contestant, parts: [] as Slice[] }))
  for (let at = 0; at < slices; at += 1) {
    for (const { contestant, parts } of at % 2 === 0 ? turn : [...turn].reverse()) {
      parts.push(await measureSlice(one, contestant, seconds / slices, tailMs))
    }
  }
  return turn.map(({ parts }) => sampleOf(parts))
}

interface Slice {
  readonly requests: number
  readonly seconds: number
  readonly latenciesMs: Float64Array
  readonly cpuMs: number
  readonly loadMs: number
}

async function measureSlice(one: Case, contestant: Seeded, seconds: number, tailMs: number): Promise<Slice> {
  const { name, at, goals: _, ...request } = one
  const { fresh, port, running } = contestant
  if (at === 'rows of its own') await refill(contestant, seconds)
  const once = at === 'rows of its own' ? { count: fresh.paths.length } : {}
  const paths = at === 'rows' ? contestant.rowPaths : at === 'rows of its own' ? fresh.paths : [at.path]
  const beforeMs = cpuMs(running.pid)
  const { requests, perSecond, failures, latenciesMs, ...generator } = await load({
    ...{ ...request, port, seconds, paths },
    ...once,
  })
  if (tailMs > 0) await sleep(tailMs)
  const usedMs = cpuMs(running.pid) - beforeMs
  if (failures > 0 || requests === 0) {
    const what = failures > 0 ? `failed ${failures} times` : 'answered nothing'
    throw new Error(`${contestant.name} ${what} at ${name}.\n${running.output()}`)
  }
  if (at === 'rows of its own') {
    fresh.paths = fresh.paths.slice(requests)
    fresh.perSecond = perSecond
  }
  return { requests, seconds: requests / perSecond, latenciesMs, cpuMs: usedMs, loadMs: generator.cpuMs }
}

/** Writes as many rows as the next slice may use, half as many again as the last one would have. */
async function refill({ fresh, ...one }: Seeded, seconds: number): Promise<void> {
  const absent = Math.ceil(fresh.perSecond * seconds * 1.5) - fresh.paths.length
  if (absent > 0) fresh.paths = [...fresh.paths, ...(await createRows(one, absent))]
}

/** The paths of new rows, in the order in which they were created. */
async function createRows(one: Contestant, count: number): Promise<readonly string[]> {
  const { failures, locations } = await load({
    ...{ port: one.port, connections: 64, seconds: 120, count, isLocating: true },
    ...{ method: 'POST', paths: [collectionPath], body: newRow },
  })
  if (failures === 0 && locations.length === count) return locations
  throw new Error(
    `${one.name} created ${locations.length} of ${count} rows; ${failures} failed.\n${one.running.output()}`,
  )
}

function sampleOf(parts: readonly Slice[]): Sample {
  const sum = (key: 'requests' | 'seconds' | 'cpuMs' | 'loadMs') => parts.reduce((total, part) => total + part[key], 0)
  const requests = sum('requests')
  const latenciesMs = Float64Array.from(parts.flatMap((part) => [...part.latenciesMs])).sort()
  return {
    perSecond: requests / sum('seconds'),
    p50Ms: quantileOf(latenciesMs, 0.5),
    p99Ms: quantileOf(latenciesMs, 0.99),
    cpuUs: (sum('cpuMs') * 1_000) / requests,
    loadUs: (sum('loadMs') * 1_000) / requests,
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { collectionPath, newRow } from '../cases.ts'
import { type Contestant, enter } from '../contestant.ts'
import { load } from '../load/generator.ts'
import type { LoadResult } from '../load/load.ts'
import { withCleanup } from '../options.ts'
import type { Part } from '../part.ts'
import { quantileOf, spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import type { JournalBenchOptions } from './journal-options.ts'

const connections = 64

/** Milliseconds that the longest create of a switch may take. */
const holdMs = 250

/** How long creates run before the server is started or killed, and in all, in seconds. */
const beforeS = 1.5
const returnS = 8
const killS = 4

/** Above this share of the limit a second without a change of stores shows that the machine is not quiet. */
const calmShare = 0.5

/** What one load over a change of stores came to. */
interface Crossing {
  readonly creates: number
  readonly failed: number
  readonly p99Ms: number
  readonly longestMs: number
  /** The longest create of a second on the fallback, or the primary, just before. */
  readonly calmMs: number
  /** Creates that were answered and are in neither store. */
  readonly lost: number
}

/** Changes stores under a load. `calm` creates rows for a second. */
type Cross = (
  server: Postgres,
  one: Contestant,
  calm: () => Promise<LoadResult>,
) => Promise<readonly [calm: LoadResult, crossing: LoadResult]>

/** 64 clients that create rows throughout the return of the primary. */
export async function measureReturn(t: Cleanup, options: JournalBenchOptions): Promise<readonly Part[]> {
  const all = await crossings(t, options, async (server, one, calm) => {
    await server.kill()
    await until(() => isState(one, 'FALLBACK_CONNECTED'), { withinMs: 20_000, what: 'the fallback' })
    const before = await calm()
    const loaded = create(one, returnS)
    await sleep(beforeS * 1_000)
    await server.start()
    const result = await loaded
    await until(() => isState(one, 'PRIMARY_CONNECTED'), { withinMs: 60_000, what: 'the primary' })
    return [before, result]
  })
  const values = all.map(({ longestMs }) => longestMs)
  const longest = judge('longest create, ms', values, { atMost: holdMs })
  const calmMs = Math.max(...all.map((one) => one.calmMs))
  const because = `without a switch the longest took ${calmMs.toFixed(0)} ms: no verdict`
  const isQuiet = calmMs <= holdMs * calmShare
  return [
    partOf('the primary returns under 64 clients that create', all, [
      isQuiet ? longest : { ...longest, outcome: 'refused', because },
    ]),
  ]
}

/** 64 clients that create rows while the primary is killed. */
export async function measureKill(t: Cleanup, options: JournalBenchOptions): Promise<readonly Part[]> {
  const all = await crossings(t, options, async (server, one, calm) => {
    const before = await calm()
    const loaded = create(one, killS)
    await sleep(beforeS * 1_000)
    await server.kill()
    const result = await loaded
    await server.start()
    return [before, result]
  })
  return [partOf('SIGKILL of the primary under 64 clients that create', all, [])]
}

function partOf(name: string, all: readonly Crossing[], verdicts: Part['verdicts']): Part {
  const valuesOf = (key: keyof Crossing): readonly number[] => all.map((one) => one[key])
  return {
    name,
    figures: [
      { what: 'creates', is: spreadOf(valuesOf('creates')) },
      { what: 'p99, ms', is: spreadOf(valuesOf('p99Ms')) },
      { what: 'longest, ms', is: spreadOf(valuesOf('longestMs')) },
      { what: 'longest of the second before, ms', is: spreadOf(valuesOf('calmMs')) },
    ],
    verdicts: [
      ...verdicts,
      judge('creates that failed, at the most', [Math.max(...valuesOf('failed'))], { atMost: 0 }),
      judge('creates that are lost, at the most', [Math.max(...valuesOf('lost'))], { atMost: 0 }),
    ],
  }
}

async function crossings(t: Cleanup, { repeat }: JournalBenchOptions, cross: Cross): Promise<readonly Crossing[]> {
  const settings = ['fsync = on', 'shared_buffers = 128MB', 'max_connections = 100']
  const server = await startPostgres(t, { settings })
  const all: Crossing[] = []
  for (let at = 0; at < repeat; at += 1) all.push(await withCleanup((scope) => crossOnce(scope, server, cross)))
  return all
}

async function crossOnce(t: Cleanup, server: Postgres, cross: Cross): Promise<Crossing> {
  const database = await server.createDatabase()
  const one = await enter(t, 'holdfast', server.url(database))
  const calm = (): Promise<LoadResult> => create(one, 1)
  // V8 compiles what the measurement needs.
  const first = await calm()
  const [before, result] = await cross(server, one, calm)
  const wanted = [first, before, result].reduce((sum, { requests, failures }) => sum + requests - failures, 0)
  const there = async (): Promise<number> => {
    const [row] = await server.query('select count(*) as n from feedback', database)
    return Number(row?.n)
  }
  const isThere = async (): Promise<number | null> => {
    const found = await there()
    return found >= wanted ? found : null
  }
  const found = await until(isThere, { withinMs: 60_000, everyMs: 200 }).catch(there)
  const sorted = result.latenciesMs.toSorted()
  return {
    creates: result.requests,
    failed: before.failures + result.failures,
    p99Ms: quantileOf(sorted, 0.99),
    longestMs: sorted.at(-1) ?? Number.NaN,
    calmMs: Math.max(...before.latenciesMs),
    lost: Math.max(0, wanted - found),
  }
}

async function create({ port }: Contestant, seconds: number): Promise<LoadResult> {
  return await load({ port, connections, seconds, method: 'POST', paths: [collectionPath], body: newRow })
}

async function isState({ port }: Contestant, state: string): Promise<boolean> {
  // A request that shows who serves wakes the service as any other.
  const answer = await fetch(`http://127.0.0.1:${port}${collectionPath}?limit=1`)
  await answer.text()
  const health = await fetch(`http://127.0.0.1:${port}/health`)
  return (await health.text()).includes(state)
}

import { type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { collectionPath, newRow } from '../cases.ts'
import { type Contestant, enter } from '../contestant.ts'
import { load } from '../load/generator.ts'
import type { LoadResult } from '../load/load.ts'
import { withCleanup } from '../options.ts'
import { quantileOf, spreadOf } from '../statistics.ts'
import { judge } from '../verdict.ts'
import type { JournalBenchOptions, Part } from './part.ts'

const connections = 64

/** Milliseconds that the longest create of a switch may take. */
const holdLimit = { atMost: 250 } as const

/** How long creates run before the server is started or killed, and in all, in seconds. */
const beforeS = 1.5
const returnS = 8
const killS = 4

/** What one load over a change of stores came to. */
interface Crossing {
  readonly creates: number
  readonly failed: number
  readonly longestMs: number
  readonly p99Ms: number
  /** Creates that were answered and are in neither store. */
  readonly lost: number
}

/** 64 clients that create rows throughout the return of the primary. */
export async function measureReturn(t: Cleanup, options: JournalBenchOptions): Promise<readonly Part[]> {
  const all = await crossings(t, options, async (server, one) => {
    await server.kill()
    await until(() => stateOf(one, 'FALLBACK_CONNECTED'), { withinMs: 20_000, what: 'the fallback' })
    const loaded = create(one, returnS)
    await new Promise((resolve) => setTimeout(resolve, beforeS * 1_000))
    await server.start()
    const result = await loaded
    await until(() => stateOf(one, 'PRIMARY_CONNECTED'), { withinMs: 60_000, what: 'the primary' })
    return result
  })
  const longest = judge(
    'longest create, ms',
    all.map(({ longestMs }) => longestMs),
    holdLimit,
  )
  return [partOf('the primary returns under 64 clients that create', all, [longest])]
}

/** 64 clients that create rows while the primary is killed. */
export async function measureKill(t: Cleanup, options: JournalBenchOptions): Promise<readonly Part[]> {
  const all = await crossings(t, options, async (server, one) => {
    const loaded = create(one, killS)
    await new Promise((resolve) => setTimeout(resolve, beforeS * 1_000))
    await server.kill()
    const result = await loaded
    await server.start()
    return result
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
    ],
    verdicts: [
      ...verdicts,
      judge('creates that failed, at the most', [Math.max(...valuesOf('failed'))], { atMost: 0 }),
      judge('creates that are lost, at the most', [Math.max(...valuesOf('lost'))], { atMost: 0 }),
    ],
  }
}

async function crossings(
  t: Cleanup,
  { repeat }: JournalBenchOptions,
  cross: (server: Postgres, one: Contestant) => Promise<LoadResult>,
): Promise<readonly Crossing[]> {
  const settings = ['fsync = on', 'shared_buffers = 128MB', 'max_connections = 100']
  const server = await startPostgres(t, { settings })
  const all: Crossing[] = []
  for (let at = 0; at < repeat; at += 1) {
    all.push(
      await withCleanup(async (scope) => {
        const database = await server.createDatabase()
        const one = await enter(scope, 'holdfast', server.url(database))
        // V8 compiles what the measurement needs.
        const before = await create(one, 1)
        const { requests, failures, latenciesMs } = await cross(server, one)
        const there = async (): Promise<number> => {
          const [row] = await server.query('select count(*) as n from feedback', database)
          return Number(row?.n)
        }
        const wanted = before.requests + requests - failures
        const found = await until(async () => ((await there()) >= wanted ? there() : null), {
          ...{ withinMs: 60_000, everyMs: 200, what: `${wanted} rows in the primary` },
        }).catch(there)
        const sorted = latenciesMs.toSorted()
        return {
          creates: requests,
          failed: failures,
          longestMs: sorted.at(-1) ?? Number.NaN,
          p99Ms: quantileOf(sorted, 0.99),
          lost: Math.max(0, wanted - found),
        }
      }),
    )
  }
  return all
}

async function create({ port }: Contestant, seconds: number): Promise<LoadResult> {
  return await load({ port, connections, seconds, method: 'POST', paths: [collectionPath], body: newRow })
}

async function stateOf({ port }: Contestant, state: string): Promise<boolean> {
  // A request that shows who serves wakes the service as any other.
  const answer = await fetch(`http://127.0.0.1:${port}${collectionPath}?limit=1`)
  await answer.text()
  const health = await fetch(`http://127.0.0.1:${port}/health`)
  return (await health.text()).includes(state)
}

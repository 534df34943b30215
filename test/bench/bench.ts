/**
 * `npm run bench [-- --on postgresql --seconds 1 --repeat 2 --only get]`: requests per second as ratios to the yardstick in the same run,
 * in turn, and what memory and health cost.
 */

// Plain JavaScript: the launcher that an old Node reads first.
import { isBuilt } from '../../src/cli/entry.js'
import { startPostgres } from '../support/postgres.ts'
import type { Cleanup } from '../support/temp.ts'
import { body, type Contestant, cpuMs, enter, load, names, residentMb } from './contestant.ts'
import type { LoadOptions } from './load.ts'
import { type BenchOptions, readOptions, withCleanup } from './options.ts'
import { type Spread, showSpread, spreadOf, table } from './statistics.ts'

interface Case {
  readonly name: string
  /** On SQLite and on PostgreSQL. */
  readonly goals: Readonly<Record<BenchOptions['on'], number>>
  readonly load: Pick<LoadOptions, 'connections' | 'method'> & { readonly path?: string }
}

const cases: readonly Case[] = [
  { name: 'get', goals: { sqlite: 0.85, postgresql: 0.9 }, load: { connections: 64, method: 'GET' } },
  {
    name: 'list',
    goals: { sqlite: 0.85, postgresql: 0.9 },
    load: { connections: 64, method: 'GET', path: '/api/feedback?limit=20' },
  },
  {
    name: 'create1',
    goals: { sqlite: 0.85, postgresql: 0.9 },
    load: { connections: 1, method: 'POST', path: '/api/feedback' },
  },
  {
    name: 'create64',
    goals: { sqlite: 2, postgresql: 0.9 },
    load: { connections: 64, method: 'POST', path: '/api/feedback' },
  },
]

const options = readOptions()
// From the sources it starts in three times the time, holds half as much more, and is slower.
if (!isBuilt()) throw new Error('The sources are newer than the build: "npm run bench" builds first.')
await withCleanup(async (t) => {
  const addresses = await makeDatabases(t)
  const contestants = await Promise.all(names.map((name, at) => enter(t, name, addresses[at])))
  const rowPaths = new Map<string, readonly string[]>()
  const idleMb = new Map<string, number>()
  for (const one of contestants) {
    await fetch(`http://127.0.0.1:${one.port}/api/feedback`)
    idleMb.set(one.name, residentMb(one.running.pid))
    rowPaths.set(one.name, await seed(one))
  }

  const rows = [['case', 'by hand, requests/s', 'holdfast, requests/s', 'ratio', 'goal', '']]
  const works = [['processor time per request', 'by hand, µs', 'holdfast, µs', 'ratio']]
  for (const one of cases.filter(({ name }) => options.only.length === 0 || options.only.includes(name))) {
    const measured = await measure(one, contestants, rowPaths)
    const [hand = [], ours = []] = names.map((name) => measured.get(name)?.perSecond ?? [])
    const ratio = ratioOf(ours, hand)
    const goal = one.goals[options.on]
    const verdict = ratio.median >= goal ? 'reached' : 'missed'
    rows.push([
      one.name,
      showSpread(spreadOf(hand), 0),
      showSpread(spreadOf(ours), 0),
      showSpread(ratio),
      String(goal),
      verdict,
    ])
    const [handUs = [], oursUs = []] = names.map((name) => measured.get(name)?.cpuUs ?? [])
    works.push([
      one.name,
      showSpread(spreadOf(handUs), 0),
      showSpread(spreadOf(oursUs), 0),
      showSpread(ratioOf(handUs, oursUs)),
    ])
  }
  console.log(
    `On ${options.on}: ${options.repeat} repetitions of ${options.seconds} s, in turn; ${options.rows} rows; median (least to most)\n`,
  )
  console.log(`${table(rows)}\n\n${table(works)}`)

  const health = await measureHealth(contestants)
  const memory = [
    ['memory, MB', 'after its first answer', 'after load'],
    ...contestants.map((one) => memoryRow(one, idleMb)),
  ]
  console.log(`\n${table(memory)}\n\n${table(health)}`)
})

/** A database for each of them, on one server as PostgreSQL is by default; none on SQLite. */
async function makeDatabases(t: Cleanup): Promise<readonly { readonly url: string }[]> {
  if (options.on === 'sqlite') return []
  const server = await startPostgres(t, { settings: ['fsync = on', 'shared_buffers = 128MB'] })
  const databases = [await server.createDatabase(), await server.createDatabase()]
  return databases.map((name) => ({ url: server.url(name) }))
}

/** Writes the rows to be read; resolves with the paths of some. */
async function seed(one: Contestant): Promise<string[]> {
  const { failures } = await load({
    ...{ port: one.port, connections: 64, seconds: 120, count: options.rows },
    ...{ method: 'POST', paths: ['/api/feedback'], body },
  })
  if (failures > 0) throw new Error(`${one.name} refused ${failures} rows.\n${one.running.output()}`)
  const answer = await fetch(`http://127.0.0.1:${one.port}/api/feedback?limit=100`)
  const { items } = (await answer.json()) as { items: { id: string }[] } // Both answer in this shape.
  return items.map(({ id }) => `/api/feedback/${id}`)
}

/** What each round gave. */
interface Measured {
  readonly perSecond: number[]
  /** Processor time of the contestant alone: who else uses the machine hardly moves it. */
  readonly cpuUs: number[]
}

function ratioOf(some: readonly number[], others: readonly number[]): Spread {
  return spreadOf(some.map((value, at) => value / (others[at] ?? Number.NaN)))
}

/** Speed and work of each, measured in turn; who begins changes with each round. */
async function measure(
  one: Case,
  contestants: readonly Contestant[],
  rowPaths: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyMap<string, Measured>> {
  const measured = new Map<string, Measured>(names.map((name) => [name, { perSecond: [], cpuUs: [] }]))
  for (let round = 0; round < options.repeat; round += 1) {
    for (const contestant of round % 2 === 0 ? contestants : [...contestants].reverse()) {
      const { path, ...rest } = one.load
      const beforeMs = cpuMs(contestant.running.pid)
      const result = await load({
        ...rest,
        port: contestant.port,
        seconds: options.seconds,
        paths: path === undefined ? (rowPaths.get(contestant.name) ?? []) : [path],
        ...(one.load.method === 'POST' ? { body } : {}),
      })
      if (result.failures > 0) throw new Error(`${contestant.name} failed ${result.failures} times at ${one.name}.`)
      const usedMs = cpuMs(contestant.running.pid) - beforeMs
      measured.get(contestant.name)?.perSecond.push(result.perSecond)
      measured.get(contestant.name)?.cpuUs.push((usedMs * 1_000) / result.requests)
    }
  }
  return measured
}

async function measureHealth(contestants: readonly Contestant[]): Promise<string[][]> {
  const rows = [['health, one connection, ms there and back', 'p50', 'p99']]
  for (const one of contestants) {
    const result = await load({
      ...{ port: one.port, connections: 1, seconds: Math.min(options.seconds, 2) },
      ...{ method: 'GET', paths: ['/health'] },
    })
    rows.push([one.name, result.p50Ms.toFixed(3), result.p99Ms.toFixed(3)])
  }
  return rows
}

function memoryRow(one: Contestant, idleMb: ReadonlyMap<string, number>): string[] {
  return [one.name, (idleMb.get(one.name) ?? Number.NaN).toFixed(0), residentMb(one.running.pid).toFixed(0)]
}

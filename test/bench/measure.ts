import { body, type Contestant, cpuMs, load } from './contestant.ts'
import type { LoadOptions } from './load.ts'
import type { On } from './options.ts'

/** One kind of request that is measured. */
export interface Case {
  readonly name: string
  /** Requests per second as a ratio to the server written by hand. */
  readonly goals: Readonly<Record<On, number>>
  /** Without a path: the rows written by `seed`, in turn. */
  readonly load: Pick<LoadOptions, 'connections' | 'method'> & { readonly path?: string }
}

/** All of them, in the order in which they run. */
export const cases: readonly Case[] = [
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

/** What one measurement gave. */
export interface Sample {
  readonly perSecond: number
  /** Processor time per request of the contestant alone, in microseconds: other work on the machine hardly moves it. */
  readonly cpuUs: number
  /** The same of the load generator. */
  readonly loadUs: number
}

/** A contestant with rows to be read. */
export interface Seeded extends Contestant {
  /** The paths of some rows. */
  readonly rowPaths: readonly string[]
}

/** How long one contestant is measured before the other's turn, in seconds. */
const sliceSeconds = 0.25

/** Writes rows to be read. */
export async function seed(one: Contestant, rows: number): Promise<Seeded> {
  const { failures } = await load({
    ...{ port: one.port, connections: 64, seconds: 120, count: rows },
    ...{ method: 'POST', paths: ['/api/feedback'], body },
  })
  if (failures > 0) throw new Error(`${one.name} rejected ${failures} rows.\n${one.running.output()}`)
  const answer = await fetch(`http://127.0.0.1:${one.port}/api/feedback?limit=100`)
  const { items } = (await answer.json()) as { items: { id: string }[] } // All contestants answer in this shape.
  return { ...one, rowPaths: items.map(({ id }) => `/api/feedback/${id}`) }
}

/**
 * Runs one case against each contestant in turn, in slices of a quarter of a second and with each pair of slices in the
 * other order, until each has had its `seconds`; gives their samples. Whatever else the machine does meanwhile meets both.
 *
 * @throws {Error} when a request failed.
 */
export async function measureInTurn(
  one: Case,
  contestants: readonly Seeded[],
  seconds: number,
): Promise<readonly Sample[]> {
  const slices = Math.max(1, Math.round(seconds / sliceSeconds))
  const totals = contestants.map(() => ({ requests: 0, seconds: 0, cpuMs: 0, loadMs: 0 }))
  for (let at = 0; at < slices; at += 1) {
    const turn = contestants.map((contestant, index) => ({ contestant, total: totals[index] }))
    for (const { contestant, total } of at % 2 === 0 ? turn : turn.reverse()) {
      const { requests, perSecond, cpuMs, loadMs } = await measureSlice(one, contestant, seconds / slices)
      if (total === undefined) continue
      total.requests += requests
      total.seconds += requests / perSecond
      total.cpuMs += cpuMs
      total.loadMs += loadMs
    }
  }
  return totals.map((total) => ({
    perSecond: total.requests / total.seconds,
    cpuUs: (total.cpuMs * 1_000) / total.requests,
    loadUs: (total.loadMs * 1_000) / total.requests,
  }))
}

interface Slice {
  readonly requests: number
  readonly perSecond: number
  readonly cpuMs: number
  readonly loadMs: number
}

async function measureSlice({ name, load: wanted }: Case, contestant: Seeded, seconds: number): Promise<Slice> {
  const { path, ...rest } = wanted
  const { pid } = contestant.running
  const beforeMs = cpuMs(pid)
  const { requests, perSecond, failures, ...generator } = await load({
    ...{ ...rest, port: contestant.port, seconds, paths: path === undefined ? contestant.rowPaths : [path] },
    ...(rest.method === 'POST' ? { body } : {}),
  })
  if (failures > 0 || requests === 0) {
    const what = failures > 0 ? `failed ${failures} times` : 'answered nothing'
    throw new Error(`${contestant.name} ${what} at ${name}.\n${contestant.running.output()}`)
  }
  return { requests, perSecond, cpuMs: cpuMs(pid) - beforeMs, loadMs: generator.cpuMs }
}

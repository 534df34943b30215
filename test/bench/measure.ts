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

/** Writes the rows to be read; resolves with the paths of some. */
export async function seed(one: Contestant, rows: number): Promise<readonly string[]> {
  const { failures } = await load({
    ...{ port: one.port, connections: 64, seconds: 120, count: rows },
    ...{ method: 'POST', paths: ['/api/feedback'], body },
  })
  if (failures > 0) throw new Error(`${one.name} rejected ${failures} rows.\n${one.running.output()}`)
  const answer = await fetch(`http://127.0.0.1:${one.port}/api/feedback?limit=100`)
  const { items } = (await answer.json()) as { items: { id: string }[] } // All contestants answer in this shape.
  return items.map(({ id }) => `/api/feedback/${id}`)
}

/** Runs one case once; rejects when a request failed. */
export async function measure(
  one: Case,
  contestant: Contestant,
  rowPaths: readonly string[],
  seconds: number,
): Promise<Sample> {
  const { path, ...rest } = one.load
  const beforeMs = cpuMs(contestant.running.pid)
  const result = await load({
    ...rest,
    port: contestant.port,
    seconds,
    paths: path === undefined ? rowPaths : [path],
    ...(one.load.method === 'POST' ? { body } : {}),
  })
  if (result.failures > 0) throw new Error(`${contestant.name} failed ${result.failures} times at ${one.name}.`)
  const usedMs = cpuMs(contestant.running.pid) - beforeMs
  return {
    perSecond: result.perSecond,
    cpuUs: (usedMs * 1_000) / result.requests,
    loadUs: (result.cpuMs * 1_000) / result.requests,
  }
}

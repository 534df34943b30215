import type { LoadOptions } from './load/load.ts'
import type { On } from './options.ts'

/** Requests per second that are wanted, as a ratio to the server written by hand. */
export interface Goal {
  readonly ratio: number
  /** What is wanted after that. */
  readonly next?: number
}

/** One kind of request that is measured. */
export interface Case
  extends Pick<LoadOptions, 'connections' | 'method' | 'body' | 'everyTenth' | 'headers' | 'isKeyed'> {
  readonly name: string
  /** Null: measured and printed, without a verdict. */
  readonly goals: Readonly<Record<On, Goal>> | null
  /** A path, the rows that were written before, in turn, or rows that are written for it, each of them once. */
  readonly at: { readonly path: string } | 'rows' | 'rows of its own'
}

/** Where rows are created and listed. */
export const collectionPath = '/api/feedback'

/** A row of about 400 bytes. */
export const newRow: string = JSON.stringify({
  rating: 4,
  comment: 'A row of an ordinary length. '.repeat(9),
  model: 'bench-1',
  meta: { source: 'bench', tags: ['a', 'b'] },
})

/** A change of two of its fields. */
const change = JSON.stringify({ rating: 2, comment: 'A row whose comment was changed. '.repeat(8) })

/** All of them, in the order in which they run. */
export const cases: readonly Case[] = [
  {
    name: 'get',
    goals: { sqlite: { ratio: 0.95, next: 1.2 }, postgresql: { ratio: 0.95 } },
    ...{ connections: 64, method: 'GET', at: 'rows' },
  },
  {
    name: 'list',
    goals: { sqlite: { ratio: 1, next: 1.3 }, postgresql: { ratio: 0.95 } },
    ...{ connections: 64, method: 'GET', at: { path: `${collectionPath}?limit=20` } },
  },
  {
    name: 'create1',
    goals: { sqlite: { ratio: 0.9 }, postgresql: { ratio: 0.9 } },
    ...{ connections: 1, method: 'POST', at: { path: collectionPath }, body: newRow },
  },
  {
    name: 'create64',
    goals: { sqlite: { ratio: 3.5 }, postgresql: { ratio: 0.95 } },
    ...{ connections: 64, method: 'POST', at: { path: collectionPath }, body: newRow },
  },
  {
    name: 'change64',
    goals: { sqlite: { ratio: 3 }, postgresql: { ratio: 0.95 } },
    ...{ connections: 64, method: 'PATCH', at: 'rows', body: change },
  },
  {
    name: 'mixed',
    goals: null,
    ...{ connections: 64, method: 'GET', at: 'rows', everyTenth: { method: 'PATCH', body: change } },
  },
  { name: 'delete', goals: null, connections: 64, method: 'DELETE', at: 'rows of its own' },
  { name: 'health', goals: null, connections: 1, method: 'GET', at: { path: '/health' } },
]

import { randomInt } from 'node:crypto'
import { v7 } from 'uuid'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import type { OpenFallback } from '../../journal/bench.ts'

/** The collection of the other benchmarks. */
export const feedback: Collection = {
  name: 'feedback',
  fields: {
    rating: { type: 'integer' },
    comment: { type: 'string', maxLength: 2_000 },
    model: { type: 'string', maxLength: 200 },
    meta: { type: 'object' },
  },
}

/** A row as the embedded database keeps it, of about 400 bytes with its keys and times. */
export interface FeedbackRow {
  readonly id: string
  readonly rating: number
  readonly comment: string
  readonly model: string
  readonly meta: string
  readonly createdAt: number
  readonly updatedAt: number
  readonly version: number
  readonly holdfast_attempt: string
}

/** The columns of one. */
export const columns: readonly (keyof FeedbackRow)[] = [
  ...(['id', 'rating', 'comment', 'model', 'meta'] as const),
  ...(['createdAt', 'updatedAt', 'version', 'holdfast_attempt'] as const),
]

/** The statement that inserts one, with a mark for each column. */
export const insertText: string = `insert into feedback (${columns.map((name) => `"${name}"`).join(', ')})
  values (${columns.map(() => '?').join(', ')})`

const updateText =
  'update feedback set comment = ?, "updatedAt" = ?, version = version + 1, holdfast_attempt = ? where id = ?'

/** A new row. */
export function drawRow(): FeedbackRow {
  const now = Date.now()
  return {
    ...{ id: v7(), rating: 4, comment: 'A row of an ordinary length. '.repeat(9), model: 'bench-1' },
    ...{ meta: '{"source":"bench","tags":["a","b"]}', createdAt: now, updatedAt: now, version: 1 },
    holdfast_attempt: v7(),
  }
}

/** What a journal consists of. `mix`: of ten changes six create rows, three change and one deletes any of those before. */
export type Shape = 'inserts' | 'mix'

/** Writes in flight: about a group of the store. */
const together = 256

/** Changes rows of the fallback, each in a transaction of its own, until that many entries are in the journal. */
export async function fill(fallback: OpenFallback, shape: Shape, entries: number): Promise<void> {
  const ids: string[] = []
  let next: Promise<unknown>[] = []
  for (let at = 0; at < entries; at += 1) {
    const kind = shape === 'inserts' || ids.length === 0 ? 0 : at % 10
    next.push(kind < 6 ? insertOne(fallback, ids) : changeOne(fallback, ids, kind === 9))
    if (next.length < together) continue
    await Promise.all(next)
    next = []
  }
  await Promise.all(next)
  const found = fallback.journal.counts().entries
  if (found !== entries) throw new Error(`The journal has ${found} entries, not ${entries}.`)
}

async function insertOne({ statements }: OpenFallback, ids: string[]): Promise<unknown> {
  const row = drawRow()
  ids.push(row.id)
  const values = columns.map((name) => row[name])
  return await statements.write(insertText, values, { attempt: row.holdfast_attempt })
}

async function changeOne({ statements }: OpenFallback, ids: string[], isRemoved: boolean): Promise<unknown> {
  const attempt = v7()
  const at = randomInt(ids.length)
  const id = ids[at] ?? ''
  if (!isRemoved) {
    const values = ['A comment that was changed. '.repeat(9), Date.now(), attempt, id]
    return await statements.write(updateText, values, { attempt })
  }
  // In any order: the last one takes its place.
  const last = ids.pop()
  if (last !== undefined && last !== id) ids[at] = last
  return await statements.write('delete from feedback where id = ?', [id], { attempt })
}

import type { TestContext } from 'node:test'
import type { CopiedTable, Copy, FedRow, Image, RowDigest } from '../../../src/driver/kit/driver-kit.ts'
import { markOf } from '../../../src/driver/kit/driver-kit.ts'
import { type JournalStore, noteTable, openFor } from './journal-store.ts'

/** The table of the journal's tests, as the copy knows it. */
export const noteCopied: CopiedTable = {
  name: 'note',
  key: { name: 'id', kind: 'text' },
  keyOrder: 'bytes',
  columns: noteTable.columns,
}

export const here = { identity: 'one', target: 'postgresql db:5432/app' }

/** A row of `note` as a primary gives it. */
export function fed(id: string, words: string | null, version: string, more: Image = {}): FedRow {
  return { key: id, version, image: { id, words, holdfast_attempt: null, ...more } }
}

export interface CopyStore extends JournalStore {
  readonly copy: Copy
}

/** Opens `x.db` with the table; the copy has begun unless `rests`. */
export async function openCopy(t: TestContext, folder: string, rests = false): Promise<CopyStore> {
  const store = await openFor(t, folder)
  const copy = store.engine.copy()
  if (copy === null) throw new Error('The file has no copy.')
  if (!rests) await copy.begin(here, [noteCopied])
  return { ...store, copy }
}

/** Rows as `id words`. */
export async function notesOf({ run }: JournalStore, condition = '1 = 1'): Promise<readonly string[]> {
  const rows = await run.read(`select id, words from note where ${condition} order by id`, [])
  return rows.map(({ id, words }) => `${id} ${words}`)
}

/** What a primary would say of these rows. */
export function digestOf(rows: readonly Pick<FedRow, 'key' | 'version'>[]): RowDigest {
  const marks = rows.map(({ key, version }) => markOf(key, version))
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)
  return { count: rows.length, high: sum(marks.map(({ high }) => high)), low: sum(marks.map(({ low }) => low)) }
}

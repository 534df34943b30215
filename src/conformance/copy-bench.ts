import type { Copy, CopyChange, CopyOutcome, CopySource } from '../driver/facet/copy.ts'
import type { CopiedTable, FedRow, RowDigest } from '../driver/facet/feed.ts'
import type { Image } from '../driver/facet/image.ts'
import { markOf } from '../driver/kit/primary/row-mark.ts'
import { Imaged, imagedTable, type KeptStore } from './journal-bench.ts'

/** The suite's table, as a copy has it. */
export const copiedTable: CopiedTable = {
  name: imagedTable.name,
  key: { name: 'id', kind: 'text' },
  keyOrder: 'bytes',
  columns: imagedTable.columns,
}

/** Where the suite's rows are from. */
export const copySource: CopySource = { identity: 'one', target: 'a database' }
/** Another database of the same identity. */
export const copyBranch: CopySource = { identity: 'one', target: 'another database' }

/** Registers a test of a store whose copy has begun. */
export type CopyCase = (title: string, run: (store: KeptStore, copy: Copy) => Promise<void>) => void

/** A change that changes nothing. */
export const noChange: CopyChange = { rows: [], removed: [] }
/** What came of it. */
export const noOutcome: CopyOutcome = { written: 0, removed: 0, waiting: 0, refused: [] }

/** A row as a primary gives it. */
export function fedRow(key: string, words: string | null, version: string, more: Image = {}): FedRow {
  const empty = Object.fromEntries(copiedTable.columns.map(({ name }) => [name, null]))
  return { key, version, image: { ...empty, id: key, words, ...more } }
}

/** The same from an image. */
export function fedImage(image: Image): FedRow {
  return { key: image.id ?? '', version: '1', image }
}

/** What a primary says of these rows. */
export function digestOfRows(rows: readonly Pick<FedRow, 'key' | 'version'>[]): RowDigest {
  let [high, low] = [0, 0]
  for (const { key, version } of rows) {
    const mark = markOf(key, version)
    high += mark.high
    low += mark.low
  }
  return { count: rows.length, high, low }
}

/** In the order of their ids. */
export function imagesById(images: readonly (Image | null)[]): readonly (Image | null)[] {
  return images.toSorted((one, other) => ((one?.id ?? '') < (other?.id ?? '') ? -1 : 1))
}

/** The ids of the rows in the table. */
export async function imagedIds({ orm }: KeptStore, condition = '1 = 1'): Promise<readonly string[]> {
  const rows = await orm.em.fork().execute(`select id from ${copiedTable.name} where ${condition} order by id`)
  return rows.map(({ id }) => String(id))
}

/** `id words` of each row in the table. */
export async function imagedWords({ orm }: KeptStore): Promise<readonly string[]> {
  return (await orm.em.fork().findAll(Imaged, { orderBy: { id: 'asc' } })).map(({ id, words }) => `${id} ${words}`)
}

import type { Store } from '../database/store/store.ts'
import type { ImageTable } from '../driver/facet/image.ts'
import type { Entry } from '../driver/facet/journal.ts'
import type { LocalRows } from '../driver/facet/local-rows.ts'
import type { Replay } from '../driver/facet/replay.ts'
import { derivedId, drawId } from '../driver/kit/draw-id.ts'
import { batchTarget } from './batch.ts'
import { tablesByName } from './judge.ts'
import { attemptColumn } from './merge.ts'
import { portionMax } from './read-ahead.ts'
import type { Replayer } from './replayer.ts'

/**
 * Carries every row of a store that was local: as an insert whose attempt is derived from file, table and id, so that it
 * doubles nothing to do it again, or from a copy of the file. A row that the primary has with the same content is done, one with
 * another content is parked. Resolves with the tables of the file that are not among `tables`. Rejects like `Replayer.carry`.
 */
export async function carryLocalRows(
  replayer: Replayer,
  rows: LocalRows,
  to: Store & { readonly replay: Replay },
  tables: readonly ImageTable[],
  signal: AbortSignal,
  progress?: (done: number) => void,
): Promise<readonly string[]> {
  // Without rules: a row of another life has changed nothing here, and wins over nothing.
  const plain = tablesByName(tables.map(({ name, columns }) => ({ name, columns })))
  const target = batchTarget(to, to.replay, plain, rows.fileId, null, { acceptsEqualRows: true })
  await replayer.carryPortions(target, portionsOf(rows, tables), signal, progress)
  const known = new Set(tables.map(({ name }) => name))
  const left = (await rows.tables()).filter((name) => !known.has(name))
  if (left.length === 0) await rows.carried(Date.now())
  return left
}

async function* portionsOf(rows: LocalRows, tables: readonly ImageTable[]): AsyncGenerator<readonly Entry[]> {
  let sequence = 0
  for (const table of tables) {
    for (let after = ''; ; ) {
      const page = await rows.page(table, after, portionMax)
      after = page.at(-1)?.id ?? after
      if (page.length === 0) break
      yield page.map((image): Entry => {
        const key = image.id ?? ''
        const attempt = derivedId(rows.fileId, table.name, key)
        sequence += 1
        const written = { ...image, [attemptColumn]: attempt }
        // Each row is a transaction of its own: one that is parked keeps no other one back.
        return {
          ...{ sequence, transaction: drawId(), attempt, table: table.name, key },
          ...{ operation: 'insert', base: null, old: null, new: written },
        }
      })
    }
  }
}

import type { Native } from '../handle.ts'
import { quote } from '../journal/quote.ts'
import { dropGuarded, isJournaled } from './guard.ts'
import { type CopyRecord, hasTable, waitsFor } from './reader.ts'
import type { StepSize } from './step-size.ts'

/**
 * Removes what was copied of a table that is out of sight, a step at a time. A row on which entries wait stays: it is the
 * journal's. Returns how many marks were there; 0: the table itself has gone from the copy.
 */
export function removeCopied(native: Native, record: CopyRecord, steps: StepSize): number {
  const beganMs = performance.now()
  const { number, name, keyName, isGuarded } = record
  const step = native
    .prepare<unknown[], { count: number; last: unknown }>(
      `select count(*) as count, max(key) as last from (select key from holdfast_copied where table_number = ? order by key limit ?)`,
    )
    .safeIntegers()
    .get(number, steps.size)
  const count = Number(step?.count ?? 0)
  if (step === undefined || count === 0) {
    // A collection may have its name by now.
    if (isGuarded && !isJournaled(native, name)) dropGuarded(native, name)
    native.prepare('delete from holdfast_copy_chunk where table_number = ?').run(number)
    native.prepare('delete from holdfast_copy where number = ?').run(number)
    return 0
  }
  const marks = 'from holdfast_copied where table_number = ? and key <= ?'
  if (hasTable(native, name))
    native
      .prepare(
        `delete from ${quote(name)} where ${quote(keyName)} in (select key ${marks}) and not ${waitsFor(name, keyName)}`,
      )
      .run(number, step.last)
  native.prepare(`delete ${marks}`).run(number, step.last)
  steps.note(count, beganMs)
  return count
}

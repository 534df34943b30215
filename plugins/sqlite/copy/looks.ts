import type { CopyChange } from '../../../src/driver/kit/driver-kit.ts'
import type { Native } from '../handle.ts'
import type { CopyRecord } from './reader.ts'
import { markKeyOf } from './values.ts'

/** The end of the last part: behind every key. */
const end = Buffer.alloc(0)

/** Nothing was looked at yet: one part without a time. */
export function beginLooks(native: Native, number: number): void {
  native.prepare('delete from holdfast_copy_chunk where table_number = ?').run(number)
  native.prepare('insert into holdfast_copy_chunk (table_number, last, at_ms) values (?, ?, 0)').run(number, end)
}

/** A part was looked at: what lay within it goes, what reaches beyond it keeps its time for the rest. */
export function recordLook(native: Native, record: CopyRecord, look: NonNullable<CopyChange['look']>): void {
  const { number, isNumeric } = record
  const last = look.last === null ? end : markKeyOf(isNumeric, look.last)
  if (look.after === null) {
    native.prepare('delete from holdfast_copy_chunk where table_number = ? and last < ?').run(number, last)
  } else {
    const after = markKeyOf(isNumeric, look.after)
    native
      .prepare(
        `insert or ignore into holdfast_copy_chunk (table_number, last, at_ms) select table_number, ?, at_ms
         from holdfast_copy_chunk where table_number = ? and last > ? order by last limit 1`,
      )
      .run(after, number, after)
    native
      .prepare('delete from holdfast_copy_chunk where table_number = ? and last > ? and last < ?')
      .run(number, after, last)
  }
  native
    .prepare('insert or replace into holdfast_copy_chunk (table_number, last, at_ms) values (?, ?, ?)')
    .run(number, last, look.atMs)
}

/** The look, the poll and the place of the sweep of a change that has been applied. */
export function recordProgress(native: Native, record: CopyRecord, { look, polled, next }: CopyChange): void {
  if (look !== undefined) recordLook(native, record, look)
  if (polled !== undefined)
    native.prepare('update holdfast_copy set polled = ? where number = ?').run(polled, record.number)
  if (next !== undefined)
    native
      .prepare('update holdfast_copy set after = ?, is_swept = max(is_swept, ?) where number = ?')
      .run(next.after, next.isWhole ? 1 : 0, record.number)
}

import type { CopiedTable } from '../../../src/driver/kit/driver-kit.ts'
import type { Native } from '../handle.ts'
import { quote } from '../journal/quote.ts'
import type { OwnChanges, RunAlone } from '../own-changes.ts'
import type { Marks } from './marks.ts'
import { hasTable, waitsFor } from './reader.ts'
import type { StepSize } from './step-size.ts'
import { markKeyOf } from './values.ts'

/** What `settle` needs. */
export interface SettlingGround {
  readonly native: Native
  readonly changes: OwnChanges
  readonly unsynced: RunAlone
  readonly steps: StepSize
  /** What marks the rows of a table; the table is registered where it is not. */
  marksOf(table: CopiedTable): Marks
}

const label = 'the marks of the copy'

interface Change {
  readonly sequence: number
  readonly name: string
  readonly key: string
}

/** Marks what the copy is to verify after an outage. What was marked before a crash is marked again. */
export async function settleTables(ground: SettlingGround, tables: readonly CopiedTable[]): Promise<void> {
  await markChanged(ground, tables)
  for (const table of tables) await markUnmarked(ground, table)
}

/** The rows that the journal changed since the last outage ended; what waits here is of the next one. */
async function markChanged(ground: SettlingGround, tables: readonly CopiedTable[]): Promise<void> {
  const { native, changes, unsynced, steps, marksOf } = ground
  const byName = new Map(tables.map((table) => [table.name, table]))
  const settled = native.prepare<unknown[], number>('select settled from holdfast_life').pluck()
  const after = native.prepare<unknown[], Change>(
    `select sequence, table_name as name, row_id as key from holdfast_journal where sequence > ?
     and (carried_at is not null or address <> (select address from holdfast_life)) order by sequence limit ?`,
  )
  await changes.walk<number>(
    label,
    (last) => {
      const beganMs = performance.now()
      const found = after.all(last ?? settled.get() ?? 0, steps.size)
      for (const [name, entries] of Map.groupBy(found, (entry) => entry.name)) {
        const table = byName.get(name)
        if (table !== undefined) markAll(marksOf(table), [...new Set(entries.map(({ key }) => key))])
      }
      steps.note(found.length, beganMs)
      return found.at(-1)?.sequence ?? null
    },
    unsynced,
  )
}

/** Rows that were carried when the copy knew nothing of it. */
async function markUnmarked(ground: SettlingGround, table: CopiedTable): Promise<void> {
  const { native, changes, unsynced, steps, marksOf } = ground
  const { name, key } = table
  const column = `${quote(name)}.${quote(key.name)}`
  if (!hasTable(native, name)) return
  const { number, isNumeric } = marksOf(table)
  const pageOf = (condition: string) =>
    native
      .prepare<unknown[], [string, number]>(
        `select cast(${column} as text), exists (select 1 from holdfast_copied where table_number = ${number} and key = ${column})
           or ${waitsFor(name, key.name)}
         from ${quote(name)} ${condition} order by ${column} limit ?`,
      )
      .raw()
  const [first, next] = [pageOf(''), pageOf(`where ${column} > ?`)]
  await changes.walk<string | bigint>(
    label,
    (last) => {
      const beganMs = performance.now()
      const found = last === null ? first.all(steps.size) : next.all(last, steps.size)
      markAll(
        marksOf(table),
        found.flatMap(([id, isKnown]) => (isKnown === 1 ? [] : [id])),
      )
      steps.note(found.length, beganMs)
      const end = found.at(-1)
      return end === undefined ? null : markKeyOf(isNumeric, end[0])
    },
    unsynced,
  )
}

function markAll(marks: Marks, keys: readonly string[]): void {
  marks.forget()
  marks.read(keys)
  marks.write(keys.map((key) => ({ key, version: '', bytes: null })))
  marks.settleSums()
}

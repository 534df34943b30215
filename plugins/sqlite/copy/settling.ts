import type { CopiedTable } from '../../../src/driver/kit/driver-kit.ts'
import type { Native } from '../handle.ts'
import { quote } from '../journal/quote.ts'
import type { OwnChanges, RunAlone } from '../own-changes.ts'
import type { Marks } from './marks.ts'
import { waitsFor } from './reader.ts'
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
async function markChanged(
  { native, changes, unsynced, steps, marksOf }: SettlingGround,
  tables: readonly CopiedTable[],
): Promise<void> {
  const byName = new Map(tables.map((table) => [table.name, table]))
  let after = native.prepare<unknown[], number>('select settled from holdfast_life').pluck().get() ?? 0
  await changes.inSteps(
    label,
    () => {
      const beganMs = performance.now()
      const found = native
        .prepare<unknown[], Change>(
          `select sequence, table_name as name, row_id as key from holdfast_journal where sequence > ?
           and (carried_at is not null or address <> (select address from holdfast_life)) order by sequence limit ?`,
        )
        .all(after, steps.size)
      for (const [name, entries] of Map.groupBy(found, (entry) => entry.name)) {
        const table = byName.get(name)
        if (table !== undefined) markAll(marksOf(table), [...new Set(entries.map(({ key }) => key))])
      }
      steps.note(found.length, beganMs)
      after = found.at(-1)?.sequence ?? after
      return found.length
    },
    unsynced,
  )
}

/** Rows that were carried when the copy knew nothing of it. */
async function markUnmarked(ground: SettlingGround, table: CopiedTable): Promise<void> {
  const { native, changes, unsynced, steps, marksOf } = ground
  const { name, key } = table
  const column = `${quote(name)}.${quote(key.name)}`
  let after: string | bigint | null = null
  await changes.inSteps(
    label,
    () => {
      if (native.prepare("select 1 from sqlite_master where type = 'table' and name = ?").get(name) === undefined)
        return 0
      const beganMs = performance.now()
      const marks = marksOf(table)
      const found: readonly [string, number][] = native
        .prepare<unknown[], [string, number]>(
          `select cast(${column} as text), exists (select 1 from holdfast_copied where table_number = ? and key = ${column})
             or ${waitsFor(name, key.name)}
           from ${quote(name)} ${after === null ? '' : `where ${column} > ?`} order by ${column} limit ?`,
        )
        .raw()
        .all(...[marks.number, ...(after === null ? [] : [after]), steps.size])
      markAll(
        marks,
        found.flatMap(([id, isKnown]) => (isKnown === 1 ? [] : [id])),
      )
      steps.note(found.length, beganMs)
      const last = found.at(-1)
      if (last !== undefined) after = markKeyOf(marks.isNumeric, last[0])
      return found.length
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

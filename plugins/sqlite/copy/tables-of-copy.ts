import { type CopiedTable, type CopySource, faultError } from '../../../src/driver/kit/driver-kit.ts'
import type { Native } from '../handle.ts'
import { createGuarded, isJournaled } from './guard.ts'
import { keptStatement } from './kept-statements.ts'
import { beginLooks } from './looks.ts'
import { Marks } from './marks.ts'
import type { TableWriter } from './pass.ts'
import { CopyReader, type CopyRecord, hasTable } from './reader.ts'
import { RowWriter } from './row-writer.ts'
import { isNumeric } from './values.ts'

/** @throws FaultError for a table that cannot be copied into a file. */
export function assertCopyable(table: CopiedTable): void {
  if (!isNumeric(table) || table.key.kind === 'integer') return
  const summary = `The keys of table "${table.name}" are numbers, but not whole ones.`
  throw faultError('statement', 'COPY_KEY_REFUSED', summary, 'Leave the table out of the copy.')
}

/** From now on these tables are copied from this source; everything else is out of sight. */
export function declare(native: Native, { identity, target }: CopySource, tables: readonly CopiedTable[]): void {
  const reader = new CopyReader(native)
  const before = reader.source()
  const isSame = before !== null && before.identity === identity && before.target === target
  const shapes = new Map(tables.map((table) => [table.name, shapeOf(table)]))
  const leave = native.prepare('update holdfast_copy set is_leaving = 1 where number = ?')
  // A version says nothing of a column that was not copied before.
  for (const { number, name, shape } of reader.records()) if (!isSame || shapes.get(name) !== shape) leave.run(number)
  native
    .prepare('insert or replace into holdfast_copy_source (singleton, identity, target, position) values (1, ?, ?, ?)')
    .run(identity, target, isSame ? reader.position() : null)
}

/** Everything that was copied is out of sight. */
export function hide(native: Native): void {
  native.exec('delete from holdfast_copy_source; update holdfast_copy set is_leaving = 1')
}

/** Begins the copies of those tables that the file knows nothing of; creates the tables that are not there. */
export function enter(native: Native, tables: readonly CopiedTable[]): void {
  const known = new Set(new CopyReader(native).records().map(({ name }) => name))
  for (const table of tables) {
    if (known.has(table.name)) continue
    const isGuarded = !isJournaled(native, table.name)
    // Somebody else's: what was copied into it could be changed unseen.
    if (isGuarded && hasTable(native, table.name)) continue
    if (isGuarded) createGuarded(native, table)
    const { lastInsertRowid } = insertRecord(native, table, isGuarded, false)
    beginLooks(native, Number(lastInsertRowid))
  }
}

/** Tables that the file knows nothing of can have marks from now on; what is marked goes when the copy of the table begins. */
export function register(native: Native, tables: readonly CopiedTable[]): void {
  const known = new Set(new CopyReader(native).records().map(({ name }) => name))
  for (const table of tables) if (!known.has(table.name)) insertRecord(native, table, false, true)
}

/** The table as it was declared when its copy began. */
export function tableIn({ shape }: CopyRecord): CopiedTable {
  return JSON.parse(shape) as CopiedTable // Made by `shapeOf`.
}

function insertRecord(native: Native, table: CopiedTable, isGuarded: boolean, isLeaving: boolean) {
  return native
    .prepare(
      `insert into holdfast_copy (name, shape, key_name, is_numeric, is_guarded, is_leaving) values (?, ?, ?, ?, ?, ?)`,
    )
    .run(table.name, shapeOf(table), table.key.name, Number(isNumeric(table)), Number(isGuarded), Number(isLeaving))
}

function shapeOf({ name, key, keyOrder, columns }: CopiedTable): string {
  const columnsOf = columns.map(({ name: column, kind, scale }) => ({ name: column, kind, scale }))
  return JSON.stringify({ name, key: { name: key.name, kind: key.kind }, keyOrder, columns: columnsOf })
}

/** What writes each table, kept until its columns change. */
export class TableWriters {
  readonly #native: Native
  readonly #kept: Map<string, { readonly state: string; readonly writer: TableWriter }> = new Map()

  constructor(native: Native) {
    this.#native = native
  }

  of(record: CopyRecord, table: CopiedTable): TableWriter {
    const schema = keptStatement<number>(this.#native, 'pragma schema_version').pluck().get()
    const state = `${schema} ${record.number} ${shapeOf(table)}`
    const kept = this.#kept.get(table.name)
    if (kept?.state === state) return kept.writer
    const writer = { rows: new RowWriter(this.#native, table), marks: new Marks(this.#native, record) }
    this.#kept.set(table.name, { state, writer })
    return writer
  }
}

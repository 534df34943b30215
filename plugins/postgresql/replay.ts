import {
  claimError,
  columnUnknownCode,
  dateOf,
  type Image,
  type ImageTable,
  type Refusal,
  type Replay,
  type RowBatch,
  type RowRemoval,
  type RowUpdate,
  rowBatchesOf,
  sumOf,
} from '../../src/driver/kit/driver-kit.ts'
import { arrayText } from './attempts.ts'
import type { SafePool } from './client/pool.ts'
import { columnText, exactNumbers } from './column-text.ts'
import { faults } from './faults.ts'
import { quoted } from './own-tables.ts'

/** The size of one statement: memory is needed for it here and at the server. */
const limits = { rows: 2_000, bytes: 8 * 1_024 * 1_024 }

/** Runs a statement of the open transaction; its rows have texts alone. */
type Run = (
  text: string,
  values: readonly string[],
) => Promise<{ readonly rows: readonly Image[]; readonly changed: number }>

/**
 * Replay by few fixed texts: rows are one JSON parameter, whose values the server reads by the input functions of the
 * columns' own types.
 */
export function replayOf(pool: SafePool): Replay {
  const run: Run = async (text, values) => {
    const client = pool.transactions.current
    if (client === null) throw new TypeError('Replay runs inside a transaction.')
    pool.limits.echo?.(text)
    // Not prepared: the plan of a small table would be kept while it grows.
    const { rows, rowCount } = await client.run(text, values)
    return { rows: rows as Image[], changed: rowCount ?? 0 } // Each column is cast to text.
  }
  return {
    // The server's own may be a higher one, at which each other client is a reason to roll back.
    isolation: 'read committed',
    claim: (attempts) => claim(run, attempts),
    lock: (table, ids) => lock(run, table, ids),
    insert: (table, rows) => sumOf(rowBatchesOf(table, rows.map(asNew), limits), (batch) => insert(run, table, batch)),
    update: (table, rows) => sumOf(rowBatchesOf(table, rows, limits), (batch) => update(run, table, batch)),
    remove: (table, rows) => remove(run, table, rows),
    refusalOf,
  }
}

/** In their order, so that two replayers wait for each other in one direction. */
const claimText = `insert into holdfast_attempt (id) select given.id from unnest($1::uuid[]) as given(id)
  where not exists (select from holdfast_request where holdfast_request.id = given.id)
  order by given.id on conflict do nothing returning id::text`

async function claim(run: Run, attempts: readonly string[]): Promise<ReadonlySet<string>> {
  if (attempts.length === 0) return new Set()
  try {
    const { rows } = await run(claimText, [arrayText(attempts)])
    const made = new Set(rows.map(({ id }) => id))
    return new Set(attempts.filter((attempt) => made.has(attempt.toLowerCase())))
  } catch (error) {
    const refusal = refusalOf(error)
    throw refusal === 'table-missing' || refusal === 'column-missing' ? claimError(error) : error
  }
}

async function lock(run: Run, table: ImageTable, ids: readonly string[]): Promise<ReadonlyMap<string, Image>> {
  if (ids.length === 0) return new Map()
  if (table.columns.some(({ kind }) => kind === 'number')) await run(`select ${exactNumbers}`, [])
  const columns = table.columns.map((column) => `${columnText(column)} as ${quoted(column.name)}`)
  const { rows } = await run(
    `select ${columns.join(', ')} from ${quoted(table.name)} where id = any($1) order by id for update`,
    [arrayText(ids)],
  )
  return new Map(rows.map((row) => [String(row.id), row]))
}

/** A row to be inserted. */
type NewRow = Pick<RowUpdate, 'image'>

const asNew = (image: Image): NewRow => ({ image })

async function insert(run: Run, { name }: ImageTable, { columns, rows }: RowBatch<NewRow>): Promise<number> {
  const documents = columns.filter(({ kind }) => kind === 'json')
  const text = `insert into ${quoted(name)} (${columns.map((one) => quoted(one.name)).join(', ')})
    select ${sourcesOf(columns).join(', ')} from ${listOf(
      name,
      documents.map((_, at) => documentName(at)),
    )}`
  return (await run(text, [listText(columns, rows), ...documents.map((one) => documentsText(one, rows))])).changed
}

async function update(run: Run, { name }: ImageTable, { columns, rows }: RowBatch<RowUpdate>): Promise<number> {
  const documents = columns.filter(({ kind }) => kind === 'json')
  const sources = sourcesOf(columns)
  const text = `update ${quoted(name)} as present
    set ${columns.map((one, at) => `${quoted(one.name)} = ${sources[at]}`).join(', ')}
    from ${listOf(name, [baseName, ...documents.map((_, at) => documentName(at))])} where ${guard}`
  const bases = JSON.stringify(rows.map(({ base }) => base))
  return (await run(text, [listText(columns, rows), bases, ...documents.map((one) => documentsText(one, rows))]))
    .changed
}

async function remove(run: Run, { name }: ImageTable, rows: readonly RowRemoval[]): Promise<number> {
  if (rows.length === 0) return 0
  const text = `delete from ${quoted(name)} as present using ${listOf(name, [baseName])} where ${guard}`
  return (
    await run(text, [JSON.stringify(rows.map(({ id }) => ({ id }))), JSON.stringify(rows.map(({ base }) => base))])
  ).changed
}

type BatchColumn = RowBatch<unknown>['columns'][number]

/** Names that no column has. */
const baseName = '"holdfast base"'
const documentName = (at: number): string => quoted(`holdfast document ${at}`)

const guard = `present.id = given.id and present.holdfast_attempt::text is not distinct from given.${baseName}`

/**
 * The rows of the first parameter, a list of objects, as rows of the table, and next to each its texts of further lists. NULL
 * as a row of the table comes from the table itself: the name of its row type may be another type's, as "date".
 */
function listOf(name: string, sides: readonly string[]): string {
  const shape = `(select "holdfast row" from ${quoted(name)} as "holdfast row" where false)`
  const lists = sides.map((_, at) => `json_array_elements_text($${at + 2}::json)`)
  const names = sides.length === 0 ? '' : ` (${sides.join(', ')})`
  return `rows from (${[...lists, `json_populate_recordset(${shape}, $1::json)`].join(', ')}) as given${names}`
}

/** JSON comes as a text of its own, so that it stays as it is, a JSON null among it. */
function sourcesOf(columns: readonly BatchColumn[]): readonly string[] {
  let documents = 0
  return columns.map(({ name, kind }) =>
    kind === 'json' ? `given.${documentName(documents++)}::json` : `given.${quoted(name)}`,
  )
}

function listText(columns: readonly BatchColumn[], rows: readonly NewRow[]): string {
  const plain = columns.filter(({ kind }) => kind !== 'json')
  const list = rows.map(({ image }) => {
    const row: Record<string, string | null> = {}
    for (const { name, kind } of plain) {
      const value = image[name] ?? null
      row[name] = kind === 'instant' && value !== null ? instantText(value) : value
    }
    return row
  })
  return JSON.stringify(list)
}

function documentsText({ name }: BatchColumn, rows: readonly NewRow[]): string {
  return JSON.stringify(rows.map(({ image }) => image[name] ?? null))
}

/** As PostgreSQL writes years outside of 1 to 9999. */
function instantText(milliseconds: string): string {
  const date = dateOf(milliseconds)
  if (date === null) return milliseconds
  const text = date.toISOString()
  const year = date.getUTCFullYear()
  if (year > 0 && year <= 9_999) return text
  const rest = text.replace(/^[+-]?\d+/, '')
  return year > 0 ? `${String(year).padStart(4, '0')}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`
}

/** Classes of SQLSTATE that say nothing about the rows: the connection, the transaction, the server, our own text. */
const passing: ReadonlySet<string> = new Set([
  '08',
  '0A',
  '25',
  '26',
  '28',
  '2D',
  '3D',
  '40',
  '42',
  '53',
  '55',
  '57',
  '58',
  'F0',
  'XX',
])

/** Of class 42: columns of another type than those of the journal, or that cannot be written. */
const misfits: ReadonlySet<string> = new Set(['42804', '42846', '42883', '42809', '428C9'])

function refusalOf(error: unknown): Refusal | null {
  const { kind, code, rule } = faults.classify(error, 'statement')
  if (code === columnUnknownCode) return 'column-missing'
  if ((kind !== 'constraint' && kind !== 'statement') || !/^[0-9A-Z]{5}$/.test(code)) return null
  if (code === '42P01') return 'table-missing'
  if (code === '42703') return 'column-missing'
  if (rule === 'unique') return 'unique'
  return passing.has(code.slice(0, 2)) && !misfits.has(code) ? null : 'refused'
}

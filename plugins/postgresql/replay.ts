import {
  claimError,
  columnUnknownCode,
  dateOf,
  type Image,
  type ImageKind,
  type ImageTable,
  type Refusal,
  type Replay,
  type RowBatch,
  type RowUpdate,
  rowBatchesOf,
  sumOf,
} from '../../src/driver/kit/driver-kit.ts'
import { arrayText } from './attempts.ts'
import type { SafePool } from './client/pool.ts'
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
    claim: (attempts) => claim(run, attempts),
    lock: (table, ids) => lock(run, table, ids),
    insert: (table, rows) => sumOf(rowBatchesOf(table, rows.map(asNew), limits), (batch) => insert(run, table, batch)),
    update: (table, rows) => sumOf(rowBatchesOf(table, rows, limits), (batch) => update(run, table, batch)),
    async remove({ name }, rows) {
      if (rows.length === 0) return 0
      const list = rows.map(({ id, base }) => ({ id, holdfast_attempt: base }))
      return (await run(removeText(name), [JSON.stringify(list)])).changed
    },
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
  // Servers before 12, and some roles, would round.
  if (table.columns.some(({ kind }) => kind === 'number')) {
    await run("select set_config('extra_float_digits', '3', true)", [])
  }
  const columns = table.columns.map(({ name, kind }) => `${texts[kind](quoted(name))} as ${quoted(name)}`)
  const { rows } = await run(
    `select ${columns.join(', ')} from ${quoted(table.name)} where id = any($1) order by id for update`,
    [arrayText(ids)],
  )
  return new Map(rows.map((row) => [String(row.id), row]))
}

/** A column as the text of an image. */
const texts: Readonly<Record<ImageKind, (column: string) => string>> = {
  text: (column) => `${column}::text`,
  integer: (column) => `${column}::text`,
  number: (column) => `${column}::text`,
  json: (column) => `${column}::text`,
  boolean: (column) => `${column}::int::text`,
  // Truncated first: before version 14 the seconds are a double.
  instant: (column) => `case when isfinite(${column})
    then round(extract(epoch from date_trunc('milliseconds', ${column})) * 1000)::bigint::text
    else ${column}::text end`,
}

/** A row to be inserted. */
type NewRow = Pick<RowUpdate, 'image'>

const asNew = (image: Image): NewRow => ({ image })

async function insert(run: Run, { name }: ImageTable, { columns, rows }: RowBatch<NewRow>): Promise<number> {
  const text = `insert into ${quoted(name)} (${columns.map((one) => quoted(one.name)).join(', ')})
    select ${sourcesOf(columns).join(', ')} from ${listOf(name)}`
  return (await run(text, [JSON.stringify(rows.map(({ image }) => elementOf(columns, image)))])).changed
}

async function update(run: Run, { name }: ImageTable, { columns, rows }: RowBatch<RowUpdate>): Promise<number> {
  const sources = sourcesOf(columns)
  const sets = columns.map((one, at) => `${quoted(one.name)} = ${sources[at]}`)
  const text = `update ${quoted(name)} as present set ${sets.join(', ')} from ${listOf(name)}
    cross join lateral json_populate_record(${shapeOf(name)}, element.item -> 2) as base
    where present.id = given.id and present.holdfast_attempt is not distinct from base.holdfast_attempt`
  const list = rows.map(({ image, base }) => [...elementOf(columns, image), { holdfast_attempt: base }])
  return (await run(text, [JSON.stringify(list)])).changed
}

function removeText(name: string): string {
  return `delete from ${quoted(name)} as present using json_array_elements($1::json) as element(item)
    cross join lateral json_populate_record(${shapeOf(name)}, element.item) as base
    where present.id = base.id and present.holdfast_attempt is not distinct from base.holdfast_attempt`
}

/** The rows of the parameter, as rows of the table. */
function listOf(name: string): string {
  return `json_array_elements($1::json) as element(item)
    cross join lateral json_populate_record(${shapeOf(name)}, element.item -> 0) as given`
}

/** NULL as a row of the table. By the table itself: the name of its row type may be another type's, as "date". */
function shapeOf(name: string): string {
  return `(select "holdfast row" from ${quoted(name)} as "holdfast row" where false)`
}

/** JSON comes as a text of its own, so that it stays as it is, a JSON null among it. */
function sourcesOf(columns: RowBatch<unknown>['columns']): readonly string[] {
  let documents = 0
  return columns.map(({ name, kind }) =>
    kind === 'json' ? `(element.item -> 1 ->> ${documents++})::json` : `given.${quoted(name)}`,
  )
}

/** A row of the list: its values by column, then its JSON documents in the order of the columns. */
function elementOf(columns: RowBatch<unknown>['columns'], image: Image): readonly [object, readonly (string | null)[]] {
  const values: Record<string, string | null> = {}
  const documents: (string | null)[] = []
  for (const { name, kind } of columns) {
    const value = image[name] ?? null
    if (kind === 'json') documents.push(value)
    else values[name] = kind === 'instant' && value !== null ? instantText(value) : value
  }
  return [values, documents]
}

/** As PostgreSQL writes years outside of 1 to 9999. */
function instantText(milliseconds: string): string {
  const date = dateOf(milliseconds)
  if (date === null) return milliseconds
  const year = date.getUTCFullYear()
  const rest = date.toISOString().replace(/^[+-]?\d+/, '')
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

import {
  claimError,
  columnUnknownCode,
  faultError,
  type Image,
  type ImageTable,
  partsOf,
  type Refusal,
  type Replay,
  type RowBatch,
  type RowRemoval,
  type RowUpdate,
  rowBatchesOf,
  sumOf,
} from '../../src/driver/kit/driver-kit.ts'
import type { Answer } from './client/answer.ts'
import type { SafePool } from './client/pool.ts'
import { columnText, instantText } from './column-text.ts'
import { faults, numberOf } from './faults.ts'
import { quoted } from './own-tables.ts'

/** Above about 1,000 a server makes a join of a list, which may read, and lock, the whole table. */
const listMax = 500

/** The most rows of one statement, each a SELECT of its own in an update. */
const rowsMax = 250

/** The size of one statement where the server's limit is unknown. */
const defaultBytes = 1_024 * 1_024

/** Room for the text around the values. */
const spareBytes = 64 * 1_024

/** Runs a statement of the open transaction. */
type Run = (text: string, values: readonly (string | null)[], isPrepared?: boolean) => Promise<Answer>

/** Replay by statements of many rows; `version` is the server's. */
export function replayOf(pool: SafePool, version: string): Replay {
  const run: Run = (text, values, isPrepared = false) => {
    const client = pool.transactions.current
    if (client === null) return Promise.reject(new TypeError('Replay runs inside a transaction.'))
    pool.limits.echo?.(text)
    return client.run(text, values, { isPrepared, phase: 'statement' })
  }
  const size = () => {
    const bytes = Math.min(pool.config.server.packetBytes ?? defaultBytes, 8 * defaultBytes)
    return { rows: rowsMax, bytes: Math.max(0, bytes - spareBytes) }
  }
  const hasReturning = returnsInserted(version)
  return {
    ...(pool.config.server.logsStatements ? {} : { isolation: 'read committed' }),
    claim: (attempts) => claim(run, attempts, hasReturning),
    lock: (table, ids) => lock(run, table, ids),
    insert: (table, rows) => sumOf(rowBatchesOf(table, rows.map(asNew), size()), (batch) => insert(run, table, batch)),
    update: (table, rows) => sumOf(rowBatchesOf(table, rows, size()), (batch) => update(run, table, batch)),
    remove: (table, rows) => sumOf(partsOf(rows, listMax), (part) => remove(run, table, part)),
    refusalOf,
  }
}

/** MariaDB has INSERT ... RETURNING since 10.5, MySQL has none. */
function returnsInserted(version: string): boolean {
  const [major = 0, minor = 0] = version
    .replace(/^5\.5\.5-/, '')
    .split('.')
    .map(Number.parseFloat)
  return version === '' || (/mariadb/i.test(version) && (major > 10 || (major === 10 && minor >= 5)))
}

/** In their order, so that two replayers wait for each other in one direction. */
async function claim(run: Run, attempts: readonly string[], hasReturning: boolean): Promise<ReadonlySet<string>> {
  const made = new Set<string>()
  try {
    for (const part of partsOf([...attempts].sort(), listMax)) {
      // The newest version: the transaction's own view may be older than the claims.
      const answered = await known(run, 'holdfast_request', part, 'lock in share mode')
      const open = part.filter((attempt) => !answered.has(attempt))
      for (const attempt of await (hasReturning ? claimReturning(run, open) : claimUnseen(run, open))) made.add(attempt)
    }
  } catch (error) {
    const refusal = refusalOf(error)
    throw refusal === 'table-missing' || refusal === 'column-missing' ? claimError(error) : error
  }
  return made
}

async function claimReturning(run: Run, attempts: readonly string[]): Promise<readonly string[]> {
  if (attempts.length === 0) return []
  const { rows } = await run(`${claimText(attempts)} returning id`, attempts)
  return rows.map(({ id }) => String(id))
}

/** The claims that exist are locked first; those that came in between undo the transaction. */
async function claimUnseen(run: Run, attempts: readonly string[]): Promise<readonly string[]> {
  const before = await known(run, 'holdfast_attempt', attempts, 'for update')
  const unseen = attempts.filter((attempt) => !before.has(attempt))
  if (unseen.length === 0) return []
  const { changed } = await run(claimText(unseen), unseen)
  if (changed === unseen.length) return unseen
  const summary = 'Another process made a claim of the same batch in the same moment.'
  throw faultError('transient', 'CLAIM_RACE', summary, 'Try again.')
}

function claimText(attempts: readonly string[]): string {
  return `insert ignore into holdfast_attempt (id) values ${attempts.map(() => '(?)').join(', ')}`
}

async function known(run: Run, table: string, ids: readonly string[], mode: string): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const { rows } = await run(`select id from ${table} where id in (${marks(ids)}) order by id ${mode}`, ids)
  return new Set(rows.map(({ id }) => String(id)))
}

async function lock(run: Run, table: ImageTable, ids: readonly string[]): Promise<ReadonlyMap<string, Image>> {
  const found = new Map<string, Image>()
  const columns = table.columns.map((column) => `${columnText(column)} as ${quoted(column.name)}`)
  for (const part of partsOf([...ids].sort(), listMax)) {
    const { rows } = await run(
      `select ${columns.join(', ')} from ${quoted(table.name)} where id in (${marks(part)}) order by id for update`,
      part,
    )
    for (const row of rows) found.set(String(row.id), { ...row } as Image) // Each column is cast to text.
  }
  return found
}

/** A row to be inserted. */
type NewRow = Pick<RowUpdate, 'image'>

const asNew = (image: Image): NewRow => ({ image })

async function insert(run: Run, { name }: ImageTable, { columns, rows }: RowBatch<NewRow>): Promise<number> {
  const row = `(${marks(columns)})`
  const text = `insert into ${quoted(name)} (${columns.map((one) => quoted(one.name)).join(', ')})
    values ${rows.map(() => row).join(', ')}`
  const values = rows.flatMap(({ image }) => valuesOf(columns, image))
  // Alone it may be a large one, which escaped might be larger than the server accepts.
  return (await run(text, values, rows.length === 1)).changed
}

/** The rows are a union that begins with the table's own columns, of which it has types and collations. */
async function update(run: Run, { name }: ImageTable, { columns, rows }: RowBatch<RowUpdate>): Promise<number> {
  const names = columns.map((one) => quoted(one.name))
  const row = `select ${marks(columns)}, ?`
  const text = `update (select ${names.join(', ')}, holdfast_attempt as \`holdfast base\` from ${quoted(name)} where false
    union all ${rows.map(() => row).join(' union all ')}) as given
    straight_join ${quoted(name)} as present on present.id = given.id and present.holdfast_attempt <=> given.\`holdfast base\`
    set ${names.map((one) => `present.${one} = given.${one}`).join(', ')}`
  const values = rows.flatMap(({ image, base }) => [...valuesOf(columns, image), base])
  return (await run(text, values, rows.length === 1)).changed
}

async function remove(run: Run, { name }: ImageTable, rows: readonly RowRemoval[]): Promise<number> {
  const conditions = rows.map(() => '(id = ? and holdfast_attempt <=> ?)')
  const values = rows.flatMap(({ id, base }) => [id, base])
  return (await run(`delete from ${quoted(name)} where ${conditions.join(' or ')}`, values)).changed
}

function marks(list: readonly unknown[]): string {
  return list.map(() => '?').join(', ')
}

function valuesOf(columns: RowBatch<unknown>['columns'], image: Image): readonly (string | null)[] {
  return columns.map(({ name, kind }) => {
    const value = image[name] ?? null
    return kind === 'instant' && value !== null ? instantText(value) : value
  })
}

/** Of an image that is too large for a packet, or a row too large for a page; a column that the server computes. */
const misfits: ReadonlySet<string> = new Set(['1118', '1153', '1162', '1301', '1906', '3105', 'PACKET_TOO_LARGE'])

function refusalOf(error: unknown): Refusal | null {
  const { kind, code, rule } = faults.classify(error, 'statement')
  if (code === columnUnknownCode) return 'column-missing'
  if (code === '1146') return 'table-missing'
  if (code === '1054') return 'column-missing'
  if (rule === 'unique') return 'unique'
  if (misfits.has(code)) return 'refused'
  if (kind === 'constraint') return rule === undefined ? null : 'refused'
  return kind === 'statement' && /^(?:22|23|44|45)/.test(stateOf(error)) ? 'refused' : null
}

/** The SQLSTATE of the server's own error. */
function stateOf(error: unknown): string {
  for (let link = error; link instanceof Error; link = link.cause) {
    if (numberOf(link) !== null && 'sqlState' in link) return String(link.sqlState)
  }
  return ''
}

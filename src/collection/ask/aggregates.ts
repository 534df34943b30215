import { incompleteError } from '../../database/work/failure.ts'
import type { Outcome, Session } from '../../database/work/session.ts'
import { decimalOf } from '../../driver/facet/image.ts'
import type { Row } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import { allOf } from '../filter/conjunction.ts'
import type { FieldPath } from '../filter/filter.ts'
import { fieldPath } from '../filter/paths.ts'
import { type AggregateQuery, aggregateLimits, type GroupKey, type Measure } from '../query/aggregate-query.ts'
import { planScan, type ReadPlan } from '../query/read-plan.ts'
import { type RowRequest, readingWork, type TableAccess } from '../row/table-access.ts'
import { doubleScale, partSize } from '../table/aggregate-queries.ts'
import { type AskedTable, askedTableOf } from './asked-table.ts'

/**
 * Counts, sums and extremes of one collection. Rejects with the errors of `RunWork`, with AGGREGATE_TOO_LARGE and SUM_INEXACT, and with
 * INCOMPLETE where not all rows are here.
 */
export class Aggregates {
  readonly #access: TableAccess

  constructor(access: TableAccess) {
    this.#access = access
  }

  /** The groups and their measures as the JSON of the answer. */
  compute(query: AggregateQuery, { granted, age }: RowRequest = {}): Promise<Outcome<string>> {
    const { collection } = this.#access
    const plan = planScan(collection, query.filter, granted?.rule ?? null)
    return this.#access.deps.run(async (session) => {
      const table = this.#access.table(session, 'aggregate')
      const view = this.#access.copies.view(session, table, age)
      if (this.#access.isPartial(session, view)) throw incompleteError()
      const asked = askedTableOf(this.#access, session, table, view)
      await checkRows(session, asked, asked.fitted(plan, []))
      const filter = asked.shape(allOf([...plan.served, ...plan.examined]))
      const rows = await asked.readAggregate(session, query, filter)
      const items = rows.slice(0, query.limit).map((row) => this.#itemText(asked, query, row))
      return `{"items":[${items.join()}],"isMore":${rows.length > query.limit}}`
    }, readingWork)
  }

  #itemText(asked: AskedTable, { groups, measures }: AggregateQuery, row: Row): string {
    const members = [
      ...groups.map((group, at) => `${JSON.stringify(group.name)}:${groupText(asked, group, row[`g${at}`])}`),
      ...measures.map((measure, at) => `${JSON.stringify(measure.name)}:${this.#measureText(asked, measure, row, at)}`),
    ]
    return `{${members.join()}}`
  }

  #measureText(asked: AskedTable, { field, computes }: Measure, row: Row, at: number): string {
    const value = row[`m${at}`]
    if (field === null || computes === 'count' || computes === 'distinct') return String(Number(value))
    if (computes === 'min' || computes === 'max') return asked.textOf(field, value)
    const count = Number(row[`n${at}`])
    if (count === 0) return 'null'
    const path = fieldPath(this.#access.collection, field)
    if (path.kind === 'number')
      return doubleText(field, Number(value) * (computes === 'avg' ? doubleScale / count : doubleScale))
    const sum = row[`h${at}`] === undefined ? scaledSum(String(value), path) : partedSum(row, at)
    return computes === 'avg' ? averageText(sum, count, path) : exactText(field, sum, path)
  }
}

/** Of a part of the rows a sum would be wrong, and a statement on SQLite cannot be stopped. */
async function checkRows(session: Session, asked: AskedTable, plan: ReadPlan): Promise<void> {
  const count = await asked.countUpTo(session, asked.shape(allOf(plan.served)), aggregateLimits.rows + 1)
  if (count <= aggregateLimits.rows) return
  const most = aggregateLimits.rows.toLocaleString('en')
  const detail = `It would read more than ${most} rows: conditions that an index serves make them fewer.`
  throw new HoldfastError('AGGREGATE_TOO_LARGE', { detail })
}

function groupText(asked: AskedTable, { field, period }: GroupKey, value: unknown): string {
  if (period === null) return asked.textOf(field, value)
  return value === null ? 'null' : JSON.stringify(String(value))
}

/** The sum of integers, or of decimals in units of their last digit. */
function scaledSum(text: string, { scale = 0 }: FieldPath): bigint {
  const [whole = '0', fraction = ''] = text.split('.')
  return BigInt(whole + fraction.padEnd(scale, '0').slice(0, scale))
}

function partedSum(row: Row, at: number): bigint {
  return BigInt(String(row[`h${at}`])) * BigInt(partSize) + BigInt(String(row[`l${at}`]))
}

function exactText(field: string, sum: bigint, { kind, scale = 0 }: FieldPath): string {
  if (kind === 'decimal') return JSON.stringify(decimalOf(sum, scale))
  if (kind === 'int64') return JSON.stringify(String(sum))
  if (sum <= Number.MAX_SAFE_INTEGER && sum >= Number.MIN_SAFE_INTEGER) return String(sum)
  throw new HoldfastError('SUM_INEXACT', { detail: `The sum of "${field}" is beyond 2^53 - 1.` })
}

function averageText(sum: bigint, count: number, { scale = 0 }: FieldPath): string {
  // The quotient to 30 digits, which a double then rounds once.
  const digits = 30
  const quotient = (sum * 10n ** BigInt(digits)) / BigInt(count)
  return String(Number(decimalOf(quotient, digits + scale)))
}

function doubleText(field: string, value: number): string {
  if (Number.isFinite(value)) return String(value)
  throw new HoldfastError('SUM_INEXACT', { detail: `The sum of "${field}" is beyond the range of numbers.` })
}

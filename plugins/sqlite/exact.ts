import type { Row } from '../../src/driver/facet/statements.ts'
import type { Prepared } from './handle.ts'

/** The rows of a statement; whole numbers that no double holds are texts, as MariaDB's client gives them. */
export function exactRows({ statement, kind }: Prepared, values: readonly unknown[]): readonly Row[] {
  if (kind === 'read') {
    const rows = statement.all(values)
    // BigInts are slow, and nearly every answer needs none. A statement that changes something cannot be run again.
    if (!rows.some(isInexact)) return rows
  }
  statement.safeIntegers(true)
  try {
    return statement.all(values).map(exactRow)
  } finally {
    statement.safeIntegers(false)
  }
}

/** The same rows one by one, as they are read. The statement must be the caller's own. */
export function* streamedRows({ statement }: Prepared, values: readonly unknown[]): Iterable<Row> {
  for (const row of statement.safeIntegers(true).iterate(values)) yield exactRow(row)
}

function isInexact(row: Row): boolean {
  for (const name in row) {
    const value = row[name]
    if (typeof value === 'number' && (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER)) return true
  }
  return false
}

function exactRow(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, exactValue(value)]))
}

function exactValue(value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

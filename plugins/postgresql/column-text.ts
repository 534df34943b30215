import type { ImageColumn, ImageKind } from '../../src/driver/kit/driver-kit.ts'
import { quoted } from './own-tables.ts'

/** A column as the text of an image. `table`: its name or alias in the statement; none where no output has its name. */
export function columnText({ name, kind }: ImageColumn, table?: string): string {
  return texts[kind](table === undefined ? quoted(name) : `${quoted(table)}.${quoted(name)}`)
}

/** Numbers are exact in a transaction that has run this: servers before 12, and some roles, would round. */
export const exactNumbers = "set_config('extra_float_digits', '3', true)"

const texts: Readonly<Record<ImageKind, (column: string) => string>> = {
  text: (column) => `${column}::text`,
  integer: (column) => `${column}::text`,
  number: (column) => `${column}::text`,
  decimal: (column) => `${column}::text`,
  json: (column) => `${column}::text`,
  boolean: (column) => `${column}::int::text`,
  // Truncated first: before version 14 the seconds are a double.
  instant: (column) => `case when isfinite(${column})
    then round(extract(epoch from date_trunc('milliseconds', ${column})) * 1000)::bigint::text
    else ${column}::text end`,
}

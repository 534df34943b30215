import type { ImageColumn, ImageKind } from '../../src/driver/kit/driver-kit.ts'
import { quoted } from './own-tables.ts'

/** A column as the text of an image. `table`: its name or alias in the statement; none where no output has its name. */
export function columnText({ name, kind, scale = 0 }: ImageColumn, table?: string): string {
  return texts[kind](table === undefined ? quoted(name) : `${quoted(table)}.${quoted(name)}`, scale)
}

/** Numbers are exact in a transaction that has run this: servers before 12, and some roles, would round. */
export const exactNumbers = "set_config('extra_float_digits', '3', true)"

const texts: Readonly<Record<ImageKind, (column: string, scale: number) => string>> = {
  text: (column) => `${column}::text`,
  integer: (column) => `${column}::text`,
  // A column of another scale has other digits behind the point.
  decimal: (column, scale) =>
    `case when ${column} = round(${column}, ${scale}) then round(${column}, ${scale})::text else ${column}::text end`,
  number: (column) => `${column}::text`,
  json: (column) => `${column}::text`,
  boolean: (column) => `${column}::int::text`,
  // Truncated first: before version 14 the seconds are a double.
  instant: (column) => `case when isfinite(${column})
    then round(extract(epoch from date_trunc('milliseconds', ${column})) * 1000)::bigint::text
    else ${column}::text end`,
}

import { dateOf, type ImageColumn, type ImageKind } from '../../src/driver/kit/driver-kit.ts'
import { quoted } from './own-tables.ts'

/** A column as the text of an image, in the letters and the collation of the connection. */
export function columnText({ name, kind }: ImageColumn): string {
  return texts[kind](quoted(name))
}

const texts: Readonly<Record<ImageKind, (column: string) => string>> = {
  text: (column) => `cast(${column} as char)`,
  integer: (column) => `cast(${column} as char)`,
  number: (column) => `cast(${column} as char)`,
  json: (column) => `cast(${column} as char)`,
  boolean: (column) => `cast(${column} <> 0 as char)`,
  // Dates that are none (`0000-00-00`) stay as they are, as does the year 0, whose days the server counts otherwise.
  instant: (column) => `coalesce(case when year(${column}) > 0
    then cast(floor(timestampdiff(microsecond, '1970-01-01 00:00:00', ${column}) / 1000) as char) end,
    cast(${column} as char))`,
}

/** An instant of an image as the server writes it, in UTC, as the session; a year that the server lacks is one that it refuses. */
export function instantText(milliseconds: string): string {
  return dateOf(milliseconds)?.toISOString().replace('T', ' ').replace('Z', '') ?? milliseconds
}

import { dateOf, type ImageColumn, type ImageKind } from '../../src/driver/kit/driver-kit.ts'
import { quoted } from './own-tables.ts'

/** A column as the text of an image, in the letters and the collation of the connection. */
export function columnText({ name, kind, scale = 0 }: ImageColumn): string {
  return texts[kind](quoted(name), scale)
}

const texts: Readonly<Record<ImageKind, (column: string, scale: number) => string>> = {
  text: (column) => `cast(${column} as char)`,
  integer: (column) => `cast(${column} as char)`,
  // A column of another scale has other digits behind the point.
  decimal: (column, scale) =>
    `cast(if(${column} = round(${column}, ${scale}), cast(${column} as decimal(65, ${scale})), ${column}) as char)`,
  number: (column) => `cast(${column} as char)`,
  json: (column) => `cast(${column} as char)`,
  boolean: (column) => `cast(${column} <> 0 as char)`,
  // A date that is none (`0000-00-00`) has no milliseconds, and stays as it is.
  instant: (column) => `coalesce(
    cast(floor(timestampdiff(microsecond, '1970-01-01 00:00:00', ${column}) / 1000) as char),
    date_format(${column}, '%Y-%m-%d %H:%i:%s'))`,
}

/** An instant of an image as the server writes it, in UTC, as the session; a year that the server lacks is one that it refuses. */
export function instantText(milliseconds: string): string {
  return dateOf(milliseconds)?.toISOString().replace('T', ' ').replace('Z', '') ?? milliseconds
}

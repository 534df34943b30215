/**
 * How a column's values look in an image. `text`: themselves, ids and attempts included. `integer`: decimal digits.
 * `number`: a decimal that reads back as the same double. `decimal`: exact, with `scale` digits behind the point.
 * `boolean`: `0` or `1`. `instant`: milliseconds since 1970 in decimal digits. `json`: JSON text.
 */
export type ImageKind = 'text' | 'integer' | 'number' | 'decimal' | 'boolean' | 'instant' | 'json'

/** A column of a table of rows. */
export interface ImageColumn {
  readonly name: string
  readonly kind: ImageKind
  /** Of a `decimal`: digits behind the point. */
  readonly scale?: number
}

/** A table of rows: its key is the column `id`; its column `holdfast_attempt` names the attempt that wrote the row last. */
export interface ImageTable {
  readonly name: string
  /** All columns, `id` and `holdfast_attempt` among them. */
  readonly columns: readonly ImageColumn[]
}

/** A row, exactly, in a form that all databases share: each column's value as text by its kind; null is NULL. */
export type Image = Readonly<Record<string, string | null>>

/**
 * A decimal as the whole number that databases without decimals keep: `12.50` is 1250 at two digits behind the point.
 * `text` has exactly as many digits there as its column.
 */
export function scaledInteger(text: string): bigint {
  return BigInt(text.replace('.', ''))
}

/** The decimal of a whole number from such a database, with `scale` digits behind the point. */
export function decimalOf(integer: string | number | bigint, scale: number): string {
  const text = String(integer)
  if (scale === 0 || !/^-?\d+$/.test(text)) return text
  const sign = text.startsWith('-') ? '-' : ''
  const digits = text.slice(sign.length).padStart(scale + 1, '0')
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/**
 * How a column's values look in an image. `text`: themselves, ids and attempts included. `integer`: decimal digits.
 * `number`: a decimal that reads back as the same double. `boolean`: `0` or `1`. `instant`: milliseconds since
 * 1970 in decimal digits. `json`: JSON text.
 */
export type ImageKind = 'text' | 'integer' | 'number' | 'boolean' | 'instant' | 'json'

/** A column of a table of rows. */
export interface ImageColumn {
  readonly name: string
  readonly kind: ImageKind
}

/** A table of rows: its key is the column `id`; its column `holdfast_attempt` names the attempt that wrote the row last. */
export interface ImageTable {
  readonly name: string
  /** All columns, `id` and `holdfast_attempt` among them. */
  readonly columns: readonly ImageColumn[]
}

/** A row, exactly, in a form that all databases share: each column's value as text by its kind; null is NULL. */
export type Image = Readonly<Record<string, string | null>>

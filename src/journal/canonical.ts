import type { Image, ImageColumn, ImageKind } from '../driver/facet/image.ts'

/** Whether two values of a column are the same value; each database may write it in another form. */
export function isSameValue(kind: ImageKind, one: string | null, other: string | null): boolean {
  if (one === other) return true
  if (one === null || other === null) return false
  switch (kind) {
    case 'number':
      // -0 and 0 are one number in every database.
      return Number(one) === Number(other)
    case 'decimal':
      return canonicalDecimal(one) === canonicalDecimal(other)
    case 'json':
      return canonicalJson(one) === canonicalJson(other)
    default:
      return false
  }
}

/**
 * Whether the row has each value of the image; columns that the image lacks are not compared. A column that the row lacks is
 * NULL: it was added after the row was written.
 */
export function matchesImage(
  columns: ReadonlyMap<string, ImageColumn>,
  image: Image,
  row: Image,
  ignored?: string,
): boolean {
  for (const name in image) {
    if (name === ignored) continue
    const column = columns.get(name)
    if (!isSameValue(column === undefined ? 'text' : column.kind, image[name] ?? null, row[name] ?? null)) return false
  }
  return true
}

/** Without zeros that say nothing; what is no decimal stays as it is. */
function canonicalDecimal(text: string): string {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)0*(\d+?)(?:\.(\d*?)0*)?$/.exec(text) ?? []
  if (whole === '') return text
  const value = fraction === '' ? whole : `${whole}.${fraction}`
  return value === '0' ? value : `${sign}${value}`
}

/** JSON with sorted keys; a text that is not JSON stays as it is. */
function canonicalJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), sortedKeys)
  } catch {
    return text
  }
}

function sortedKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  // Without a prototype: "__proto__" is a key like any other.
  const sorted: Record<string, unknown> = Object.create(null)
  for (const key of Object.keys(value).sort()) sorted[key] = (value as Record<string, unknown>)[key] // An object of JSON.
  return sorted
}

import type { Image, ImageKind } from '../../driver/facet/image.ts'
import { decimalOf } from '../../driver/facet/image.ts'
import type { Row } from '../../driver/facet/statements.ts'
import type { Column } from './column.ts'
import { textColumn } from './queries.ts'

/**
 * The image of a row as the native client gave it, or as it was encoded for it. Exact: where the client has parsed JSON, its
 * text is taken from the column next to it.
 */
export function rowImage(columns: readonly Column[], row: Row): Image {
  const image: Record<string, string | null> = {}
  for (const { name, kind, scaled } of columns) {
    const raw = kind === 'json' ? (row[textColumn(name)] ?? row[name]) : row[name]
    if (raw === null || raw === undefined) image[name] = null
    else image[name] = scaled === null ? valueText(kind, raw) : decimalOf(String(raw), scaled)
  }
  return image
}

function valueText(kind: ImageKind, raw: unknown): string {
  switch (kind) {
    case 'text':
    case 'integer':
    case 'number':
    case 'decimal':
      return String(raw)
    case 'boolean':
      return isTrue(raw) ? '1' : '0'
    case 'json':
      return typeof raw === 'string' ? raw : JSON.stringify(raw)
    case 'instant':
      return instantText(raw)
  }
}

/** Databases without a boolean have numbers. */
function isTrue(raw: unknown): boolean {
  return typeof raw === 'boolean' ? raw : Number(raw) !== 0
}

/** A date and time in ISO form, by the server's zone, or without one in UTC; years of any length, and before 1. */
const serverInstant =
  /^(\d{1,6})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)?( BC)?$/

/** Milliseconds since 1970; what is none stays as it is (`infinity`). */
function instantText(raw: unknown): string {
  if (typeof raw === 'number' || typeof raw === 'bigint') return String(raw)
  if (raw instanceof Date) return String(raw.getTime())
  const text = String(raw)
  const parts = serverInstant.exec(text)
  if (parts === null) return text
  const [, year = '', month, day, hours, minutes, seconds, fraction = '', sign, ...zone] = parts
  const [zoneHours = 0, zoneMinutes = 0, zoneSeconds = 0] = zone.slice(0, 3).map((part) => Number(part ?? 0))
  const date = new Date(0)
  // `Date.UTC` would take the years 0 to 99 for those of the last century.
  date.setUTCFullYear(zone[3] === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day))
  date.setUTCHours(Number(hours), Number(minutes), Number(seconds), Number(fraction.padEnd(3, '0').slice(0, 3)))
  const awayMs = (zoneHours * 3600 + zoneMinutes * 60 + zoneSeconds) * 1000
  return String(date.getTime() - (sign === '-' ? -awayMs : awayMs))
}

import { hash } from 'node:crypto'
import type { CopiedTable, Image, ImageColumn } from '../../src/driver/kit/driver-kit.ts'
import { columnText, instantText } from './column-text.ts'
import { quoted } from './own-tables.ts'

/** Digits of a version: 128 bits. */
const digits = 32

/** The columns in an order that does not depend on that of a declaration. */
function sorted({ columns }: CopiedTable): readonly ImageColumn[] {
  return [...columns].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Texts may hold a comma; all others end at the next one. */
function isOpen({ kind }: ImageColumn): boolean {
  return kind === 'text' || kind === 'json'
}

/** As an image has it where that costs nothing: to convert letters or instants would double the work of the server. */
function sourceOf(column: ImageColumn): string {
  if (column.kind === 'text') return `cast(${quoted(column.name)} as binary)`
  return column.kind === 'instant' ? `cast(${quoted(column.name)} as char)` : columnText(column)
}

/**
 * The version of a row in SQL: a hash of its image. First each column, by its length where it is a text, so that no two
 * images are joined to one text; then the texts.
 */
export function versionText(table: CopiedTable): string {
  const columns = sorted(table)
  const texts = columns.filter(isOpen).map(sourceOf)
  const heads = columns.map((column) => {
    const head = isOpen(column) ? `length(${quoted(column.name)})` : sourceOf(column)
    return `ifnull(${head}, '-')`
  })
  const hashed = (parts: readonly string[]): string =>
    `left(sha2(concat_ws(',', ${[...heads, ...parts].join(', ')}), 256), ${digits})`
  // What is larger than a packet may be is NULL; then each text by itself.
  const apart = texts.map((text) => `sha2(${text}, 256)`)
  return `coalesce(${hashed(texts)}, ${hashed(apart)}, '')`
}

/**
 * The same of an image, for tables as Holdfast creates them. It is another one, and the row is fetched once more, where the
 * server writes a value otherwise: a number of many digits, JSON that it normalizes (MySQL), a text in other letters than
 * those of UTF-8, an instant of another precision than milliseconds, and a row larger than a packet.
 */
export function versionOf(table: CopiedTable, image: Image): string {
  const columns = sorted(table)
  const heads = columns.map((column) => {
    const text = image[column.name] ?? null
    if (text === null) return '-'
    if (isOpen(column)) return String(Buffer.byteLength(text))
    return column.kind === 'instant' ? instantText(text) : text
  })
  const texts = columns.filter(isOpen).flatMap(({ name }) => image[name] ?? [])
  return hash('sha256', [...heads, ...texts].join(',')).slice(0, digits)
}

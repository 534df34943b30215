import { hash } from 'node:crypto'
import type { CopiedTable, Image, ImageColumn } from '../../src/driver/kit/driver-kit.ts'
import { columnText } from './column-text.ts'

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

/**
 * The version of a row in SQL: a hash of its image. First each column, by its length where it is a text, so that no two
 * images are joined to one text; then the texts.
 */
export function versionText(table: CopiedTable): string {
  const columns = sorted(table)
  const texts = columns.filter(isOpen).map((column) => columnText(column))
  const heads = columns.map((column) => {
    const text = columnText(column)
    return `ifnull(${isOpen(column) ? `length(${text})` : text}, '-')`
  })
  const hashed = (parts: readonly string[]): string =>
    `left(sha2(concat_ws(',', ${[...heads, ...parts].join(', ')}), 256), ${digits})`
  // What is larger than a packet may be is NULL; then each text by itself.
  const apart = texts.map((text) => `sha2(${text}, 256)`)
  return `coalesce(${hashed(texts)}, ${hashed(apart)}, '')`
}

/**
 * The same of an image: another one where the server writes a value otherwise, as a number of many digits, or normalizes
 * JSON (MySQL), and for rows larger than a packet.
 */
export function versionOf(table: CopiedTable, image: Image): string {
  const columns = sorted(table)
  const heads = columns.map((column) => {
    const text = image[column.name] ?? null
    return text === null ? '-' : isOpen(column) ? String(Buffer.byteLength(text)) : text
  })
  const texts = columns.filter(isOpen).flatMap(({ name }) => image[name] ?? [])
  return hash('sha256', [...heads, ...texts].join(',')).slice(0, digits)
}

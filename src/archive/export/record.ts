import { archiveFormat } from '../format/names.ts'

/** A part that was written. */
export interface ExportedPart {
  readonly key: string
  readonly bytes: number
  /** SHA-256 of it, in hex. */
  readonly hash: string
}

/** The rows of one collection as they were written. */
export interface ExportedRows {
  readonly rows: number
  readonly parts: readonly ExportedPart[]
}

/** `tables/export.json`. */
export interface ExportRecord {
  readonly format: number
  /** ISO 8601; when the export began. */
  readonly at: string
  /** The id of the file, or the identity of the primary, that the rows are of; null: it was not known. */
  readonly source: string | null
  /** By collection. */
  readonly tables: Readonly<Record<string, ExportedRows>>
}

/** Reads a record; null for anything else, which the next export replaces. Never throws. */
export function readExportRecord(body: Uint8Array | null): ExportRecord | null {
  if (body === null) return null
  try {
    const record: unknown = JSON.parse(Buffer.from(body).toString())
    return isRecord(record) ? record : null
  } catch {
    return null
  }
}

function isRecord(value: unknown): value is ExportRecord {
  if (!isObject(value) || value.format !== archiveFormat || typeof value.at !== 'string') return false
  if (Number.isNaN(Date.parse(value.at)) || !isObject(value.tables)) return false
  if (value.source !== null && typeof value.source !== 'string') return false
  return Object.values(value.tables).every((table) => isObject(table) && isParts(table.parts))
}

function isParts(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((part) => isObject(part) && typeof part.key === 'string' && typeof part.hash === 'string')
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

import { createHash } from 'node:crypto'
import { archiveFormat, exportKey, exportRecordKey } from '../format/names.ts'
import type { ArchiveTarget } from '../target/target.ts'
import { type ExportedPart, type ExportedRows, type ExportRecord, readExportRecord } from './record.ts'

/** The longest part; a row beyond that is a part of its own. */
const partBytes = 8 * 1_024 * 1_024

/** A collection whose rows are exported. */
export interface ExportedTable {
  readonly name: string
  /** All rows as lines of JSON, some at a time, in the order of their ids: parts stay the same where only new rows were added. */
  lines(signal: AbortSignal): AsyncIterable<readonly string[]>
}

/** What an export has done. */
export interface ExportSummary {
  readonly collections: number
  readonly rows: number
  readonly bytes: number
  /** Parts that were written, and those that were as they should be. */
  readonly written: number
  readonly unchanged: number
  readonly removed: number
}

/** How an export is told about, and where it ends. */
export interface ExportOptions {
  /** When it began. */
  readonly at: Date
  readonly signal: AbortSignal
  /** Called after each portion of rows, with how many were exported so far. */
  readonly progress?: (rows: number) => void
}

/** When the last export of this target began; null: there is none. */
export async function lastExport(target: ArchiveTarget, signal: AbortSignal): Promise<Date | null> {
  const record = readExportRecord(await target.get(exportRecordKey, signal))
  return record === null ? null : new Date(record.at)
}

/**
 * Writes each table as NDJSON below `tables/`, in parts, in place of those of the export before; no more than one part is in
 * memory. What the last export has written and this one does not is removed. Rejects with a `TargetError`, with what the rows
 * reject with, or with the signal's reason; then it may be run again.
 */
export async function exportTables(
  target: ArchiveTarget,
  tables: readonly ExportedTable[],
  options: ExportOptions,
): Promise<ExportSummary> {
  const before = await known(target, options.signal)
  const sums = { rows: 0, bytes: 0, written: 0, unchanged: 0 }
  const done: Record<string, ExportedRows> = {}
  for (const table of tables) {
    const parts: ExportedPart[] = []
    const first = sums.rows
    for await (const { body, rows } of partsOf(table, options.signal)) {
      const key = exportKey(table.name, parts.length + 1)
      const part = { key, bytes: body.byteLength, hash: createHash('sha256').update(body).digest('hex') }
      if (before.get(key) === part.hash) sums.unchanged += 1
      else {
        await target.put(key, body, options.signal)
        sums.written += 1
      }
      parts.push(part)
      sums.bytes += part.bytes
      sums.rows += rows
      options.progress?.(sums.rows)
    }
    done[table.name] = { rows: sums.rows - first, parts }
  }
  const record: ExportRecord = { format: archiveFormat, at: options.at.toISOString(), tables: done }
  const kept = new Set(Object.values(done).flatMap(({ parts }) => parts.map(({ key }) => key)))
  let removed = 0
  for (const key of before.keys()) {
    if (kept.has(key)) continue
    await target.remove(key, options.signal)
    removed += 1
  }
  // Last: an export that was interrupted is known by what the one before says.
  await target.put(exportRecordKey, Buffer.from(`${JSON.stringify(record, null, 2)}\n`), options.signal)
  return { collections: tables.length, ...sums, removed }
}

/** The hashes of the parts that are there, by key; empty for one that the last export did not write, or that has changed since. */
async function known(target: ArchiveTarget, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const record = readExportRecord(await target.get(exportRecordKey, signal))
  const parts = new Map(
    Object.values(record?.tables ?? {}).flatMap((table) => table.parts.map((part) => [part.key, part])),
  )
  const found = new Map<string, string>()
  for await (const page of target.list('tables/', undefined, signal)) {
    for (const { key, bytes } of page) {
      const part = parts.get(key)
      if (part !== undefined) found.set(key, part.bytes === bytes ? part.hash : '')
      // An export that was interrupted may have left it; other files of people are left alone.
      else if (partPattern.test(key)) found.set(key, '')
    }
  }
  return found
}

const partPattern = /^tables\/[a-z][A-Za-z0-9_]*\/\d{5,}\.ndjson$/

async function* partsOf(
  table: ExportedTable,
  signal: AbortSignal,
): AsyncGenerator<{ readonly body: Uint8Array; readonly rows: number }> {
  let lines: string[] = []
  let bytes = 0
  const part = () => ({ body: Buffer.from(lines.join('')), rows: lines.length })
  for await (const some of table.lines(signal)) {
    signal.throwIfAborted()
    for (const line of some) {
      const length = Buffer.byteLength(line)
      if (bytes > 0 && bytes + length > partBytes) {
        yield part()
        lines = []
        bytes = 0
      }
      lines.push(line)
      bytes += length
    }
  }
  if (lines.length > 0) yield part()
}

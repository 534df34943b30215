import { createHash } from 'node:crypto'
import { readLineage } from '../format/manifests.ts'
import { archiveFormat, exportKey, exportRecordKey } from '../format/names.ts'
import { fetchRoot } from '../restore/root.ts'
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

/** Why nothing was written: what is there is not this store's. */
export class ExportRefused extends Error {
  readonly hint = 'Use another prefix in ARCHIVE_URL.'

  constructor(label: string, what: string) {
    super(`${label} has ${what}. Nothing was written there.`)
  }
}

/** How an export is told about, and where it ends. */
export interface ExportOptions {
  /** When it began. */
  readonly at: Date
  /** The id of the file, or the identity of the primary, that the rows are of; null: it is not known. */
  readonly source: string | null
  /** Collections whose rows cannot be read now: what was exported of them stays. */
  readonly unavailable?: readonly string[]
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
 * memory. What the last export has written and this one does not is removed. Rejects with an `ExportRefused`, a `TargetError`, with
 * what the rows reject with, or with the signal's reason; then it may be run again.
 */
export async function exportTables(
  target: ArchiveTarget,
  tables: readonly ExportedTable[],
  options: ExportOptions,
): Promise<ExportSummary> {
  const last = readExportRecord(await target.get(exportRecordKey, options.signal))
  await assertOwn(target, last, options)
  const before = await known(target, last, options.signal)
  const sums = { rows: 0, bytes: 0, written: 0, unchanged: 0 }
  const { unavailable = [] } = options
  const isLeft = (name: string): boolean => unavailable.includes(name)
  const done: Record<string, ExportedRows> = Object.fromEntries(
    Object.entries(last?.tables ?? {}).filter(([name]) => isLeft(name)),
  )
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
  const record: ExportRecord = {
    format: archiveFormat,
    at: options.at.toISOString(),
    source: options.source,
    tables: done,
  }
  const kept = new Set(Object.values(done).flatMap(({ parts }) => parts.map(({ key }) => key)))
  let removed = 0
  for (const key of before.keys()) {
    if (kept.has(key) || isLeft(key.split('/')[1] ?? '')) continue
    await target.remove(key, options.signal)
    removed += 1
  }
  // Last: an export that was interrupted is known by what the one before says.
  await target.put(exportRecordKey, Buffer.from(`${JSON.stringify(record, null, 2)}\n`), options.signal)
  return { collections: tables.length, ...sums, removed }
}

/** @throws ExportRefused for the prefix of another store. */
async function assertOwn(
  target: ArchiveTarget,
  last: ExportRecord | null,
  { source, signal }: ExportOptions,
): Promise<void> {
  const exported = last?.source ?? null
  if (source === null || exported === source) return
  if (exported !== null) throw new ExportRefused(target.label, `the export of another store (${exported})`)
  const root = await fetchRoot(target, signal)
  if (root === null || root.store === source || (await hasLineageOf(target, source, signal))) return
  throw new ExportRefused(target.label, `the archive of another store (${root.store})`)
}

async function hasLineageOf(target: ArchiveTarget, store: string, signal: AbortSignal): Promise<boolean> {
  for await (const page of target.list(lineagesPrefix, undefined, signal)) {
    for (const { key } of page) {
      const bytes = await target.get(key, signal)
      if (bytes !== null && readLineage(key, bytes).store === store) return true
    }
  }
  return false
}

/** The hashes of the parts that are there, by key; empty for one that the last export did not write, or that has changed since. */
async function known(
  target: ArchiveTarget,
  record: ExportRecord | null,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
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

const lineagesPrefix = 'lineages/'

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

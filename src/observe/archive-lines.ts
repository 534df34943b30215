import type { EntriesObservation } from '../archive/entries/observation.ts'
import type { ExportObservation } from '../archive/export/observation.ts'
import type { ArchiveObservation } from '../archive/observation.ts'
import type { RestoreObservation } from '../archive/restore/observation.ts'
import { formatBytes } from '../config/quantity.ts'
import { defectLine, type LogLine, logLine, repeatableLine } from './log-line.ts'
import { problemLine } from './service-lines.ts'

/** What the modules of the archive report. */
type OfArchive = ArchiveObservation | RestoreObservation | EntriesObservation | ExportObservation

export function isOfArchive(seen: { readonly type: string }): seen is OfArchive {
  return /^(?:archive|restore|drill|entries)\./.test(seen.type)
}

/** The log line of an observation of the archive. */
export function lineOfArchive(seen: OfArchive): LogLine {
  switch (seen.type) {
    case 'restore.began':
    case 'restore.failed':
    case 'restore.ended':
    case 'restore.skipped':
    case 'drill.passed':
    case 'drill.failed':
      return restoreLine(seen)
    case 'entries.carried':
    case 'entries.failed':
    case 'entries.resumed':
    case 'entries.kept':
      return entriesLine(seen)
    case 'archive.exported':
    case 'archive.export-failed':
      return exportLine(seen)
    default:
      return archiveLine(seen)
  }
}

/** Of the archiving of a file. */
function archiveLine(seen: ArchiveObservation): LogLine {
  switch (seen.type) {
    case 'archive.joined': {
      const { label, lineage, number, isContiguous } = seen
      const how = isContiguous ? '' : ' A snapshot follows.'
      return logLine('info', `Archiving the rows in ${label}.${how}`, { label, lineage, number, isContiguous })
    }
    case 'archive.stored': {
      const { label, key, bytes, tookMs } = seen
      const fields = { label, key, bytes, tookMs: Math.round(tookMs) }
      return repeatableLine('debug', 'archive stored', 'Stored changes in the archive.', fields)
    }
    case 'archive.resumed': {
      const { label, awayMs } = seen
      return logLine('info', `The archive ${label} answers again.`, { label, awayMs: Math.round(awayMs) })
    }
    case 'archive.failed':
    case 'archive.ended':
    case 'archive.hole':
    case 'archive.snapshot-failed':
    case 'archive.noticed':
      return problemLine(seen.problem)
    case 'archive.snapshot-stored': {
      const { label, folder, bytes, storedBytes, rows, tookMs } = seen
      const fields = { label, folder, bytes, storedBytes, rows, tookMs: Math.round(tookMs) }
      return logLine('info', `Stored a snapshot of ${countOf(rows)} in the archive (${formatBytes(bytes)}).`, fields)
    }
    case 'archive.removed': {
      const { label, objects } = seen
      return logLine('debug', 'Removed objects from the archive that are no longer needed.', { label, objects })
    }
    case 'archive.defect':
      return defectLine({ where: `the archiving to ${seen.label}`, error: seen.error })
  }
}

/** Of a restore at a start. */
function restoreLine(seen: RestoreObservation): LogLine {
  switch (seen.type) {
    case 'restore.began': {
      const { label, why, aside } = seen
      const file = why === 'damaged' ? 'The database file was damaged' : 'There is no database file'
      return logLine('info', `${file}: restoring the rows from ${label}.`, { label, why, aside })
    }
    case 'restore.failed':
    case 'drill.failed':
      return problemLine(seen.problem)
    case 'drill.passed': {
      const { label, rows, tookMs } = seen
      const took = (tookMs / 1_000).toFixed(1)
      return logLine('info', `The archive can be restored: ${countOf(rows)} in ${took} s.`, {
        label,
        rows,
        tookMs: Math.round(tookMs),
      })
    }
    case 'restore.ended': {
      const { label, rows, tables, bytes, tookMs, number, at, end } = seen
      const fields = { label, rows, tables, bytes, tookMs: Math.round(tookMs), number, at, end }
      const took = (tookMs / 1_000).toFixed(1)
      return logLine('info', `Restored ${countOf(rows)} from the archive in ${took} s.`, fields)
    }
    case 'restore.skipped': {
      const { label, why } = seen
      return why === 'nothing'
        ? logLine('info', 'The archive has no rows of this store yet; starting with a new file.', { label })
        : logLine('warn', 'Starting without rows: the archive could not be restored.', { label })
    }
  }
}

/** Of the entries of journals in the archive. */
function entriesLine(seen: EntriesObservation): LogLine {
  switch (seen.type) {
    case 'entries.carried': {
      const { label, process, entries, objects, tookMs } = seen
      const fields = { label, process, entries, objects, tookMs: Math.round(tookMs) }
      return logLine('info', `Carried ${entries} changes of another process from the archive to the primary.`, fields)
    }
    case 'entries.failed': {
      const { problem, error } = seen
      return { ...problemLine(problem), error, isExpected: true }
    }
    case 'entries.resumed':
      return logLine('info', `The archive ${seen.label} accepts changes of the journal again.`, { label: seen.label })
    case 'entries.kept':
      return problemLine(seen.problem)
  }
}

/** Of the collections that are exported to the archive. */
function exportLine(seen: ExportObservation): LogLine {
  if (seen.type === 'archive.export-failed')
    return { ...problemLine(seen.problem), error: seen.error, isExpected: true }
  const { type: _type, tookMs, ...fields } = seen
  const { label, rows, collections } = seen
  const of = collections === 1 ? '1 collection' : `${collections} collections`
  return logLine('info', `Exported ${countOf(rows)} of ${of} to ${label}.`, { ...fields, tookMs: Math.round(tookMs) })
}

function countOf(rows: number): string {
  return rows === 1 ? '1 row' : `${rows.toLocaleString('en-US')} rows`
}

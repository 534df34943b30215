import type { ArchiveState, LastDrill } from '../../archive/archive-state.ts'
import { ageText } from '../../copy/copy-line.ts'

/** From this lag on, in seconds, health warns. */
export const lagWarningS = 60

/** Whether requests for rows are refused because the archive comes first. */
export function isRestoring(archive: ArchiveState | null): boolean {
  return archive?.phase === 'restoring'
}

/** Whether a restart of the container loses at most what is younger than the lag. */
export function isArchived(archive: ArchiveState | null): boolean {
  if (archive === null || (archive.phase !== 'shipping' && archive.phase !== 'idle')) return false
  return archive.lagS !== null && archive.lagS <= lagWarningS
}

/** Whether it is too far behind, or could not be restored as a test. */
export function archiveNeedsAttention(archive: ArchiveState | null): boolean {
  if (archive === null) return false
  return (archive.lagS ?? 0) > lagWarningS || (archive.drill?.failure ?? null) !== null
}

/** How far a restore has come, in a sentence. */
export function restoreSentence({ restore, problems }: ArchiveState): string {
  const refused = 'Requests for rows get 503 until then.'
  const away = problems.some(({ code }) => code === 'ARCHIVE_UNREACHABLE')
  if (restore === null || away) return `Restoring the rows: waiting for the archive. ${refused}`
  const { bytes, ofBytes } = restore
  const of = ofBytes === null ? '' : ` of ${megabytes(ofBytes)}`
  return `Restoring the rows from the archive: ${megabytes(bytes)}${of}. ${refused}`
}

/** How safe rows are in the archive, for a person, without its address; null while it has nothing to say. */
export function archiveSentence(archive: ArchiveState, nowMs: number): string | null {
  const proven = archive.drill === null ? '' : ` ${drillSentence(archive.drill, nowMs)}`
  switch (archive.phase) {
    case 'restoring':
      return null
    case 'idle':
    case 'shipping':
      return `${lagSentence(archive)}${proven}`
    case 'waiting':
      return `The archive does not answer at the moment. ${lagSentence(archive)}${proven}`
    case 'fenced':
      return `Another process has taken over the archive: rows that this one accepts are not archived.${proven}`
    case 'refused':
      return 'The archive belongs to another store, or to a newer release: rows are not archived.'
  }
}

function lagSentence({ lagS, snapshotAtMs }: ArchiveState): string {
  if (lagS === null) {
    const isNew = snapshotAtMs === null
    return isNew ? 'The archive has no whole copy of the rows yet.' : 'How far the archive is behind is not known yet.'
  }
  if (lagS < 0.05) return 'The archive has all rows.'
  return `The archive has all rows but those of the last ${lagS < 10 ? `${lagS.toFixed(1)} s` : ageText(lagS * 1_000)}.`
}

/** "Last proven restorable 3 h ago: 4,210 rows in 1.1 s." */
export function drillSentence({ atMs, rows, tookMs, failure }: LastDrill, nowMs: number): string {
  const age = ageText(nowMs - atMs)
  if (failure !== null) return `The last test of a restore failed ${age} ago: ${failure}`
  const count = rows === 1 ? '1 row' : `${rows.toLocaleString('en-US')} rows`
  return `Last proven restorable ${age} ago: ${count} in ${(tookMs / 1_000).toFixed(1)} s.`
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** The same for programs, as `/status` has it. */
export interface ArchiveStatus {
  readonly label: string
  readonly phase: ArchiveState['phase']
  readonly lagSeconds: number | null
  readonly last: { readonly key: string; readonly at: string } | null
  readonly storedBytes: number
  readonly storedObjects: number
  readonly failures: number
  readonly spoolBytes: number
  readonly snapshotAt: string | null
  readonly drill: {
    readonly at: string
    readonly rows: number
    readonly tookMs: number
    readonly failure: string | null
  } | null
  readonly restore: ArchiveState['restore']
}

/** What programs read. */
export function archiveStatusOf(archive: ArchiveState): ArchiveStatus {
  const { label, phase, lagS, last, storedBytes, storedObjects, failures, spoolBytes, snapshotAtMs, drill } = archive
  return {
    ...{ label, phase, lagSeconds: lagS, storedBytes, storedObjects, failures, spoolBytes },
    last: last === null ? null : { key: last.key, at: instant(last.atMs) },
    snapshotAt: snapshotAtMs === null ? null : instant(snapshotAtMs),
    drill:
      drill === null
        ? null
        : { at: instant(drill.atMs), rows: drill.rows, tookMs: Math.round(drill.tookMs), failure: drill.failure },
    restore: archive.restore,
  }
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}

import type { Registry } from 'prom-client'
import type { ArchiveState } from '../archive/archive-state.ts'
import { ageS, counter, gauge } from './metric-makers.ts'

/** The archive, as the gauges read it at each scrape. */
export interface ArchiveMetricsSource {
  archive(): ArchiveState | null
}

/** The metrics of the archive; absent without one. */
export function addArchiveMetrics(registry: Registry, source: ArchiveMetricsSource): void {
  gauge(registry, 'holdfast_archive_phase', '1 for what the archive does now.', ['phase'], (set) => {
    const archive = source.archive()
    if (archive !== null) set({ phase: archive.phase }, 1)
  })
  const gauges: readonly (readonly [string, string, (archive: ArchiveState) => number | null])[] = [
    [
      'holdfast_archive_lag_seconds',
      'Age of the oldest change that is not in the archive, in seconds.',
      ({ lagS }) => lagS,
    ],
    ['holdfast_archive_spool_bytes', 'Changes that wait on the disk for the archive.', ({ spoolBytes }) => spoolBytes],
    [
      'holdfast_archive_snapshot_age_seconds',
      'Age of the newest snapshot, in seconds.',
      ({ snapshotAtMs }) => ageS(snapshotAtMs),
    ],
    [
      'holdfast_archive_proven_age_seconds',
      'Time since the archive was last proven restorable, in seconds.',
      ({ drill }) => (drill === null || drill.failure !== null ? null : ageS(drill.atMs)),
    ],
    [
      'holdfast_archive_proven_rows',
      'Rows that the last test of a restore has read.',
      ({ drill }) => drill?.rows ?? null,
    ],
    [
      'holdfast_archive_restored_bytes',
      'How much of a restore in progress is done.',
      ({ restore }) => restore?.bytes ?? null,
    ],
  ]
  for (const [name, help, read] of gauges) {
    gauge(registry, name, help, [], (set) => {
      const archive = source.archive()
      const value = archive === null ? null : read(archive)
      if (value !== null) set({}, value)
    })
  }
  const counters: readonly (readonly [string, string, 'storedBytes' | 'storedObjects' | 'failures'])[] = [
    ['holdfast_archive_stored_bytes_total', 'Bytes of the objects that were stored in the archive.', 'storedBytes'],
    ['holdfast_archive_stored_objects_total', 'Objects that were stored in the archive.', 'storedObjects'],
    ['holdfast_archive_failures_total', 'Requests to the archive that failed after their repeats.', 'failures'],
  ]
  for (const [name, help, key] of counters) {
    counter(registry, name, help, [], (add) => {
      const archive = source.archive()
      if (archive !== null) add({}, archive[key])
    })
  }
}

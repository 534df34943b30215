import type { ArchiveState } from '../../src/archive/archive-state.ts'

/** An archive that has everything, but for what a test says. */
export function archiveLike(parts: Partial<ArchiveState> = {}): ArchiveState {
  return {
    label: 's3://rows/prefix',
    phase: 'shipping',
    lagS: 0,
    last: null,
    storedBytes: 0,
    storedObjects: 0,
    failures: 0,
    spoolBytes: 0,
    snapshotAtMs: null,
    drill: null,
    restore: null,
    problems: [],
    ...parts,
  }
}

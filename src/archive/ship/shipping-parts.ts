import type { Clock } from '../../database/store/clock.ts'
import type { ArchiveSource } from '../../driver/facet/archive.ts'
import type { ArchiveTarget } from '../target/target.ts'
import type { Recorder } from './recorder.ts'
import type { Retrier } from './retrier.ts'
import type { Spool } from './spool.ts'

/** Settings of the archive that a reload may change. */
export interface ShippingSettings {
  readonly intervalS: number
  readonly spoolMaxBytes: number
}

/** What shipping works with. */
export interface ShipmentParts {
  readonly target: ArchiveTarget
  readonly source: ArchiveSource
  readonly spool: Spool
  readonly settings: () => ShippingSettings
  readonly clock: Clock
  readonly recorder: Recorder
  readonly retrier: Retrier
}

/** Limits of shipping. */
export const shipLimits = {
  /** So many bytes that wait are cut before the interval is over. */
  sizeDueBytes: 1_048_576,
  /** So many are cut although the target has not stored what was cut before: the WAL grows. */
  pressureBytes: 4_194_304,
  /** Most bytes of a segment's payload. */
  cutBytesMax: 8_388_608,
  /** Most bytes of segments that the disk does not take. */
  memoryMaxBytes: 33_554_432,
  /** After a cut or a checkpoint that failed. */
  failedMs: 1_000,
} as const

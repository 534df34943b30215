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

/** So many bytes that wait are cut before the interval is over. */
export const sizeDueBytes: number = 1024 ** 2
/** So many are cut although the target has not stored what was cut before: the WAL grows. */
export const pressureBytes: number = 4 * 1024 ** 2
/** Most bytes of a segment's payload. */
export const cutBytesMax: number = 8 * 1024 ** 2
/** Most bytes of segments that the disk does not take. */
export const memoryMaxBytes: number = 32 * 1024 ** 2
/** After a cut or a checkpoint that failed. */
export const failedMs: number = 1_000

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

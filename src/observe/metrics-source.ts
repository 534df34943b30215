import type { StateName } from '../database/machine/state.ts'
import type { Durability, Shown } from '../database/store/store.ts'

/** The moment, as the gauges read it at each scrape. */
export interface MetricsSource {
  readonly version: string
  readonly startedAt: Date
  database(): {
    readonly state: StateName
    /** Milliseconds in this state. */
    readonly forMs: number
    readonly activeSessions: number
    readonly declared: boolean
    readonly store: { readonly shown: Shown; readonly driver: string } | null
  }
  durability(): Durability | null
  left(): { readonly total: number } | null
  problems(): readonly { readonly severity: string }[]
}

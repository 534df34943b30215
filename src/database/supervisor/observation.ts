import type { Problem } from '../../config/problem.ts'
import type { Role } from '../../driver/address.ts'
import type { Fault } from '../../driver/fault.ts'
import type { EventType } from '../machine/event.ts'
import type { StateName } from '../machine/state.ts'
import type { WriteBlock } from '../machine/write-block.ts'
import type { Shown } from '../store/store.ts'
import type { HostLine, HostRole } from './cluster/host-looks.ts'

/** What the database modules report. Labels and summaries hold no secret. */
export type DatabaseObservation =
  /** The connection changed its state. `fault`: why, when a fault led there. */
  | {
      readonly type: 'connection.changed'
      readonly from: StateName
      readonly to: StateName
      readonly reason: EventType
      /** `from` or `to` is the search for another member of the primary's cluster. */
      readonly isFailover: boolean
      /** False: no primary is declared, and the fallback is simply the local database. */
      readonly declared: boolean
      readonly fault: Fault | null
      /** How long `from` lasted. */
      readonly lastedMs: number
      /** The label of the store that serves now; null when none does. */
      readonly store: string | null
    }
  /** One attempt failed: an opening, a probe, a carry (also next to the serving primary) or a switch. */
  | {
      readonly type: 'connection.attempt.failed'
      readonly what: 'primary' | 'fallback' | 'probe' | 'carry' | 'switch'
      /** 1 for the first. */
      readonly attempt: number
      readonly fault: Fault
    }
  | {
      readonly type: 'store.opened'
      readonly role: Role
      /** `local` where no primary is declared. */
      readonly shown: Shown
      readonly driver: string
      readonly label: string
      readonly problems: readonly Problem[]
    }
  /** Advice about a store that was opened; nothing is wrong with it. */
  | { readonly type: 'store.advised'; readonly shown: Shown; readonly label: string; readonly advice: string }
  | { readonly type: 'store.closed'; readonly role: Role; readonly driver: string; readonly label: string }
  /** A store was checked after a fault or a slow statement. */
  | {
      readonly type: 'store.checked'
      readonly label: string
      readonly why: 'fault' | 'slow'
      readonly verdict: 'kept' | 'lost'
      readonly fault: Fault | null
    }
  /** A host of the address of the primary that serves is something else than at the look before; `was` null: it is new. */
  | ({ readonly type: 'cluster.host'; readonly was: HostRole | null } & HostLine)
  /** The fallback accepts no writes from now on, or accepts them again (null); our tables in the primary decide. */
  | { readonly type: 'fallback.writes'; readonly block: WriteBlock | null }
  /** The service closes, and the journal in this file is not empty. `isLosable`: a restart may lose the file. */
  | {
      readonly type: 'journal.left'
      readonly label: string
      readonly path: string | null
      readonly entries: number
      readonly isLosable: boolean
    }
  /** A unit of work was lost and runs again. */
  | { readonly type: 'work.rerun'; readonly attempt: string; readonly tries: number; readonly fault: Fault }
  /** A unit of work ended with a fault of the database. `isLast`: it does not run again. */
  | { readonly type: 'work.failed'; readonly attempt: string; readonly fault: Fault; readonly isLast: boolean }
  /** A defect of ours: something that must not throw did. */
  | { readonly type: 'database.defect'; readonly where: string; readonly error: unknown }

/** Receives observations. Must not throw. */
export type Observe<O> = (observation: O) => void

import type { Problem } from '../../config/problem.ts'
import type { Fault, Role } from '../../driver/driver.ts'
import type { EventType } from '../machine/event.ts'
import type { StateName } from '../machine/state.ts'
import type { WriteBar } from '../machine/write-block.ts'
import type { Shown } from '../store/store.ts'

/** What the database room notices. Labels and summaries hold no secret. */
export type DatabaseObservation =
  /** The connection is in another state. `fault`: why, when a fault led there. */
  | {
      readonly type: 'connection.changed'
      readonly from: StateName
      readonly to: StateName
      readonly reason: EventType
      /** False: no primary is declared, and the fallback is simply the local database. */
      readonly declared: boolean
      readonly fault: Fault | null
      /** How long `from` lasted. */
      readonly lastedMs: number
      /** The label of the store that serves now; null when none does. */
      readonly store: string | null
    }
  /** One try failed: an opening, a probe, a carrying or a switch. */
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
      /** What it is called: without a declared primary the fallback is simply the local database. */
      readonly shown: Shown
      readonly driver: string
      readonly label: string
      readonly problems: readonly Problem[]
    }
  /** Worth considering about a store that was opened; nothing of it is wrong. */
  | { readonly type: 'store.advised'; readonly shown: Shown; readonly label: string; readonly advice: string }
  | { readonly type: 'store.closed'; readonly role: Role; readonly driver: string; readonly label: string }
  /** A store was doubted (a fault, or a slow statement), and what the probe said. */
  | {
      readonly type: 'store.doubted'
      readonly label: string
      readonly why: 'fault' | 'slow'
      readonly verdict: 'kept' | 'lost'
      readonly fault: Fault | null
    }
  /** The fallback takes no writes from now on, or takes them again (null), by what the primary says of our tables in it. */
  | { readonly type: 'fallback.writes'; readonly bar: WriteBar | null }
  /** A unit of work that was lost is run again. */
  | { readonly type: 'work.rerun'; readonly attempt: string; readonly tries: number; readonly fault: Fault }
  /** A unit of work ended with a fault of the database. `isLast`: it is not run again. */
  | { readonly type: 'work.failed'; readonly attempt: string; readonly fault: Fault; readonly isLast: boolean }
  /** A defect of ours: something that must not throw did. */
  | { readonly type: 'database.defect'; readonly where: string; readonly error: unknown }

/** Receives what is noticed. Must not throw. */
export type Observe<O> = (observation: O) => void

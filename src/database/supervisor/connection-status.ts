import type { Disk } from '../../disk/disk.ts'
import type { FaultKind } from '../../driver/driver.ts'
import { type HealthRow, healthRow, type Recovery, type StateName } from '../machine/state.ts'
import type { WriteBlock } from '../machine/write-block.ts'
import { advised } from '../store/advice.ts'
import type { Shown, Store } from '../store/store.ts'
import type { Transition } from './history.ts'
import type { Supervisor } from './supervisor.ts'
import { attemptOf } from './transition-observations.ts'

/** A fault as `/status` shows it. */
export interface FaultStatus {
  readonly kind: FaultKind
  readonly code: string
  readonly summary: string
  readonly hint: string
}

/** A store as `/status` shows it. */
export interface StoreStatus {
  readonly shown: Shown
  readonly driver: string
  readonly label: string
  readonly version: string
  readonly path: string | null
  readonly disk: Disk | null
}

/** Everything that is known about the connection at one moment. From memory; no secret in it. */
export interface DatabaseSessionContext {
  readonly state: StateName
  readonly row: HealthRow
  /** Since when, ISO 8601. */
  readonly since: string
  /** Milliseconds in this state. */
  readonly forMs: number
  /** Why the state is what it is; null when no fault led there. */
  readonly why: FaultStatus | null
  readonly store: StoreStatus | null
  /** Tries in a row; 1 is the first. */
  readonly attempts: number
  /** The last opening, probe or carrying that answered. */
  readonly lastAttempt: { readonly at: string; readonly fault: FaultStatus | null } | null
  readonly activeSessions: number
  /** The fallback beside the primary; null where the state has none. */
  readonly standby: {
    readonly status: 'off' | 'opening' | 'open' | 'failed'
    readonly fault: FaultStatus | null
  } | null
  /** The way back to the primary; null where the state has none. */
  readonly recovery: Recovery<Store>['step'] | null
  /** Whether a primary is declared. */
  readonly declared: boolean
  /** False: a primary is declared, and its address stays of no use until somebody corrects it. */
  readonly usable: boolean
  /** False: the primary serves without a fallback that could open. */
  readonly hasFallback: boolean
  /** Why the fallback takes no writes while the primary is away; null when it takes them. */
  readonly writeBlock: WriteBlock | null
  /** The last hour, oldest first. */
  readonly transitions: readonly Transition[]
}

/** A picture of the connection at this moment. */
export function connectionStatusOf(supervisor: Supervisor): DatabaseSessionContext {
  const { state, clock, current, lastAttempt } = supervisor
  const forMs = Math.max(0, clock.now() - state.since)
  const standby = 'standby' in state ? state.standby : null
  return {
    state: state.name,
    row: healthRow(state),
    since: new Date(clock.wallMs() - forMs).toISOString(),
    forMs: Math.round(forMs),
    why: faultStatus(advisedWhy(supervisor)),
    store: current === null ? null : storeStatus(current.store, current.shown),
    attempts: attemptOf(state),
    lastAttempt:
      lastAttempt === null
        ? null
        : { at: new Date(lastAttempt.wallMs).toISOString(), fault: faultStatus(lastAttempt.fault) },
    activeSessions: supervisor.gate.active,
    standby:
      standby === null
        ? null
        : { status: standby.status, fault: 'fault' in standby ? faultStatus(standby.fault) : null },
    recovery: state.name === 'FALLBACK_CONNECTED' ? state.recovery.step : null,
    declared: supervisor.config.declared,
    usable: !supervisor.config.declared || supervisor.config.primary !== null,
    hasFallback: hasFallback(supervisor),
    writeBlock: supervisor.writeBlock,
    transitions: supervisor.history.list(clock.wallMs()),
  }
}

/** False when the primary serves and no fallback is open or on its way: the warning of the health table. */
export function hasFallback(supervisor: Supervisor): boolean {
  const { state, config, settings } = supervisor
  if (state.name !== 'PRIMARY_CONNECTED') return true
  // Where nobody wants one, or it is the same database, nothing is missing.
  if (!settings.fallbackEnabled || config.fallback === null) return true
  return state.standby.status !== 'failed'
}

type StatusSourceFault = {
  readonly kind: FaultKind
  readonly code: string
  readonly summary: string
  readonly hint: string
}

function whyOf({ state }: Supervisor): StatusSourceFault | null {
  switch (state.name) {
    case 'CONNECTION_ERROR':
      return state.fault
    case 'CONNECTING_PRIMARY':
      return state.lastFault
    case 'CONNECTING_FALLBACK':
    case 'FALLBACK_CONNECTED':
      return state.cause
    default:
      return null
  }
}

/** A deadline that passed knows nothing of the database that it passed for. */
function advisedWhy(supervisor: Supervisor): StatusSourceFault | null {
  const why = whyOf(supervisor)
  const { config, settings } = supervisor
  return why === null ? null : advised(why, config.primary?.target ?? null, settings)
}

function faultStatus(fault: StatusSourceFault | null): FaultStatus | null {
  if (fault === null) return null
  const { kind, code, summary, hint } = fault
  return { kind, code, summary, hint }
}

function storeStatus(store: Store, shown: Shown): StoreStatus {
  const { driver, label, facts, disk } = store
  return { shown, driver: driver.name, label, version: facts.version, path: facts.path, disk }
}

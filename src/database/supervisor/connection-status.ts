import type { Disk } from '../../disk/disk.ts'
import type { Fault } from '../../driver/fault.ts'
import { type Carrying, type HealthRow, healthRow, type Recovery, type StateName } from '../machine/state.ts'
import type { WriteBlock } from '../machine/write-block.ts'
import { advised } from '../store/advice.ts'
import type { Shown, Store } from '../store/store.ts'
import type { HostLine } from './cluster/host-looks.ts'
import type { Transition } from './history.ts'
import type { Supervisor } from './supervisor.ts'
import { attemptOf } from './transition-observations.ts'

/** A fault as `/status` and `holdfast check` show it. */
export type FaultStatus = Pick<Fault, 'kind' | 'code' | 'summary' | 'hint'>

/** A store as `/status` shows it. */
export interface StoreStatus {
  readonly shown: Shown
  readonly driver: string
  readonly label: string
  readonly version: string
  readonly path: string | null
  readonly disk: Disk | null
}

/** What waits in the fallback's journal. */
export interface JournalStatus {
  /** Local transactions and their entries for the declared primary. */
  readonly transactions: number
  readonly entries: number
  readonly bytes: number
  /** Entries for other primaries. */
  readonly elsewhere: number
  /** When the oldest entry was written, ISO 8601; null without any. */
  readonly since: string | null
}

/** The state of the connection at one moment. From memory; holds no secret. */
export interface DatabaseSessionContext {
  readonly state: StateName
  readonly row: HealthRow
  /** When the state was entered, ISO 8601. */
  readonly since: string
  /** How long ago that was, in milliseconds. */
  readonly forMs: number
  /** The fault that led to this state; null when none did. */
  readonly why: FaultStatus | null
  readonly store: StoreStatus | null
  /** Attempts in a row; 1 for the first. */
  readonly attempts: number
  /** The last opening, probe or carry that ended. */
  readonly lastAttempt: { readonly at: string; readonly fault: FaultStatus | null } | null
  /** All attempts since the start: openings and probes. */
  readonly connectionAttemptsCount: number
  /** When the last attempt began, ISO 8601; null before the first. */
  readonly lastConnectionAttempt: string | null
  /** True while the fallback of a declared primary serves. */
  readonly isFallbackActive: boolean
  readonly activeSessions: number
  /** The fallback next to the primary; null where the state has none. */
  readonly standby: {
    readonly status: 'off' | 'opening' | 'open' | 'failed'
    readonly fault: FaultStatus | null
  } | null
  /** How the fallback's journal is carried next to the primary; null where the state has none. */
  readonly carrying: Carrying['step'] | null
  /** The way back to the primary; null where the state has none. */
  readonly recovery: Recovery<Store>['step'] | null
  /** Whether a primary is declared. */
  readonly declared: boolean
  /** False: a primary is declared, and its address cannot be used until it is corrected. */
  readonly usable: boolean
  /** False: the primary serves, and its fallback could not be opened. */
  readonly hasFallback: boolean
  /** The journal of the fallback; null unless that is open next to a declared primary and keeps one. */
  readonly journal: JournalStatus | null
  /** The hosts of the address at the last look at the primary that serves; none where there are no others. */
  readonly hosts: readonly HostLine[]
  /** Why the fallback accepts no writes while the primary is away; null when it does. */
  readonly writeBlock: WriteBlock | null
  /** True while the disk of an open store is full: it can be read. */
  readonly diskFull: boolean
  /** The last hour, oldest first. */
  readonly transitions: readonly Transition[]
}

/** The state of the connection now. */
export function connectionStatusOf(supervisor: Supervisor): DatabaseSessionContext {
  const { state, clock, current, attempts, lastAttempt } = supervisor
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
    connectionAttemptsCount: attempts.count,
    lastConnectionAttempt: attempts.lastWallMs === null ? null : new Date(attempts.lastWallMs).toISOString(),
    isFallbackActive: current?.shown === 'fallback',
    activeSessions: supervisor.gate.active,
    standby:
      standby === null
        ? null
        : { status: standby.status, fault: 'fault' in standby ? faultStatus(standby.fault) : null },
    carrying: 'carrying' in state ? state.carrying.step : null,
    recovery: state.name === 'FALLBACK_CONNECTED' ? state.recovery.step : null,
    declared: supervisor.config.declared,
    usable: !supervisor.config.declared || supervisor.config.primary !== null,
    hasFallback: hasFallback(supervisor),
    journal: journalStatus(supervisor),
    hosts: supervisor.cluster.hosts,
    writeBlock: supervisor.writeBlock,
    diskFull: supervisor.watch.isDiskFull,
    transitions: supervisor.history.list(clock.wallMs()),
  }
}

/** False when the primary serves and its fallback could not be opened: the warning of the health table. */
export function hasFallback(supervisor: Supervisor): boolean {
  const { state, config, settings } = supervisor
  if (state.name !== 'PRIMARY_CONNECTED') return true
  // Without a fallback by choice, or because it would be the primary itself, nothing is missing.
  if (!settings.fallbackEnabled || config.fallback === null) return true
  return state.standby.status !== 'failed'
}

function journalStatus({ fallback }: Supervisor): JournalStatus | null {
  try {
    if (fallback?.journal == null) return null
    const { transactions, entries, bytes, elsewhere, oldestMs } = fallback.journal.counts()
    const since = oldestMs === null ? null : new Date(oldestMs).toISOString()
    return { transactions, entries, bytes, elsewhere, since }
  } catch {
    // Of a file that is damaged: the next statement on it finds out.
    return null
  }
}

function whyOf({ state }: Supervisor): FaultStatus | null {
  switch (state.name) {
    case 'CONNECTION_ERROR':
      return state.fault
    case 'CONNECTING_PRIMARY':
      return state.failover?.cause ?? state.lastFault
    case 'CONNECTING_FALLBACK':
    case 'FALLBACK_CONNECTED':
      return state.cause
    default:
      return null
  }
}

/** With the advice for the address, which the fault of a missed deadline cannot have. */
function advisedWhy(supervisor: Supervisor): FaultStatus | null {
  const why = whyOf(supervisor)
  const { config, settings } = supervisor
  return why === null ? null : advised(why, config.primary?.target ?? null, settings)
}

/** The fault without its cause. */
export function faultStatus(fault: FaultStatus | null): FaultStatus | null {
  if (fault === null) return null
  const { kind, code, summary, hint } = fault
  return { kind, code, summary, hint }
}

function storeStatus(store: Store, shown: Shown): StoreStatus {
  const { driver, label, facts, disk } = store
  return { shown, driver: driver.name, label, version: facts.version, path: facts.path, disk }
}

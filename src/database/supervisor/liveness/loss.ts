import type { Fault } from '../../../driver/fault.ts'
import type { ConnectionSettings } from '../../machine/connection-settings.ts'
import type { Happening } from '../../machine/event.ts'
import { times } from '../../machine/policy.ts'
import type { Store } from '../../store/store.ts'

/** How long another member of the cluster is looked for when this store is lost, in milliseconds; 0: not at all. */
export function failoverLimitMs(
  { role, driver, hasOthers, facts }: Store,
  { failoverMs }: Pick<ConnectionSettings, 'failoverMs'>,
): number {
  if (role !== 'primary' || driver.embedded !== undefined) return 0
  if (failoverMs !== null) return failoverMs
  // Until the cluster knows that this one is gone, no member accepts a write: only then does the usual search begin.
  return hasOthers ? (facts.stallMs ?? 0) + times.failoverMs : 0
}

/** The loss of this store as the state machine needs to know it. */
export function lossEvent(store: Store, fault: Fault, settings: ConnectionSettings): Happening<Store> {
  const { label, hosts } = store
  const host = store.role === 'primary' && hosts > 1 ? { host: label } : {}
  return { type: 'store.lost', store, fault, failoverMs: failoverLimitMs(store, settings), ...host }
}

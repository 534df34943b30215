import type { Event } from './event.ts'
import { backoffMs, times } from './policy.ts'
import type { Carrying } from './state.ts'

/** Nothing is being carried. */
export const noCarrying: Carrying = { step: 'none' }

/** Starts to carry. */
export function carryingBy(id: number, failures: number = 0): Carrying {
  return { step: 'running', id, failures }
}

/** The next step; null when the event is not for it. `id` names it. */
export function carryingAfter<S>(carrying: Carrying, event: Event<S>, id: number): Carrying | null {
  if (carrying.step === 'none' || !('id' in event) || event.id !== carrying.id) return null
  if (carrying.step === 'waiting') return event.type === 'timer.due' ? carryingBy(id, carrying.failures) : null
  if (event.type === 'journal.drained') return noCarrying
  if (event.type !== 'drain.failed') return null
  const until = event.at + backoffMs(carrying.failures, event.chance, times.slowBackoffCapMs)
  return { step: 'waiting', id, until, failures: carrying.failures + 1, lastFault: event.fault }
}

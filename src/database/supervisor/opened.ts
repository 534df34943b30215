import { addressAdvice, diskAdvice } from '../store/address-advice.ts'
import type { Store } from '../store/store.ts'
import type { DatabaseObservation } from './observation.ts'

/** What is noticed when a store was opened: that it was, and what is worth considering about it. */
export function openedObservations(store: Store, isDeclared: boolean): readonly DatabaseObservation[] {
  const { role, driver, target, label, facts, disk } = store
  const shown = role === 'primary' || isDeclared ? role : 'local'
  const onDisk = shown === 'primary' || disk === null ? null : diskAdvice(disk.kind, shown)
  const advice = role === 'primary' ? addressAdvice(target, facts) : onDisk === null ? [] : [onDisk]
  return [
    { type: 'store.opened', role, shown, driver: driver.name, label, problems: facts.problems },
    ...advice.map((text) => ({ type: 'store.advised', shown, label, advice: text }) as const),
  ]
}

import { HoldfastError } from '../../errors.ts'
import type { Archiving } from '../store/archiving.ts'
import { limitedSignal, untilAborted } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { Demand, Durability, Serving, Shown } from '../store/store.ts'
import { durabilityOf, meets } from './durability.ts'
import { withFailedStore } from './failure.ts'
import type { Outcome, WorkOptions } from './session.ts'

/** Work that has ended well, and where. */
export interface Done<T> {
  readonly serving: Serving
  readonly value: T
}

/** What a write is when the archive has it, too; a primary is not archived. */
const archivedAs: Readonly<Partial<Record<Shown, Durability>>> = { local: 'archived', fallback: 'journal' }

/** Whether what this store commits meets the demand: by itself, or once the archive has it. From memory. */
export function canMeet(archiving: Archiving, { store, shown }: Serving, demand: Demand): boolean {
  return meets(durabilityOf(store, shown), demand) || archiveMeets(archiving, { store, shown }, demand)
}

/** Whether it will meet the demand once the archive has its first copy of the store, and not before. */
export function mayMeetSoon(archiving: Archiving, serving: Serving, demand: Demand | undefined): boolean {
  if (demand === undefined || canMeet(archiving, serving, demand)) return false
  const archived = archivedAs[serving.shown]
  return archived !== undefined && meets(archived, demand) && archiving.isPreparing(serving.store)
}

function archiveMeets(archiving: Archiving, { store, shown }: Serving, demand: Demand): boolean {
  const archived = archivedAs[shown]
  return archived !== undefined && meets(archived, demand) && archiving.canMeet(store, shown, demand)
}

/** What became of work without a demand: nothing is waited for. */
export function outcomeOf<T>(
  archiving: Archiving,
  { serving: { store, shown }, value }: Done<T>,
  { kind }: Pick<WorkOptions, 'kind'>,
): Outcome<T> {
  const outcome = { value, store: shown, driver: store.driver.name, durability: durabilityOf(store, shown) }
  const archiveLagS = kind === 'write' ? archiving.lagS(store, shown) : null
  return archiveLagS === null ? outcome : { ...outcome, archiveLagS }
}

/**
 * What became of work with a demand, after the archive has what the store cannot promise alone. Rejects with
 * ARCHIVE_UNCONFIRMED after `limitMs`: what was written stays.
 */
export async function demandedOutcome<T>(
  archiving: Archiving,
  done: Done<T>,
  { kind, demand, signal }: Pick<WorkOptions, 'kind' | 'demand' | 'signal'>,
  clock: Clock,
  limitMs: number,
): Promise<Outcome<T>> {
  const outcome = outcomeOf(archiving, done, { kind })
  const { store, shown } = done.serving
  const durability = archivedAs[shown]
  if (demand === undefined || durability === undefined || meets(outcome.durability, demand)) return outcome
  const limited = limitedSignal(clock, limitMs, signal, () => new HoldfastError('ARCHIVE_UNCONFIRMED'))
  try {
    await untilAborted(archiving.confirmed(store, shown, limited.signal), limited.signal)
  } catch (error) {
    throw withFailedStore(error, done.serving)
  } finally {
    limited.end()
  }
  const { archiveLagS: _lag, ...rest } = outcome
  return { ...rest, durability }
}

import { TargetError } from '../../../src/archive/target/target.ts'
import type { Entry } from '../../../src/driver/facet/journal.ts'

/** What an archive that cannot be reached answers. */
export function unreachable(): TargetError {
  return new TargetError('unreachable', 'The archive does not answer.', 'Check the network.')
}

/** An entry of a transaction of its own, unless that is given. */
export function entryOf(sequence: number, more: Partial<Entry> = {}): Entry {
  const id = `0190a1b2-0000-7000-8000-${String(sequence).padStart(12, '0')}`
  return {
    ...{ sequence, transaction: id, attempt: id, table: 'plain', key: `row-${sequence}`, operation: 'insert' },
    ...{ base: null, old: null, new: { id: `row-${sequence}`, word: 'w', holdfast_attempt: id } },
    ...more,
  }
}

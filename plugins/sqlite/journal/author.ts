import type Database from 'better-sqlite3'
// Not through the kit, which would make every driver load a package at import.
import { drawId } from '../../../src/driver/kit/draw-id.ts'
import {
  copyReadOnlyCode,
  type FaultError,
  faultError,
  journalFullCode,
  restingCode,
} from '../../../src/driver/kit/driver-kit.ts'
import type { JournalRoom } from './room.ts'

/** Whether a journaling file accepts changes; shared by the authors of its handles. */
export interface JournalGate {
  isServing: boolean
  /** The most bytes that may wait to be carried. */
  limitBytes: number
  readonly room: Pick<JournalRoom, 'isShort'>
}

/** The function that the triggers of a journal call. A connection that is not ours lacks it, so its changes fail. */
export const authorFunction = 'holdfast_author'

/** The function that the triggers of a table call which only the copy may change. */
export const guardFunction = 'holdfast_guard'

/**
 * Who writes on one handle: what `holdfast_author` answers. `begin` must be called before each local transaction; the
 * transaction gets its id, and its attempt unless it was given, with its first change.
 */
export class Author {
  readonly #gate: JournalGate
  #attempt: string | null = null
  #answer: string | null = null
  #isSilent = false

  constructor(native: Database.Database, gate: JournalGate) {
    this.#gate = gate
    native.function(authorFunction, (waitingBytes: unknown) => this.#answered(Number(waitingBytes)))
    // Asked first: it costs a fraction of making an entry, and the copy writes many rows.
    native.function(authorFunction, () => (this.#isSilent ? null : 1))
    native.function(guardFunction, () => {
      if (!this.#isSilent) throw guardError()
      return null
    })
  }

  /** A transaction begins, or the attempt of the one that has just begun becomes known. */
  begin(attempt: string | null): void {
    this.#attempt = attempt
    this.#answer = null
  }

  /** Runs changes that are not journaled. Synchronous, so that nothing else on the handle is meant. */
  silently<R>(work: () => R): R {
    this.#isSilent = true
    try {
      return work()
    } finally {
      this.#isSilent = false
    }
  }

  /** The transaction's id and its attempt in one text; null: the change is not journaled. */
  #answered(waitingBytes: number): string | null {
    if (this.#isSilent) return null
    if (!this.#gate.isServing) throw restingError()
    if (waitingBytes >= this.#gate.limitBytes) throw fullError(limitHint)
    if (this.#gate.room.isShort(waitingBytes)) throw fullError(roomHint)
    if (this.#answer === null) {
      const transaction = drawId()
      this.#answer = transaction + (this.#attempt ?? transaction)
    }
    return this.#answer
  }
}

function restingError(): FaultError {
  const summary = 'The fallback accepts no changes at the moment: the primary serves, or is about to.'
  return faultError('lost', restingCode, summary, 'Send the request again.')
}

function guardError(): FaultError {
  const summary = 'The table holds copied rows; only the primary accepts changes of it.'
  return faultError('read-only', copyReadOnlyCode, summary, 'Send the request again when the primary is back.')
}

const limitHint = 'Writes resume when the primary is back, or raise JOURNAL_MAX_BYTES.'
const roomHint = 'Its disk is almost full. Writes resume when the primary is back, or when there is space on the disk.'

function fullError(hint: string): FaultError {
  const summary = 'The journal of the fallback has reached its limit.'
  return faultError('transient', journalFullCode, summary, hint)
}

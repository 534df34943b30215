import { rollbacks } from '../fault-table.ts'
import { numberOf } from '../faults.ts'
import type { Answer } from './answer.ts'

/** Flags of the server's answers. */
const inTransaction = 1
const autocommit = 2

/** The state of a session, by the flags of each answer. */
export class SessionState {
  #isOpen = false
  #isAutocommit = true
  #isDoomed = false

  /** True while a transaction is open. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** True when the server has rolled back a transaction that its holder believes to be open. */
  get isDoomed(): boolean {
    return this.#isDoomed
  }

  /** True when nothing of the last holder is left for the next. */
  get isClean(): boolean {
    return !this.#isOpen && this.#isAutocommit && !this.#isDoomed
  }

  note({ status }: Answer): void {
    if (status === null) return
    this.#isOpen = (status & inTransaction) !== 0
    this.#isAutocommit = (status & autocommit) !== 0
    if (!this.#isOpen) this.#isDoomed = false
  }

  /** An error comes without flags. */
  noteFailure(error: unknown, rollsBackOnTimeout: boolean): void {
    const number = numberOf(error)
    if (number === null || !this.#isOpen) return
    this.#isDoomed ||= rollbacks.has(number) || (number === lockTimeout && rollsBackOnTimeout)
  }
}

/** The server's error number for a lock that was not available in time. */
export const lockTimeout = 1205

import { rollbacks } from '../fault-table.ts'
import { numberOf } from '../faults.ts'
import type { Answer } from './answer.ts'

/** Flags of the server's answers. */
const inTransaction = 1
const autocommit = 2

/** How a session stands, by what the server says with each answer. */
export class Standing {
  #isOpen = false
  #isAutocommit = true
  #isDoomed = false

  /** True while a transaction is open. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** True when the server has rolled back a transaction that its holder believes in. */
  get isDoomed(): boolean {
    return this.#isDoomed
  }

  /** True when the next holder finds nothing of the last one's. */
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

const lockTimeout = 1205

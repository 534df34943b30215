import type Database from 'better-sqlite3'
import type { Handle } from './handle.ts'

/**
 * Numbers the states of a file. SQLite's `data_version` changes when another connection commits, of this process or of
 * another one (https://sqlite.org/pragma.html#pragma_data_version), and says nothing of commits on its own.
 */
export class Generation {
  readonly #statement: Database.Statement<unknown[], unknown>
  #number = 0
  #version: unknown = null
  #turn: number | null = null

  constructor(handle: Handle) {
    this.#statement = handle.native.prepare<unknown[], unknown>('pragma data_version').pluck()
  }

  /** The number at this turn of the event loop, in which SQLite is asked once; null when it cannot tell. */
  at(turn: number): number | null {
    if (turn === this.#turn) return this.#number
    try {
      const version = this.#statement.get()
      if (version !== this.#version) this.#number += 1
      this.#version = version
      this.#turn = turn
      return this.#number
    } catch {
      // A foreign lock, or a file that cannot be read: the read itself finds out.
      return null
    }
  }

  /** This process may have written. */
  advance(): void {
    this.#number += 1
  }
}

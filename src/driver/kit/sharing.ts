/** What a caller needs a connection for: one read or one write, next to those of other callers; null: anything, alone. */
export type Share = 'read' | 'write' | null

/** As many statements are pipelined as a connection has lately answered within this time. */
const shareMs = 10

/** The most statements that are pipelined. */
const shareMax = 16

/** How much the newest measurement counts in the moving mean. */
const weight = 0.2

/** Callers that have one connection. */
interface Loan {
  readonly count: number
  readonly sinceMs: number
  left: number
}

/**
 * Decides how many connections are shared, and how many statements are pipelined on each. A statement waits for those before
 * it, so their number depends on how long they take. Few shared connections cost client and server much less processor time
 * than many, so there are more of them only while callers wait for the database.
 */
export class Sharing<C> {
  readonly #loans = new Map<C, Loan>()
  readonly #least: number
  readonly #most: number
  /** Connections that may be shared at a time. */
  #width: number
  /** How long a statement takes on a shared connection, a moving mean; infinite until the first one was measured. */
  #paceMs = Number.POSITIVE_INFINITY

  /** `least`: connections that may be shared at any time. `most`: the same while callers wait for the database. */
  constructor(least: number, most: number) {
    this.#least = Math.max(1, least)
    this.#most = Math.max(this.#least, most)
    this.#width = this.#least
  }

  /** Connections that may be lent now. */
  get left(): number {
    return this.#width - this.#loans.size
  }

  /** Call from time to time while callers wait; `isLate`: one of them has waited for too long. */
  adapt(isLate: boolean): void {
    this.#width = isLate ? Math.min(this.#most, this.#width + 1) : Math.max(this.#least, this.#width - 1)
  }

  /** How many of `waiting` callers get the next connection together, at least one. */
  shareOf(waiting: number, kind: 'read' | 'write'): number {
    const inTime = Math.max(1, Math.ceil(shareMs / this.#paceMs))
    const share = Math.min(shareMax, inTime, Math.ceil(waiting / this.#width))
    // A connection that breaks leaves all its writes without an answer: in all no more than with a connection for each.
    return kind === 'read' ? share : Math.min(share, Math.floor(this.#most / this.#width))
  }

  /** `client` now has `count` callers, each of whom gives it back. */
  lend(client: C, count: number): void {
    this.#loans.set(client, { count, sinceMs: performance.now(), left: count })
  }

  /** True when no other caller has the connection any more. */
  giveBack(client: C): boolean {
    const loan = this.#loans.get(client)
    if (loan === undefined) return true
    loan.left -= 1
    if (loan.left > 0) return false
    this.#loans.delete(client)
    const tookMs = (performance.now() - loan.sinceMs) / loan.count
    this.#paceMs = this.#paceMs === Number.POSITIVE_INFINITY ? tookMs : this.#paceMs + weight * (tookMs - this.#paceMs)
    return true
  }
}

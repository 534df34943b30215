/**
 * What a caller runs on a connection that others may have at the same time: one statement, at once. Null: more than that,
 * alone.
 */
export type Share = 'read' | 'write' | null

/** As many statements share a connection as it has lately answered within this time. */
const shareMs = 10

/** A connection answers at most so many in turn. */
const shareMax = 16

/** How much the newest measurement counts. */
const weight = 0.2

interface Loan {
  readonly count: number
  readonly sinceMs: number
  left: number
}

/**
 * Which connections several callers have at once, each for one statement. A statement waits for those before it on its
 * connection, so that how many may share one depends on how long they take. Few connections that are shared need much less
 * of both processors than many: there are more of them only where callers have to wait.
 */
export class Sharing<C> {
  readonly #loans = new Map<C, Loan>()
  readonly #least: number
  readonly #most: number
  #width: number
  /** How long a statement takes on a shared connection. */
  #paceMs = Number.POSITIVE_INFINITY

  /** `least`: so many connections may be lent at any time. `most`: so many where callers have to wait. */
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

  /** How many of those that wait may share one connection now. */
  shareOf(waiting: number, kind: 'read' | 'write'): number {
    const bearable = Math.max(1, Math.ceil(shareMs / this.#paceMs))
    const share = Math.min(shareMax, bearable, Math.ceil(waiting / this.#width))
    // With the connection, the answers to all of them are lost: to no more COMMITs than on connections of their own.
    return kind === 'read' ? share : Math.min(share, Math.floor(this.#most / this.#width))
  }

  lend(client: C, count: number): void {
    this.#loans.set(client, { count, sinceMs: performance.now(), left: count })
  }

  /** True where the caller was the last, or the only one, that had the connection. */
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

/** What is open and can be closed by reset. */
export interface Evictable {
  /** Frees the caller that waits on it and closes it by reset. Never throws. Safe to call twice. */
  evict(): void
}

/** One connection of a pool. */
export interface PooledClient extends Evictable {
  /** True when a statement could be sent now. */
  readonly isReady: boolean
  /** True when it is ready, and nothing of its last holder is left in its session: no open transaction. */
  readonly isIdle: boolean
  /**
   * True once the server has shown that it is not the one that is wanted any more: idle connections that are older are closed
   * as well.
   */
  readonly isOutdated?: boolean
  /** Opens it, within the client's own limit. */
  connect(): Promise<unknown>
  /** Runs a statement after those that were given before it. */
  run(text: string): Promise<unknown>
  /** Sends the statements of this turn of the event loop in one write. Only for clients that callers may share. */
  gather?(): void
  /** Closes it with a goodbye, by reset when that takes too long. Never rejects. Safe to call twice. */
  end(): Promise<void>
  /** Calls once when the connection is over, at once when it is already. */
  onEnd(listener: () => void): void
}

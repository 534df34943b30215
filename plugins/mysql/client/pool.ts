import { isIP } from 'node:net'
import { createPool, type Pool } from 'mysql2'
import { FaultError, faultError, type LeasingPool, type Limits, TransactionScope } from '../../../src/driver/driver.ts'
import { classify, closedError, exhaustedError, silentError } from '../faults.ts'
import { SafeClient } from './client.ts'
import type { SafeClientConfig } from './client-config.ts'

/** Connections above the kept ones are closed when nobody used them for this long. */
const idleMs = 10_000

/** How long an ended socket may take to say so. */
const lateMs = 500

/** What a pool is made of. */
export interface PoolParts {
  readonly config: SafeClientConfig
  readonly limits: Limits
}

interface Waiter {
  give(client: SafeClient): void
  refuse(error: unknown): void
}

/**
 * The connections of one ORM. Our own, not mysql2's: that one has no limit for a wait, keeps a place in its line for
 * whoever has left, and says nothing of errors that come before a connection is there, which then end the process.
 */
export class SafePool implements LeasingPool<SafeClient> {
  readonly transactions: TransactionScope<SafeClient> = new TransactionScope()
  readonly limits: Limits
  readonly config: SafeClientConfig
  /** Those that have a place: open, or being opened. */
  readonly #members = new Set<SafeClient>()
  readonly #opening = new Set<SafeClient>()
  /** Those that say goodbye: they have a place still, and nobody gets them any more. */
  readonly #leaving = new Set<SafeClient>()
  /** The one that was used last is last, and is used next: so the others grow old and are closed. */
  readonly #idle: SafeClient[] = []
  readonly #waiters: Waiter[] = []
  readonly #timers = new Map<SafeClient, NodeJS.Timeout>()
  #native: Pool | null = null
  #isClosed = false
  #end: Promise<void> | null = null

  constructor({ config, limits }: PoolParts) {
    this.config = config
    this.limits = limits
  }

  /** Connections that are open or being opened. */
  get size(): number {
    return this.#members.size
  }

  /** mysql2's own pool beside this one, made when an application asks for it. What is run on it has no limits of ours. */
  get native(): Pool {
    const { host, port, user, password, database, tls } = this.config
    if (tls !== null && tls.name !== null && isIP(host) !== 0) throw namelessError()
    this.#native ??= createPool({
      ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
      user,
      password: password?.reveal() ?? '',
      database,
      ...(tls === null ? {} : { ssl: { ...tls, verifyIdentity: tls.name !== null } }),
      charset: 'utf8mb4_bin',
      timezone: 'Z',
      dateStrings: true,
      supportBigNumbers: true,
      jsonStrings: true,
      connectionLimit: Math.max(1, this.limits.poolSize),
      connectTimeout: this.config.connectMs,
    })
    return this.#native
  }

  /** A connection that is the caller's until `release()`. @throws FaultError: nothing was sent. */
  async acquire(): Promise<SafeClient> {
    if (this.#isClosed) throw closedError()
    const free = this.#takeIdle()
    if (free !== null) return free
    const { promise, resolve, reject } = Promise.withResolvers<SafeClient>()
    const waiter: Waiter = { give: resolve, refuse: reject }
    this.#waiters.push(waiter)
    // One wait for a connection, whether for a free one or for a new one.
    const timer = setTimeout(
      () => {
        this.#leave(waiter)
        reject(this.#opening.size > 0 ? silentError() : exhaustedError())
      },
      Math.min(this.limits.connectMs, this.limits.queryMs),
    )
    this.#grow()
    return promise.finally(() => clearTimeout(timer))
  }

  /** Gives a connection back, which is destroyed unless it is idle. */
  release(client: SafeClient): void {
    if (!this.#members.has(client)) return
    if (this.#isClosed || !client.isIdle) {
      if (client.isIdle) void client.end()
      else client.evict()
      return
    }
    const waiter = this.#waiters.shift()
    if (waiter !== undefined) waiter.give(client)
    else this.#rest(client)
  }

  /** One more connection, in no pool; the caller ends it. */
  async openAside(): Promise<SafeClient> {
    if (this.#isClosed) throw closedError()
    const client = new SafeClient(this.config)
    await client.connect()
    return client
  }

  /** Refuses whoever comes, waits for those who work, and resets what is left. Never throws. Safe to call twice. */
  close(withinMs: number): Promise<void> {
    this.#end ??= this.#close(withinMs)
    return this.#end
  }

  async #close(withinMs: number): Promise<void> {
    this.#isClosed = true
    for (const waiter of this.#waiters.splice(0)) waiter.refuse(closedError())
    for (const timer of this.#timers.values()) clearTimeout(timer)
    for (const client of this.#idle.splice(0)) void client.end()
    this.#native?.end(() => {})
    await this.#empty(withinMs)
    for (const client of this.config.clients) client.evict()
    await this.#empty(lateMs)
  }

  async #empty(withinMs: number): Promise<void> {
    const limit = performance.now() + withinMs
    while (this.config.clients.size > 0 && performance.now() < limit) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  #takeIdle(): SafeClient | null {
    for (let client = this.#idle.pop(); client !== undefined; client = this.#idle.pop()) {
      clearTimeout(this.#timers.get(client))
      this.#timers.delete(client)
      if (client.isIdle) return client
      client.evict()
    }
    return null
  }

  #rest(client: SafeClient): void {
    this.#idle.push(client)
    const timer = setTimeout(() => this.#retire(client), idleMs)
    timer.unref()
    this.#timers.set(client, timer)
  }

  #retire(client: SafeClient): void {
    this.#timers.delete(client)
    const at = this.#idle.indexOf(client)
    if (at < 0 || this.#members.size - this.#leaving.size <= this.limits.poolSize) return
    this.#idle.splice(at, 1)
    this.#leaving.add(client)
    void client.end()
  }

  /** Opens one connection for who waits, where there is a place for it. */
  #grow(): void {
    const max = this.limits.poolSize + this.limits.poolMaxOverflow
    if (this.#isClosed || this.#waiters.length <= this.#opening.size || this.#members.size >= max) return
    const client = new SafeClient(this.config)
    this.#members.add(client)
    this.#opening.add(client)
    client.connect().then(
      () => {
        this.#opening.delete(client)
        client.onGone(() => this.#forget(client))
        this.release(client)
      },
      (error: unknown) => {
        this.#opening.delete(client)
        // Who has waited longest hears of it; each of the others has its own try.
        this.#waiters.shift()?.refuse(new FaultError({ ...classify(error, 'open'), ambiguous: false }))
        this.#forget(client)
      },
    )
  }

  #forget(client: SafeClient): void {
    if (!this.#members.delete(client)) return
    this.#leaving.delete(client)
    clearTimeout(this.#timers.get(client))
    this.#timers.delete(client)
    const at = this.#idle.indexOf(client)
    if (at >= 0) this.#idle.splice(at, 1)
    this.#grow()
  }

  #leave(waiter: Waiter): void {
    const at = this.#waiters.indexOf(waiter)
    if (at >= 0) this.#waiters.splice(at, 1)
  }
}

/** mysql2 by itself would take a certificate for "localhost" from a host that is a number. */
function namelessError(): FaultError {
  const summary = 'The native client cannot check the name in a certificate where the host is an IP address.'
  return faultError('tls', 'TLS_NAME_UNCHECKED', summary, 'Write the name of the host, or ssl-mode=VERIFY_CA.')
}

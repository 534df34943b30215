import { createHash } from 'node:crypto'
import pg from 'pg'
import { FaultError, type LeasingPool, type Limits, TransactionScope } from '../../../src/driver/driver.ts'
import { classify, closedError, isRefusal, silentError } from '../faults.ts'
import { SafeClient, type SafeClientConfig } from './client.ts'
import { Waits } from './waits.ts'

/** Connections above the kept ones, and those that nobody used, are closed after this. */
const idleMs = 10_000

/** Statements beyond are not prepared: each costs memory on every connection of the server. */
const namesMax = 256

/** How long an ended socket may take to say so. */
const lateMs = 500

/** What a pool is made of. */
export interface PoolParts {
  readonly config: SafeClientConfig
  readonly limits: Limits
  /** True where connections are shared between transactions: then nothing is prepared. */
  readonly isPooled: boolean
}

/** The connections of one ORM. */
export class SafePool implements LeasingPool<SafeClient> {
  readonly transactions: TransactionScope<SafeClient> = new TransactionScope()
  readonly native: pg.Pool
  readonly limits: Limits
  readonly config: SafeClientConfig
  readonly #waits: Waits
  readonly #names = new Map<string, string>()
  #renames = 0
  #isPooled: boolean
  #isClosed = false
  #end: Promise<void> | null = null

  constructor({ config, limits, isPooled }: PoolParts) {
    this.config = config
    this.limits = limits
    this.#isPooled = isPooled
    // One wait for a connection, whether for a free one or for a new one.
    const waitMs = Math.min(limits.connectMs, limits.queryMs)
    this.native = new pg.Pool({
      ...config,
      // Not enumerable in pg's own copies, so that no dump of options shows it.
      password: config.password,
      min: limits.poolSize,
      max: limits.poolSize + limits.poolMaxOverflow,
      idleTimeoutMillis: idleMs,
      connectionTimeoutMillis: waitMs,
      Client: SafeClient as unknown as new () => pg.Client, // pg gives it these very options.
      onConnect: (client) => (client as SafeClient).assertBound(), // Made just above.
    } as pg.PoolConfig) // `Client` and `onConnect` are not in its types.
    this.native.on('error', () => {})
    this.#waits = new Waits(this.native, waitMs)
  }

  /** True where connections are shared between transactions. */
  get isPooled(): boolean {
    return this.#isPooled
  }

  /** A connection that is the caller's until `release()`. @throws FaultError: nothing was sent. */
  async acquire(): Promise<SafeClient> {
    if (this.#isClosed) throw closedError()
    try {
      return (await this.#waits.connect()) as unknown as SafeClient // Its `Client`.
    } catch (error) {
      if (error instanceof FaultError) throw error
      // Who still waited when the pool was closed waits until the limit.
      if (this.#isClosed) throw closedError()
      const fault = classify(error, 'open')
      // Who waits for a connection that is being opened hears from pg-pool that all are in use.
      const isSilent = fault.code === 'POOL_EXHAUSTED' && [...this.config.clients].some((client) => client.isConnecting)
      throw isSilent ? silentError(error) : new FaultError({ ...fault, ambiguous: false })
    }
  }

  /** Gives a connection back, which is destroyed unless it is idle. */
  release(client: SafeClient): void {
    client.release()
  }

  /**
   * The name to prepare this text under; undefined where it is not to be prepared. Made of the text: behind a pooler that
   * nobody knows of, a name may already stand for what another process prepared, and then it is the same.
   */
  nameOf(text: string): string | undefined {
    if (this.#isPooled) return undefined
    const known = this.#names.get(text)
    if (known !== undefined) return known
    if (this.#names.size >= namesMax) return undefined
    const name = `holdfast_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
    this.#names.set(text, name)
    return name
  }

  /**
   * Whether a statement that failed under a name can be run again without: nothing of it was executed. Names are left
   * for good where they do not last from one statement to the next, and for this text where its tables have changed.
   */
  mayRepeat(error: unknown, text: string, name: string | undefined): boolean {
    // A pooler that ends the connection says 08P01 as well, and then the statement may have been run.
    if (name === undefined || !isRefusal(error)) return false
    const { code, routine } = error
    if (code === '26000' || code === '42P05' || code === '08P01') {
      this.#isPooled = true
      return true
    }
    // By the function that says so: the text is translated.
    const isStale = code === '0A000' && (routine === 'RevalidateCachedQuery' || /cached plan/.test(error.message))
    // A name that this connection has never heard: 41 letters of the text's own, and a number.
    if (isStale) this.#names.set(text, `${name.slice(0, 41)}_${++this.#renames}`)
    return isStale
  }

  /** Refuses whoever comes, waits for those who work, and resets what is left. Never throws. Safe to call twice. */
  close(withinMs: number): Promise<void> {
    this.#end ??= this.#close(withinMs)
    return this.#end
  }

  async #close(withinMs: number): Promise<void> {
    this.#isClosed = true
    void this.native.end().catch(() => {})
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
}

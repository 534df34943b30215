import { createHash } from 'node:crypto'
import pg from 'pg'
import type { Limits } from '../../../src/driver/driver.ts'
import type { Statement, Statements, Written } from '../../../src/driver/facet/statements.ts'
import { ConnectionPool, createStatements } from '../../../src/driver/kit/driver-kit.ts'
import { faults, isRefusal, isTaken, staleError, standbyError } from '../faults.ts'
import { type NativeOptions, SafeClient, type SafeClientConfig } from './client.ts'

/** Statements beyond are not prepared: each costs memory on every connection of the server. */
const namesMax = 256

/** The statements of rows. Others may change the session, as BEGIN does, and are sent on a connection of their own. */
const ofRows = /^[\s(]*(?:select|insert|update|delete|with|values|merge)\b/i

/** The parts of a pool. */
interface SafePoolParts {
  readonly config: SafeClientConfig
  readonly limits: Limits
  /** True where connections are shared between transactions: then nothing is prepared. */
  readonly isPooled: boolean
}

/** The connections of one ORM, and the names under which they prepare statements. */
export class SafePool extends ConnectionPool<SafeClient> {
  /** Native statements, prepared by name where no pooler shares the connections. */
  readonly statements: Statements
  readonly #config: SafeClientConfig
  readonly #names = new Map<string, string>()
  #renames = 0
  #isPooled: boolean
  #native: pg.Pool | null = null

  constructor({ config, limits, isPooled }: SafePoolParts) {
    const connectMs = Math.min(config.connectionTimeoutMillis ?? limits.connectMs, limits.queryMs)
    super({
      limits,
      create: () => new SafeClient({ ...config, connectionTimeoutMillis: connectMs, pipeline: true }),
      open: config.clients,
      unopened: faults.unopened,
      // What a pooler reports may be that of another server, and years old.
      unfit: ({ reports }) =>
        config.wantsPrimary && !this.isPooled && reports.isStandby === true ? standbyError() : null,
    })
    this.#config = config
    this.#isPooled = isPooled
    this.statements = createStatements<NativeOptions, SafeClient>(this, {
      options: (sql, phase, isJoined) => ({ name: this.#nameOf(sql), phase, isJoined }),
      run: (client, sql, values, options) => client.runNative(sql, values, options),
      mayShare: ({ name }) => name !== undefined,
      retry: (error, { client, sql, options, isJoined }) => {
        if (!this.#mayRepeat(error, sql, options.name)) throw error
        // The refusal has ended the transaction: it can be begun again, and then the name is another one or none.
        if (isJoined) throw staleError(error)
        if (!client.isOpen) throw error
        return { ...options, name: this.#nameOf(sql) }
      },
      pairs: {
        run: (client, first, second) => this.#runPair(client, first, second),
        mayShare: (...both) => both.every(({ sql }) => this.#nameOf(sql) !== undefined),
        isTaken,
      },
    })
  }

  /** True where connections are shared between transactions. */
  get isPooled(): boolean {
    return this.#isPooled
  }

  /** pg's own pool next to this one, for an application that asks for it; made then, and closed with this one. Its statements have no limits but the application's. */
  get native(): pg.Pool {
    if (this.#native !== null) return this.#native
    const Client = SafeClient as unknown as new () => pg.Client // pg gives it the options of the pool.
    const native = new pg.Pool({ ...this.#config, max: Math.max(1, this.limits.poolSize), Client } as pg.PoolConfig) // Untyped.
    native.on('error', () => {})
    this.#native = native
    return native
  }

  override close(withinMs: number): Promise<void> {
    void this.#native?.end().catch(() => {})
    return super.close(withinMs)
  }

  /** Again under other names where nothing was executed. */
  async #runPair(client: SafeClient, first: Statement, second: Statement): Promise<Written> {
    const named = (one: Statement) => ({ ...one, name: this.#nameOf(one.sql) })
    const steps = [named(first), named(second)] as const
    try {
      return await client.runPair(...steps)
    } catch (error) {
      // Both, since the error does not say which of them is stale.
      const mayRepeat = steps.map(({ sql, name }) => this.#mayRepeat(error, sql, name)).includes(true)
      if (!mayRepeat || !client.isOpen) throw error
      return await client.runPair(named(first), named(second))
    }
  }

  /**
   * The name to prepare this text under; undefined where it is not to be prepared, and then not to share a connection.
   * Made of the text: behind a pooler that Holdfast does not know of, a name may stand for what another process prepared,
   * and then it is the same.
   */
  #nameOf(text: string): string | undefined {
    if (this.#isPooled) return undefined
    const known = this.#names.get(text)
    if (known !== undefined) return known
    if (this.#names.size >= namesMax || !ofRows.test(text)) return undefined
    const name = `holdfast_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
    this.#names.set(text, name)
    return name
  }

  /**
   * Whether a statement that failed under a name can be run again without it: nothing of it was executed. Names are no
   * longer used where they do not last from one statement to the next, nor this one where its tables have changed.
   */
  #mayRepeat(error: unknown, text: string, name: string | undefined): boolean {
    // A pooler that ends the connection says 08P01 as well, and then the statement may have been run.
    if (name === undefined || !isRefusal(error)) return false
    const { code, routine } = error
    if (code === '26000' || code === '42P05' || code === '08P01') {
      this.#isPooled = true
      return true
    }
    // By the function that reports it: the text is translated.
    const isStale = code === '0A000' && (routine === 'RevalidateCachedQuery' || /cached plan/.test(error.message))
    // A name that no connection has prepared: 41 letters of the text's own, and a number. Once, however many have failed.
    if (isStale && this.#names.get(text) === name) this.#names.set(text, `${name.slice(0, 41)}_${++this.#renames}`)
    return isStale
  }
}

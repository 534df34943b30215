import { isIP } from 'node:net'
import { createPool, type Pool } from 'mysql2'
import type { Limits } from '../../../src/driver/driver.ts'
import type { Statements } from '../../../src/driver/facet/statements.ts'
import { ConnectionPool, createStatements, type FaultError, faultError } from '../../../src/driver/kit/driver-kit.ts'
import { faults, numberOf } from '../faults.ts'
import { claimOf, createClaimingWrite, unprepared } from './claiming.ts'
import { type RunOptions, SafeClient } from './client.ts'
import { optionsOf, type SafeClientConfig } from './client-config.ts'
import { waiting } from './session.ts'

/** What meets no row, or an old one, where another member has written a moment before. */
const changes = /^\s*(?:update|delete)\b/i

/** The parts of a pool. */
interface SafePoolParts {
  readonly config: SafeClientConfig
  readonly limits: Limits
  /** Whether the server is MariaDB, which has compound statements. */
  readonly isMariaDb: boolean
}

/** The connections of one ORM. */
export class SafePool extends ConnectionPool<SafeClient> {
  /** Native statements, prepared once per connection: no value becomes part of a text. */
  readonly statements: Statements
  readonly config: SafeClientConfig
  #native: Pool | null = null

  constructor({ config, limits, isMariaDb }: SafePoolParts) {
    super({
      limits,
      stallMs: () => config.server.stallMs,
      create: () => new SafeClient(config),
      open: config.clients,
      unopened: faults.unopened,
    })
    this.config = config
    const statements = createStatements<RunOptions, SafeClient>(this, {
      options: (_sql, phase) => ({ isPrepared: true, phase }),
      run: (client, sql, values, options) => client.run(sql, values, options),
      retry: (error, { client, options }) => {
        const number = numberOf(error)
        if (number === null || !unprepared.has(number) || !client.isReady) throw error
        return { ...options, isPrepared: false }
      },
    })
    const claim = createClaimingWrite(this, statements, isMariaDb)
    /** A transaction has waited when it began. */
    const waits = (): boolean => config.server.syncWait === 'read' && this.transactions.current === null
    this.statements = {
      read: (sql, values, note) => statements.read(note?.fresh === true && waits() ? waiting(sql) : sql, values),
      takesFirst: true,
      write(text, values, note) {
        const sql = changes.test(text) && waits() ? waiting(text) : text
        if (note?.first !== undefined) return claim(sql, values, { ...note.first, known: 'requestKnown' })
        if (note?.claims !== true) return statements.write(sql, values)
        if (note.attempt !== undefined) return claim(sql, values, claimOf(note.attempt))
        return Promise.reject(new TypeError('A write that claims needs an attempt.'))
      },
    }
  }

  /** mysql2's own pool next to this one, for an application that asks for it; made then, and closed with this one. Its statements have no limits but the application's. */
  get native(): Pool {
    const { host, tls } = this.config
    if (tls !== null && tls.name !== null && isIP(host) !== 0) throw namelessError()
    this.#native ??= createPool({
      ...optionsOf(this.config),
      // Here mysql2 itself checks the name.
      ...(tls === null ? {} : { ssl: { ...tls, verifyIdentity: tls.name !== null } }),
      connectionLimit: Math.max(1, this.limits.poolSize),
      connectTimeout: this.config.connectMs,
    })
    return this.#native
  }

  override close(withinMs: number): Promise<void> {
    this.#native?.end(() => {})
    return super.close(withinMs)
  }
}

/** mysql2 by itself would accept a certificate for "localhost" from a host that is a number. */
function namelessError(): FaultError {
  const summary = 'The native client cannot check the name in a certificate where the host is an IP address.'
  return faultError('tls', 'TLS_NAME_UNCHECKED', summary, 'Write the name of the host, or ssl-mode=VERIFY_CA.')
}

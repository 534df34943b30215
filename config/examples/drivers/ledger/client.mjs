// One connection to the ledger, as the kit's pool needs it. Loaded when a ledger is connected to, not before.
import { PostgresDialect } from 'kysely'
import pg from 'pg'
import Cursor from 'pg-cursor'

export { PostgresDialect }

/** A connection of pg with a limit for each statement, that reports its end. */
export class LedgerClient {
  #native
  #open
  #isReady = false

  constructor({ host, port, user, password, database, ssl }, { connectMs, queryMs }, open) {
    const limits = { connectionTimeoutMillis: connectMs, query_timeout: queryMs }
    this.#native = new pg.Client({ host, port, user, password: password?.reveal() ?? '', database, ssl, ...limits })
    this.#open = open
    open.add(this)
    this.#native.once('end', () => {
      this.#isReady = false
      open.delete(this)
    })
    this.#native.on('error', () => this.evict())
  }

  get native() {
    return this.#native
  }

  get processId() {
    return this.#native.processID
  }

  get isReady() {
    return this.#isReady
  }

  get isIdle() {
    return this.#isReady && this.#native.getTransactionStatus() === 'I'
  }

  async connect() {
    await this.#native.connect()
    this.#isReady = true
  }

  async run(text, values = []) {
    try {
      return await this.#native.query(text, [...values])
    } catch (error) {
      // Without a SQLSTATE the server did not answer: what it still sends would be another statement's answer.
      if (!/^[0-9A-Z]{5}$/.test(error.code ?? '')) {
        this.evict()
        throw Object.assign(error, { code: error.code ?? 'QUERY_TIMEOUT' })
      }
      throw error
    }
  }

  evict() {
    this.#isReady = false
    this.#open.delete(this)
    this.#native.connection.stream.destroy()
  }

  async end() {
    this.#isReady = false
    await this.#native.end().catch(() => this.evict())
  }

  onEnd(listener) {
    if (this.#isReady) this.#native.once('end', listener)
    else listener()
  }
}

/** The rows of a stream by portions. */
export function createPortions({ native }, sql, values) {
  const cursor = native.query(new Cursor(sql, [...values]))
  return { read: (count) => cursor.read(count), close: () => cursor.close() }
}

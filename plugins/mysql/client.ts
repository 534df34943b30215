import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { checkServerIdentity, TLSSocket } from 'node:tls'
import { type Connection, type ConnectionOptions, createConnection } from 'mysql2'
import { FaultError, faultError, type Phase, type Secret } from '../../src/driver/driver.ts'
import { type Answer, answerOf } from './answer.ts'
import { classify, numberOf, packetError, rolledBackError, silentError, timeoutError, withPhase } from './faults.ts'
import { meanings, rollbacks } from './meanings.ts'
import { type ServerFacts, sessionTexts } from './session.ts'
import type { TlsOptions } from './tls.ts'

/** What a client is made with. */
export interface SafeClientConfig {
  /** A name, an address, or the file of a Unix socket (it begins with `/`). */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Secret | null
  readonly database: string
  readonly tls: TlsOptions | null
  /** One connection attempt, until the session is as it must be. */
  readonly connectMs: number
  /** One statement. */
  readonly queryMs: number
  /** An idle transaction, which the server ends where it can. */
  readonly transactionMs: number
  /** What is known of the server, shared by all clients of one place. */
  readonly server: ServerFacts
  /** Where the client notes itself as long as its socket is open. */
  readonly clients: Set<SafeClient>
}

/** How a statement is run. */
export interface RunOptions {
  /** Prepared once per connection, in a bounded cache; else the values are written into the text, escaped. */
  readonly isPrepared?: boolean
  /** In which phase a loss of the connection happens; by its first word when absent. */
  readonly phase?: Phase | undefined
}

/** Prepared statements of one connection; the one that was not used for longest is closed first. */
const preparedMax = 256

/** How long a farewell may take. */
const farewellMs = 500

/** Members of mysql2's connection that its types leave out, as version 3.24 has them. */
interface Internals {
  stream: Socket
  readonly _isMariaDB: boolean
  readonly _handshakePacket: { readonly serverVersion: string } | null
  startTLS(onSecure: (error?: Error) => void): void
}

/**
 * One connection. Each statement has a limit, past which the caller is freed and the connection reset; a transaction that
 * the server has rolled back runs nothing more; what is not idle when it goes back to the pool is destroyed; and no event
 * of an idle one ends the process.
 */
export class SafeClient {
  readonly #config: SafeClientConfig
  #connection: Connection | null = null
  #failure: unknown = null
  #isGone = false
  #isBusy = false
  #status: 'I' | 'T' = 'I'
  #isAutocommit = true
  #isDoomed = false
  #stream: Readable | null = null
  readonly #waiting: (() => void)[] = []
  readonly #whenGone: (() => void)[] = []

  constructor(config: SafeClientConfig) {
    this.#config = config
  }

  /** True when nothing runs, no transaction is open and the socket is well. */
  get isIdle(): boolean {
    return this.isReady && this.#status === 'I' && this.#isAutocommit && !this.#isDoomed
  }

  /** True when a statement could be sent now. */
  get isReady(): boolean {
    return this.#connection !== null && !this.#isGone && !this.#isBusy
  }

  /** `I`: no transaction is open; `T`: one is. */
  get status(): 'I' | 'T' {
    return this.#status
  }

  /** The server's number for this connection. */
  get threadId(): number | null {
    return this.#connection?.threadId ?? null
  }

  get config(): SafeClientConfig {
    return this.#config
  }

  /** Calls once when the connection is over, at once when it is already. */
  onGone(listener: () => void): void {
    if (this.#isGone) listener()
    else this.#whenGone.push(listener)
  }

  /**
   * Opens the connection, and sets what its session must be.
   *
   * @throws what `classify` reads; then nothing stays open.
   */
  async connect(): Promise<void> {
    const timer = setTimeout(() => {
      this.#failure = silentError()
      this.evict()
    }, this.#config.connectMs)
    try {
      await this.#shakeHands()
      const version = this.#connection === null ? null : internals(this.#connection)._handshakePacket?.serverVersion
      for (const text of sessionTexts(version ?? '', this.#config)) await this.run(text, [], { phase: 'open' })
    } catch (error) {
      this.evict()
      throw withPhase(this.#failure ?? error, 'open')
    } finally {
      clearTimeout(timer)
    }
  }

  /** Frees whoever waits and closes by reset. Never throws. Safe to call twice. */
  evict(): void {
    const stream = this.#connection === null ? null : internals(this.#connection).stream
    this.#end(null)
    if (stream === null || stream.destroyed) return
    // Only TCP knows a reset; only once it is connected, else it would wait for that; and only before the end was sent:
    // after it libuv refuses the reset, and Node never closes the socket.
    const isTcp = stream instanceof Socket && !(stream instanceof TLSSocket) && stream.remoteAddress !== undefined
    if (isTcp && !stream.connecting && !stream.writableEnded) stream.resetAndDestroy()
    else stream.destroy()
  }

  /** Takes leave of the server. Never throws. Safe to call twice and after `evict`. */
  async end(): Promise<void> {
    const connection = this.#connection
    if (connection === null || this.#isGone) return
    if (!this.isReady) return this.evict()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, farewellMs)
    internals(connection).stream.once('close', resolve)
    this.onGone(resolve)
    connection.end(() => {})
    await promise
    clearTimeout(timer)
    this.evict()
  }

  /**
   * Runs a statement after those that were given before it. Values are bound.
   *
   * @throws mysql2's error for what the server refuses; a FaultError that knows its phase for all that loses the connection.
   */
  async run(text: string, values: readonly unknown[] = [], options: RunOptions = {}): Promise<Answer> {
    if (this.#isBusy) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#isBusy = true
    const phase = options.phase ?? this.#phaseOf(text)
    try {
      if (this.#isDoomed) await this.#refuse(text, phase)
      const answer = await this.#send(text, values, options.isPrepared === true, phase)
      this.#note(answer)
      return answer
    } catch (error) {
      this.#noteFailure(error)
      throw withPhase(error, phase)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#isBusy = false
      else next()
    }
  }

  /** The rows of a statement one by one; the client is busy until they are all read. For `SafeStream` alone. */
  stream(text: string, values: readonly unknown[], buffered: number): Readable {
    const connection = this.#connection
    if (connection === null || this.#isGone || this.#isBusy || this.#isDoomed) throw notSent()
    this.#isBusy = true
    const given = values.length === 0 ? {} : { values: [...values] }
    const stream = connection.query({ sql: text, ...given }).stream({ highWaterMark: buffered })
    this.#stream = stream
    stream.once('end', () => {
      this.#stream = null
      this.#isBusy = false
    })
    return stream
  }

  #shakeHands(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const connection = createConnection(optionsOf(this.#config))
    this.#connection = connection
    this.#config.clients.add(this)
    const { stream } = internals(connection)
    stream.once('close', () => {
      this.#config.clients.delete(this)
      this.#end(null)
    })
    this.#checkIdentity(connection)
    connection.once('connect', () => resolve())
    // An "error" event that nobody listens to ends the process. What was running rejects by itself.
    connection.on('error', (error) => {
      this.#failure ??= error
      this.#end(error)
      reject(error)
    })
    connection.on('end', () => this.#end(null))
    this.onGone(() => reject(this.#failure ?? lost()))
    return promise
  }

  /** mysql2 compares the name in a certificate with "localhost" when it was given a number: the name is compared here. */
  #checkIdentity(connection: Connection): void {
    const { tls } = this.#config
    if (tls === null) return
    const inner = internals(connection)
    const start = inner.startTLS.bind(connection)
    inner.startTLS = (onSecure) =>
      start((error) => {
        const { stream } = inner
        const isOther = error === undefined && tls.name !== null && stream instanceof TLSSocket
        const found = isOther ? checkServerIdentity(tls.name ?? '', stream.getPeerCertificate()) : error
        // mysql2 writes its own code over the one that says what is wrong with the certificate.
        if (found !== undefined) this.#failure ??= new FaultError({ ...classify(found, 'open'), ambiguous: false })
        onSecure(found)
      })
  }

  #send(text: string, values: readonly unknown[], isPrepared: boolean, phase: Phase): Promise<Answer> {
    const connection = this.#connection
    if (connection === null || this.#isGone) throw notSent()
    this.#weigh(text, values)
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const timer = setTimeout(() => {
      reject(timeoutError(phase))
      this.evict()
    }, this.#config.queryMs)
    const given = values.length === 0 ? {} : { values: [...values] }
    const done = (error: unknown, result: unknown, fields: unknown): void => {
      if (error === null || error === undefined) resolve(answerOf(result, fields))
      else reject(withoutText(error))
    }
    try {
      if (isPrepared) connection.execute({ sql: text, ...given }, done)
      else connection.query({ sql: text, ...given }, done)
    } catch (error) {
      reject(error)
    }
    return promise.finally(() => clearTimeout(timer))
  }

  /** The server ends the connection for a packet that is too large, and that would look like a loss. */
  #weigh(text: string, values: readonly unknown[]): void {
    const { packetBytes } = this.#config.server
    if (packetBytes === null) return
    let bytes = 1_024 + weightOf(text)
    for (const value of values) bytes += 16 + weightOf(value)
    if (bytes > packetBytes) throw packetError(packetBytes)
  }

  /** Whatever comes after the server's own rollback would be committed by itself. */
  async #refuse(text: string, phase: Phase): Promise<void> {
    if (isRollback.test(text)) return
    if (isCommit.test(text)) this.#note(await this.#send('rollback', [], false, phase))
    throw rolledBackError(isCommit.test(text))
  }

  #note({ status }: Answer): void {
    if (status === null) return
    this.#status = (status & inTransaction) === 0 ? 'I' : 'T'
    this.#isAutocommit = (status & autocommit) !== 0
    if (this.#status === 'I') this.#isDoomed = false
  }

  #noteFailure(error: unknown): void {
    const number = numberOf(error)
    if (number === null || this.#status !== 'T') return
    this.#isDoomed ||= rollbacks.has(number) || (number === 1205 && this.#config.server.rollsBackOnTimeout)
  }

  #end(error: unknown): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#stream?.destroy(error instanceof Error ? error : lost())
    for (const listener of this.#whenGone.splice(0)) listener()
  }

  #phaseOf(text: string): Phase {
    if (isCommit.test(text)) return 'commit'
    if (/^\s*(?:begin|start\s+transaction)\b/i.test(text)) return 'begin'
    if (isRollback.test(text)) return 'rollback'
    // Outside of a transaction a statement is its own COMMIT. By its first word: "with" and "call" may write.
    const isRead = /^[\s(]*(?:select|show|explain|describe|values|table|set|use|kill)\b/i.test(text)
    return this.#status === 'I' && !isRead ? 'commit' : 'statement'
  }
}

const isCommit = /^\s*commit\b/i
const isRollback = /^\s*rollback(?!\s+(?:work\s+)?to\b)/i

/** Flags of the server's answers. */
const inTransaction = 1
const autocommit = 2

function optionsOf({ host, port, user, password, database, tls }: SafeClientConfig): ConnectionOptions {
  return {
    ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
    user,
    password: password?.reveal() ?? '',
    database,
    // Made anew for each connection: with a resumed session of TLS there would be no certificate to look at.
    ...(tls === null ? {} : { ssl: sslOf(tls) }),
    // The limit of the whole attempt is our own.
    connectTimeout: 0,
    keepAliveInitialDelay: 10_000,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    // Texts are parsed by MikroORM's types and by the collections, so that no digit is lost on the way.
    dateStrings: true,
    supportBigNumbers: true,
    jsonStrings: true,
    stringifyObjects: true,
    maxPreparedStatements: preparedMax,
    // No file of this machine for a server that asks, and no word that is one only without a blank behind it.
    flags: ['-LOCAL_FILES', '-IGNORE_SPACE'],
  }
}

function sslOf({ rejectUnauthorized, ca, cert, key }: TlsOptions): NonNullable<ConnectionOptions['ssl']> {
  return {
    rejectUnauthorized,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

/** Bytes of a value on the wire, at least. */
function weightOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  return value instanceof Uint8Array ? value.byteLength : 0
}

/** mysql2 hangs the whole text on an error, with the values in it. */
function withoutText(error: unknown): unknown {
  if (error instanceof Error && 'sql' in error) Reflect.deleteProperty(error, 'sql')
  return error
}

function notSent(): FaultError {
  return new FaultError({ ...meanings.notSent, code: 'NOT_SENT', ambiguous: false, cause: null })
}

function lost(): Error {
  const { kind, summary, hint } = meanings.lost
  return faultError(kind, 'CONNECTION_LOST', summary, hint)
}

function internals(connection: Connection): Internals {
  return connection as unknown as Internals // See `Internals`.
}

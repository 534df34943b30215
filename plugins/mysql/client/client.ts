import type { Readable } from 'node:stream'
import { type Connection, createConnection } from 'mysql2'
import { FaultError, faultError, type Phase } from '../../../src/driver/driver.ts'
import { meanings } from '../fault-table.ts'
import {
  classify,
  numberOf,
  packetError,
  rolledBackError,
  silentError,
  streamError,
  timeoutError,
  withPhase,
} from '../faults.ts'
import { type Answer, answerOf } from './answer.ts'
import { optionsOf, type SafeClientConfig } from './client-config.ts'
import { sessionTexts, withoutLimit } from './session.ts'
import { Standing } from './session-state.ts'
import { checkIdentity, internals, resetSocket } from './tls-guard.ts'

/** How a statement is run. */
export interface RunOptions {
  /** Prepared once per connection, in a bounded cache; else the values are written into the text, escaped. */
  readonly isPrepared?: boolean
  /** In which phase a loss of the connection happens; by its first word when absent. */
  readonly phase?: Phase | undefined
}

/** The server's number for a setting that it does not know. */
const unknownVariable = 1193

/** How long a farewell may take. */
const farewellMs = 500

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
  /** True when the server itself ends what runs for too long. */
  #isLimited = false
  readonly #standing = new Standing()
  #stream: Readable | null = null
  readonly #waiting: (() => void)[] = []
  readonly #whenGone: (() => void)[] = []

  constructor(config: SafeClientConfig) {
    this.#config = config
  }

  /** True when nothing runs, no transaction is open and the socket is well. */
  get isIdle(): boolean {
    return this.isReady && this.#standing.isClean
  }

  /** True when a statement could be sent now. */
  get isReady(): boolean {
    return this.#connection !== null && !this.#isGone && !this.#isBusy
  }

  /** `I`: no transaction is open; `T`: one is. */
  get status(): 'I' | 'T' {
    return this.#standing.isOpen ? 'T' : 'I'
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
      await this.#setSession()
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
    if (stream !== null) resetSocket(stream)
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
    if (this.#isBusy) await this.#turn()
    this.#isBusy = true
    const phase = options.phase ?? this.#phaseOf(text)
    try {
      if (this.#standing.isDoomed) await this.#refuse(text, phase)
      const answer = await this.#send(text, values, options.isPrepared === true, phase)
      this.#standing.note(answer)
      return answer
    } catch (error) {
      this.#standing.noteFailure(error, this.#config.server.rollsBackOnTimeout)
      throw withPhase(error, phase)
    } finally {
      this.#pass()
    }
  }

  /** The rows of a statement one by one; the client is busy until they are all read. For `SafeStream` alone. */
  async stream(text: string, values: readonly unknown[], buffered: number): Promise<Readable> {
    if (this.#isBusy) await this.#turn()
    this.#isBusy = true
    const connection = this.#connection
    if (connection === null || this.#isGone || this.#standing.isDoomed) {
      this.#pass()
      throw this.#standing.isDoomed ? rolledBackError(false) : notSent()
    }
    const given = values.length === 0 ? {} : { values: [...values] }
    const sql = this.#isLimited ? withoutLimit(text) : text
    const stream = connection.query({ sql, ...given }).stream({ highWaterMark: buffered })
    this.#stream = stream
    stream.once('end', () => {
      if (this.#stream !== stream) return
      this.#stream = null
      this.#pass()
    })
    return stream
  }

  /** Waits in line. Behind a stream only for a while: who reads it may himself be waiting for this very statement. */
  #turn(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    // Again and again: the stream may have begun after the wait.
    const timer = setInterval(() => {
      const at = this.#waiting.indexOf(resolve)
      if (this.#stream === null || at < 0) return
      this.#waiting.splice(at, 1)
      reject(streamError())
    }, this.#config.queryMs)
    return promise.finally(() => clearInterval(timer))
  }

  #pass(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#isBusy = false
    else next()
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
    checkIdentity(connection, this.#config.tls?.name ?? null, (error) => {
      this.#failure ??= new FaultError({ ...classify(error, 'open'), ambiguous: false })
    })
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

  async #setSession(): Promise<void> {
    const version = this.#connection === null ? null : internals(this.#connection)._handshakePacket?.serverVersion
    const [text, plain = text] = sessionTexts(version ?? '', this.#config)
    try {
      await this.run(text, [], { phase: 'open' })
      this.#isLimited = text !== plain
    } catch (error) {
      if (numberOf(error) !== unknownVariable) throw error
      await this.run(plain, [], { phase: 'open' })
    }
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
    if (isCommit.test(text)) this.#standing.note(await this.#send('rollback', [], false, phase))
    throw rolledBackError(isCommit.test(text))
  }

  #end(error: unknown): void {
    if (this.#isGone) return
    this.#isGone = true
    const stream = this.#stream
    this.#stream = null
    stream?.destroy(error instanceof Error ? error : lost())
    // A stream that is broken off has no end at which it would let the next one go on.
    if (stream !== null) this.#pass()
    for (const listener of this.#whenGone.splice(0)) listener()
  }

  #phaseOf(text: string): Phase {
    if (isCommit.test(text)) return 'commit'
    if (/^\s*(?:begin|start\s+transaction)\b/i.test(text)) return 'begin'
    if (isRollback.test(text)) return 'rollback'
    // Outside of a transaction a statement is its own COMMIT. By its first word: "with" and "call" may write.
    const isRead = /^[\s(]*(?:select|show|explain|describe|values|table|set|use|kill)\b/i.test(text)
    return !this.#standing.isOpen && !isRead ? 'commit' : 'statement'
  }
}

const isCommit = /^\s*commit\b/i
const isRollback = /^\s*rollback(?!\s+(?:work\s+)?to\b)/i

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

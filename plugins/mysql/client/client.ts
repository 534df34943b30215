import type { Readable } from 'node:stream'
import { type Connection, createConnection } from 'mysql2'
import {
  commonError,
  FaultError,
  LateError,
  type Phase,
  type PooledClient,
  resetSocket,
  rolledBackError,
  StatementTurns,
  silentError,
  timeoutError,
} from '../../../src/driver/kit/driver-kit.ts'
import { faults, numberOf, packetError, streamError, syncWaitError, transactionGoneError } from '../faults.ts'
import { type Answer, answerOf } from './answer.ts'
import { optionsOf, type SafeClientConfig } from './client-config.ts'
import { guardConnection, internals } from './guard.ts'
import { sessionTexts, withoutLimit } from './session.ts'
import { SessionState } from './session-state.ts'
import { commitText, isPlainRead, isWaitOver, phaseOfText, rollbackText } from './statement-text.ts'

/** How a statement is run. */
export interface RunOptions {
  /** Prepared once per connection, in a bounded cache; else the values are written into the text, escaped. */
  readonly isPrepared?: boolean
  /** In which phase a loss of the connection happens; by its first word when absent. */
  readonly phase?: Phase | undefined
}

/** The server's error number for an unknown setting. */
const unknownVariable = 1193

/** How long a goodbye may take. */
const farewellMs = 500

/**
 * One connection. A statement past its limit frees the caller and resets the connection; a transaction that the server has
 * rolled back runs nothing more; and no event of an idle connection ends the process.
 */
export class SafeClient implements PooledClient {
  readonly #config: SafeClientConfig
  readonly #state = new SessionState()
  readonly #turns: StatementTurns
  #connection: Connection | null = null
  #failure: unknown = null
  #isOver = false
  #isOutdated = false
  /** True when the server itself ends what runs for too long. */
  #isLimited = false
  #stream: Readable | null = null
  readonly #endListeners: (() => void)[] = []

  constructor(config: SafeClientConfig) {
    this.#config = config
    this.#turns = new StatementTurns(config.queryMs)
  }

  get isIdle(): boolean {
    return this.isReady && this.#state.isClean
  }

  get isReady(): boolean {
    return this.#connection !== null && !this.#isOver && !this.#turns.isTaken
  }

  /** True once the server has shown that it accepts no writes, or is outside its cluster. */
  get isOutdated(): boolean {
    return this.#isOutdated
  }

  /** `I`: no transaction is open; `T`: one is. */
  get status(): 'I' | 'T' {
    return this.#state.isOpen ? 'T' : 'I'
  }

  /** The server's number for this connection. */
  get threadId(): number | null {
    return this.#connection?.threadId ?? null
  }

  get config(): SafeClientConfig {
    return this.#config
  }

  onEnd(listener: () => void): void {
    if (this.#isOver) listener()
    else this.#endListeners.push(listener)
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
      throw faults.withPhase(this.#failure ?? error, 'open')
    } finally {
      clearTimeout(timer)
    }
  }

  evict(): void {
    const stream = this.#connection === null ? null : internals(this.#connection).stream
    this.#end(null)
    if (stream !== null) resetSocket(stream)
  }

  async end(): Promise<void> {
    const connection = this.#connection
    if (connection === null || this.#isOver) return
    if (!this.isReady) return this.evict()
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, farewellMs)
    internals(connection).stream.once('close', resolve)
    this.onEnd(resolve)
    connection.end(() => {})
    await promise
    clearTimeout(timer)
    this.evict()
  }

  /**
   * Runs a statement after those that were given before it. Values are bound.
   *
   * @throws mysql2's error where the server refuses it; a FaultError that knows its phase where the connection is lost.
   */
  async run(text: string, values: readonly unknown[] = [], options: RunOptions = {}): Promise<Answer> {
    if (!this.#turns.take()) await this.#waitForTurn()
    const phase = options.phase ?? phaseOfText(text, this.#state.isOpen)
    try {
      if (this.#state.isDoomed) await this.#refuse(text, phase)
      const answer = await this.#send(text, values, options.isPrepared === true, phase)
      this.#state.note(answer)
      return answer
    } catch (error) {
      this.#state.noteFailure(error, this.#config.server.rollsBackOnTimeout)
      throw this.#failureOf(text, error, phase)
    } finally {
      this.#turns.pass()
    }
  }

  /** What the caller gets; a connection that leads to a member that accepts no writes is of no further use. */
  #failureOf(text: string, error: unknown, phase: Phase): unknown {
    const failure = isWaitOver(text, error) ? syncWaitError(error) : faults.withPhase(error, phase)
    const { undone, kind } = faults.classify(failure, phase)
    if (undone === true && kind !== 'transient') {
      this.#isOutdated = true
      this.evict()
    }
    return failure
  }

  /** The rows of a statement one by one; the client is busy until they are all read. */
  async stream(text: string, values: readonly unknown[], buffered: number): Promise<Readable> {
    if (!this.#turns.take()) await this.#waitForTurn()
    const connection = this.#connection
    if (connection === null || this.#isOver || this.#state.isDoomed) {
      this.#turns.pass()
      throw this.#state.isDoomed ? transactionGoneError() : commonError('notSent', 'NOT_SENT')
    }
    const given = values.length === 0 ? {} : { values: [...values] }
    const sql = this.#isLimited ? withoutLimit(text) : text
    const stream = connection.query({ sql, ...given }).stream({ highWaterMark: buffered })
    this.#stream = stream
    stream.once('end', () => {
      if (this.#stream !== stream) return
      this.#stream = null
      this.#turns.pass()
    })
    return stream
  }

  /** Behind a stream only for a while: its reader may itself be waiting for this very statement. */
  async #waitForTurn(): Promise<void> {
    const abort = new AbortController()
    // Again and again: the stream may have begun after the wait.
    const timer = setInterval(() => {
      if (this.#stream !== null) abort.abort(streamError())
    }, this.#config.queryMs)
    try {
      await this.#turns.wait(abort.signal)
    } finally {
      clearInterval(timer)
    }
  }

  #shakeHands(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const connection = createConnection(optionsOf(this.#config))
    this.#connection = connection
    this.#config.clients.add(this)
    internals(connection).stream.once('close', () => {
      this.#config.clients.delete(this)
      this.#end(null)
    })
    guardConnection(connection, this.#config.tls?.name ?? null, (error) => {
      this.#failure ??= new FaultError({ ...faults.classify(error, 'open'), ambiguous: false })
    })
    connection.once('connect', () => resolve())
    // An "error" event without a listener ends the process; a statement that was running rejects by itself.
    connection.on('error', (error) => {
      this.#failure ??= error
      this.#end(error)
      reject(error)
    })
    connection.on('end', () => this.#end(null))
    this.onEnd(() => reject(this.#failure ?? commonError('lost', 'CONNECTION_LOST')))
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
    if (connection === null || this.#isOver) throw commonError('notSent', 'NOT_SENT')
    this.#weigh(text, values)
    return new Promise((resolve, reject) => {
      const done = (error: unknown, result?: unknown, fields?: unknown): void => {
        if (!this.#turns.end(done)) return
        if (error === null || error === undefined) resolve(answerOf(result, fields))
        else reject(error instanceof LateError ? timeoutError(phase) : withoutText(error))
        if (error instanceof LateError) this.evict()
      }
      this.#turns.begin(done, this.#limitOf(text))
      try {
        if (isPrepared) connection.execute({ sql: text, values: values.map(bindable) }, done)
        else connection.query(values.length === 0 ? { sql: text } : { sql: text, values: [...values] }, done)
      } catch (error) {
        done(error)
      }
    })
  }

  /** A cluster may hold back whatever writes, or waits for a row or for the other members. */
  #limitOf(text: string): number {
    const { queryMs, server } = this.#config
    return server.stallMs <= queryMs || isPlainRead(text) ? queryMs : server.stallMs
  }

  /** The server ends the connection for a packet that is too large, which would look like a loss. */
  #weigh(text: string, values: readonly unknown[]): void {
    const { packetBytes } = this.#config.server
    if (packetBytes === null) return
    let bytes = 1_024 + weightOf(text)
    for (const value of values) bytes += 16 + weightOf(value)
    if (bytes > packetBytes) throw packetError(packetBytes)
  }

  /** A statement after the server's own rollback would be committed by itself. */
  async #refuse(text: string, phase: Phase): Promise<void> {
    if (rollbackText.test(text)) return
    if (commitText.test(text)) this.#state.note(await this.#send('rollback', [], false, phase))
    throw commitText.test(text) ? rolledBackError() : transactionGoneError()
  }

  #end(error: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    const stream = this.#stream
    this.#stream = null
    stream?.destroy(error instanceof Error ? error : commonError('lost', 'CONNECTION_LOST'))
    // A stream that is broken off has no end at which it would pass the turn.
    if (stream !== null) this.#turns.pass()
    for (const listener of this.#endListeners.splice(0)) listener()
  }
}

/** mysql2 accepts bytes only as its own Buffer, and whole numbers beyond 2^53 as text. */
function bindable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return typeof value === 'bigint' ? String(value) : value
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

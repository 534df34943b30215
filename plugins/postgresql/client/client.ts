import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import pg, { type PoolConfig, type QueryResult } from 'pg'
import { faultError, type Phase } from '../../../src/driver/driver.ts'
import { rolledBackError, withPhase } from '../faults.ts'
import { cancelStatement, type Held } from './cancel.ts'
import { guardMessages } from './framing.ts'
import { Limit } from './limit.ts'
import { ask, isCommit, isTimeout, phaseOf } from './statement.ts'

/** What a client is made with, beside what pg itself takes. */
export interface SafeClientConfig extends PoolConfig {
  /** One statement. */
  readonly queryMs: number
  /** Where the client notes itself as long as it lives. */
  readonly clients: Set<Held>
  /** Whether connections are shared between transactions, as far as is known by now. */
  readonly isPooled: () => boolean
  /** Refuse a server that cannot bind the password to the TLS channel. */
  readonly requiresBinding: boolean
}

/** How a statement is run. */
export interface RunOptions {
  /** Prepared once per connection under this name. */
  readonly name?: string | undefined
  /** In which phase a loss of the connection happens; by its first word when absent. */
  readonly phase?: Phase | undefined
}

type Release = (error?: Error | boolean) => void

interface ParameterStatus {
  readonly parameterName: string
  readonly parameterValue: string
}

/** Members of pg's client that its types leave out, as version 8.23 has them. */
interface Internals {
  readonly connection: {
    readonly stream: Socket
    emit(event: 'error', error: Error): void
    on(event: 'parameterStatus', listener: (said: ParameterStatus) => void): void
    once(event: 'readyForQuery', listener: () => void): void
    removeListener(event: 'readyForQuery', listener: () => void): void
  }
  readonly connectionParameters: { readonly user: string; readonly database: string; readonly application_name: string }
  readonly readyForQuery?: boolean
  readonly _connecting: boolean
  readonly _queryable: boolean
  readonly _ending: boolean
  readonly processID: number | null
  readonly secretKey: number | null
  getTransactionStatus(): 'I' | 'T' | 'E' | null
  readonly saslSession?: { readonly mechanism: string } | null
  _handleAuthSASL(message: { readonly mechanisms: readonly string[] }): void
  _handleAuthSASLFinal(message: object): void
  _handleAuthCleartextPassword(message: object): void
  _handleAuthMD5Password(message: object): void
}

/**
 * One connection. Each statement has a limit, past which the caller is freed and the connection reset; a failed COMMIT is
 * an error; what is not idle when it goes back to the pool is destroyed; and no event of an idle one ends the process.
 */
export class SafeClient extends pg.Client {
  readonly #config: SafeClientConfig
  readonly #limit: Limit
  #release: Release = () => {}
  #isBusy = false
  #version: string | null = null
  #isBound = false
  readonly #waiting: (() => void)[] = []

  constructor(config: SafeClientConfig) {
    super(config)
    this.#config = config
    this.#limit = new Limit(config.queryMs)
    config.clients.add(this)
    guardMessages(internals(this).connection)
    this.once('end', () => {
      config.clients.delete(this)
      this.#limit.stop()
    })
    internals(this).connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      if (parameterName === 'server_version') this.#version = parameterValue
    })
    // An "error" event that nobody listens to ends the process. What was running rejects by itself.
    this.on('error', () => {})
  }

  /** pg-pool sets this each time it hands the client out. */
  get release(): Release {
    return this.#release
  }

  set release(release: Release) {
    this.#release = (error) => {
      const isClean = this.isIdle
      if (!isClean) this.evict()
      release(error ?? !isClean)
    }
  }

  /** True when nothing runs, no transaction is open and the socket is well. */
  get isIdle(): boolean {
    const { readyForQuery, _queryable, _ending } = internals(this)
    return _queryable && !_ending && readyForQuery === true && this.status === 'I'
  }

  /** True when a statement could be sent now. */
  get isReady(): boolean {
    const { readyForQuery, _queryable, _ending } = internals(this)
    return _queryable && !_ending && readyForQuery === true
  }

  /** True when a statement could be given; pg keeps it until it can be sent. */
  get isOpen(): boolean {
    const { _queryable, _ending } = internals(this)
    return _queryable && !_ending
  }

  /** True while the server has not yet let it in. */
  get isConnecting(): boolean {
    return internals(this)._connecting
  }

  /** `I`: no transaction; `T`: one is open; `E`: one has failed; null before the first answer. */
  get status(): 'I' | 'T' | 'E' | null {
    return internals(this).getTransactionStatus()
  }

  /** The protocol that encrypts the connection, `none`, `local` for a Unix socket; null where the stream does not say. */
  get encryption(): string | null {
    const { stream } = internals(this).connection
    if (stream instanceof TLSSocket) return stream.getProtocol()
    if (stream instanceof Socket) return stream.remoteAddress === undefined ? 'local' : 'none'
    // A stream of another kind may say it itself.
    const said: unknown = Reflect.get(stream, 'encryption')
    return typeof said === 'string' ? said : null
  }

  /** What the server called its version when it let us in; null when it did not. */
  get serverVersion(): string | null {
    return this.#version
  }

  /** The server's number for this connection; of a pooler's own making where there is one. */
  get processId(): number | null {
    return internals(this).processID
  }

  /**
   * Frees whoever waits and closes by reset; what still runs at the server is cancelled there, but not behind a pooler:
   * by then its connection may be somebody else's (PgBouncer before 1.18 cancelled that one's statement). Never throws.
   * Safe to call twice.
   */
  evict(): void {
    const { connection, processID: processId, secretKey } = internals(this)
    const isRunning = this.isOpen && !this.isReady && !this.isConnecting && !connection.stream.destroyed
    const mayCancel = isRunning && !this.#config.isPooled()
    if (mayCancel && processId !== null && secretKey !== null) cancelStatement(this.#config, { processId, secretKey })
    this.#reset()
  }

  #reset(): void {
    const { stream } = internals(this).connection
    if (stream.destroyed) return
    // Only TCP knows a reset; only once it is connected, else it would wait for that; and only before the end was sent:
    // after it libuv refuses the reset, and Node never closes the socket.
    const isTcp = stream instanceof Socket && !(stream instanceof TLSSocket) && stream.remoteAddress !== undefined
    if (isTcp && !stream.connecting && !stream.writableEnded) stream.resetAndDestroy()
    else stream.destroy()
  }

  /**
   * Runs a statement after those that were given before it. Values are bound.
   *
   * @throws pg's error for what the server refuses; a FaultError that knows its phase for all that loses the connection.
   */
  async run(text: string, values: readonly unknown[] = [], options: RunOptions = {}): Promise<QueryResult> {
    if (this.#isBusy) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#isBusy = true
    const phase = options.phase ?? phaseOf(text, this.status === 'I')
    const { name } = options
    const now = performance.now()
    try {
      const query = { text, values: values as unknown[] } // pg does not change them.
      const result = await ask(this, name === undefined ? query : { ...query, name }, this.#limit, now)
      if (phase === 'commit' && isCommit(text) && result.command !== 'COMMIT') throw rolledBackError()
      return result
    } catch (error) {
      if (isTimeout(error)) this.evict()
      else if (isEnd(error)) this.#reset()
      else await this.#settle(now + this.#config.queryMs - performance.now())
      throw withPhase(error, phase)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#isBusy = false
      else next()
    }
  }

  /** Nothing but the name of the application, and what the address itself wants: poolers refuse all else. */
  getStartupConf(): Record<string, string> {
    const { user, database, application_name } = internals(this).connectionParameters
    const { options } = this.#config
    return { user, database, application_name, ...(options === undefined ? {} : { options }) }
  }

  /** pg takes whatever the server offers; where binding is required, an offer without it is refused. */
  _handleAuthSASL(message: { readonly mechanisms: readonly string[] }): void {
    if (!this.#config.requiresBinding || message.mechanisms.includes(boundMechanism))
      stock._handleAuthSASL.call(this, message)
    else this.#refuseUnbound()
  }

  /** Only now the server has shown that it knows the password, too, and sees the same certificate. */
  _handleAuthSASLFinal(message: object): void {
    const isOffered = internals(this).saslSession?.mechanism === boundMechanism
    stock._handleAuthSASLFinal.call(this, message)
    this.#isBound = isOffered && internals(this).saslSession === null
  }

  /** The password itself would go to whoever holds the other end of the channel. */
  _handleAuthCleartextPassword(message: object): void {
    if (this.#config.requiresBinding) this.#refuseUnbound()
    else stock._handleAuthCleartextPassword.call(this, message)
  }

  /** As good as the password to whoever holds the other end. */
  _handleAuthMD5Password(message: object): void {
    if (this.#config.requiresBinding) this.#refuseUnbound()
    else stock._handleAuthMD5Password.call(this, message)
  }

  #refuseUnbound(): void {
    internals(this).connection.emit('error', this.#unbound())
    this.evict()
  }

  /** @throws FaultError `tls` when the address requires channel binding and there was none. */
  assertBound(): void {
    if (this.#config.requiresBinding && !this.#isBound) throw this.#unbound()
  }

  /**
   * The server sends its refusal and its readiness for the next statement apart, and pg rejects at the first: in between
   * a connection that is well looks busy, and would be thrown away.
   */
  async #settle(withinMs: number): Promise<void> {
    if (!this.isOpen || this.isReady) return
    const { connection } = internals(this)
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(() => this.evict(), Math.max(1, withinMs))
    connection.once('readyForQuery', resolve)
    this.once('end', resolve)
    await promise
    clearTimeout(timer)
    connection.removeListener('readyForQuery', resolve)
    this.removeListener('end', resolve)
  }

  #unbound(): Error {
    return faultError(
      'tls',
      'CHANNEL_BINDING',
      'The address requires channel binding, and the server offers none.',
      'Write channel_binding=prefer, or check who answers at the address.',
    )
  }
}

/** Whether the server has ended the connection with this. */
function isEnd(error: unknown): boolean {
  return error instanceof Error && 'severity' in error && (error.severity === 'FATAL' || error.severity === 'PANIC')
}

const stock = pg.Client.prototype as unknown as Internals // Not in its types.

/** The one that binds the password to the channel. */
const boundMechanism = 'SCRAM-SHA-256-PLUS'

function internals(client: SafeClient): Internals {
  return client as unknown as Internals // See `Internals`.
}

import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import pg, { type CustomTypesConfig, type PoolConfig, type QueryResult } from 'pg'
import type { Value, Written } from '../../../src/driver/facet/statements.ts'
import {
  type Evictable,
  FaultError,
  LateError,
  type Phase,
  type PooledClient,
  resetSocket,
  rolledBackError,
  StatementTurns,
  timeoutError,
} from '../../../src/driver/kit/driver-kit.ts'
import { faults, isEnding, isReadOnlyRefusal } from '../faults.ts'
import { boundMechanism, unboundError } from './binding.ts'
import { cancelStatement } from './cancel.ts'
import { guardMessages } from './framing.ts'
import { type ClientInternals, type Corkable, internals } from './internals.ts'
import { NativeStatement, type PreparedStatements } from './native-statement.ts'
import { PairedStatement, type PairParts } from './paired-statement.ts'
import { isCommit, isReadOnlyBegin, phaseOf } from './phase.ts'
import { ServerReports, unsyncedError } from './reports.ts'

/** The options of a client, besides those of pg. */
export interface SafeClientConfig extends PoolConfig {
  /** One statement. */
  readonly queryMs: number
  /** Holds the client as long as its socket is open. */
  readonly clients: Set<Evictable>
  /** Whether connections are shared between transactions, as far as is known by now. */
  readonly isPooled: () => boolean
  /** Whether the address asks for a server that accepts writes, or at least is no standby. */
  readonly wantsPrimary: boolean
  /** Whether a commit waits for a standby, as far as is known by now. */
  readonly isSynchronous: () => boolean
  /** Reject a server that cannot bind the password to the TLS channel. */
  readonly requiresBinding: boolean
}

/** How a native statement is run. */
export interface NativeOptions {
  /** Prepared once per connection under this name; undefined: not prepared. */
  readonly name: string | undefined
  /** In which phase a loss of the connection happens. */
  readonly phase: Phase
  /** In the transaction of an EntityManager, where it waits for the statements before it. */
  readonly isJoined: boolean
}

/** A callback of pg's. */
type Done = (error: never, client: never) => void

/** How long a goodbye may take. */
const farewellMs = 500

/**
 * One connection. A statement past its limit frees the caller and resets the connection; a failed COMMIT is an error; and
 * no event of an idle connection ends the process.
 */
export class SafeClient extends pg.Client implements PooledClient {
  /** What the server says without being asked. */
  readonly reports: ServerReports
  readonly #config: SafeClientConfig
  readonly #turns: StatementTurns
  readonly #prepared: PreparedStatements = new Map()
  readonly #types: CustomTypesConfig
  #isOutdated = false
  /** Of the transaction that was begun last. */
  #isReadOnly = false
  #isBound = false

  constructor(config: SafeClientConfig) {
    super(config)
    this.#config = config
    this.#turns = new StatementTurns(config.queryMs)
    this.#types = config.types ?? pg.types
    config.clients.add(this)
    guardMessages(internals(this).connection)
    this.once('end', () => config.clients.delete(this))
    this.reports = new ServerReports(internals(this).connection)
    // An "error" event without a listener ends the process; a statement that was running rejects by itself.
    this.on('error', () => {})
  }

  get isIdle(): boolean {
    return this.isReady && this.status === 'I' && !this.#isOutdated
  }

  get isReady(): boolean {
    const { readyForQuery, _queryable, _ending } = internals(this)
    return _queryable && !_ending && readyForQuery === true
  }

  /** True until the connection ends; pg keeps a statement until it can be sent. */
  get isOpen(): boolean {
    const { _queryable, _ending } = internals(this)
    return _queryable && !_ending
  }

  /** `I`: no transaction; `T`: one is open; `E`: one has failed; null before the first answer. */
  get status(): 'I' | 'T' | 'E' | null {
    return internals(this).getTransactionStatus()
  }

  /** The protocol that encrypts the connection, `none`, `local` for a Unix socket; null where the stream does not show it. */
  get encryption(): string | null {
    const { stream } = internals(this).connection
    if (stream instanceof TLSSocket) return stream.getProtocol()
    if (stream instanceof Socket) return stream.remoteAddress === undefined ? 'local' : 'none'
    // A stream of another kind may have the member.
    const said: unknown = Reflect.get(stream, 'encryption')
    return typeof said === 'string' ? said : null
  }

  get isOutdated(): boolean {
    return this.#isOutdated
  }

  /** The server's number for this connection; of a pooler's own making where there is one. */
  get processId(): number | null {
    return internals(this).processID
  }

  /** As pg's. @throws also FaultError `tls` when the address requires channel binding and there was none. */
  override connect(done?: Done): Promise<this> {
    const connected = super.connect().then(() => {
      if (this.#config.requiresBinding && !this.#isBound) throw unboundError()
      return this
    })
    if (done !== undefined) {
      const callback = done as (error: Error | null, client?: SafeClient) => void // pg gives one or the other.
      connected.then(() => callback(null, this), callback)
    }
    return connected
  }

  /** As pg's, by reset when the server takes too long. Safe to call twice and after `evict`. */
  override end(done?: Done): Promise<void> {
    const timer = setTimeout(() => this.evict(), farewellMs)
    const ended = super.end().finally(() => clearTimeout(timer))
    if (done !== undefined) void ended.then(() => (done as () => void)())
    return ended
  }

  gather(): void {
    const stream: Corkable = internals(this).connection.stream
    stream.cork?.()
    process.nextTick(() => stream.uncork?.())
  }

  onEnd(listener: () => void): void {
    if (internals(this).connection.stream.destroyed) listener()
    else this.once('end', listener)
  }

  /**
   * Frees the caller and closes by reset; what still runs at the server is cancelled there, but not behind a pooler: by
   * then its connection may serve another client (PgBouncer before 1.18 cancelled that one's statement).
   */
  evict(): void {
    const { connection, processID: processId, secretKey } = internals(this)
    const isRunning = this.isOpen && !this.isReady && !internals(this)._connecting && !connection.stream.destroyed
    const mayCancel = isRunning && !this.#config.isPooled()
    if (mayCancel && processId !== null && secretKey !== null) cancelStatement(this.#config, { processId, secretKey })
    resetSocket(connection.stream)
  }

  /**
   * Runs a statement after those that were given before it. Values are bound. `phase`: in which a loss of the connection
   * happens; by its first word when absent.
   *
   * @throws pg's error where the server refuses it; a FaultError that knows its phase where the connection is lost.
   */
  run(text: string, values: readonly unknown[] = [], options: { readonly phase?: Phase } = {}): Promise<QueryResult> {
    const send = (): Promise<QueryResult> => {
      const phase = options.phase ?? phaseOf(text, this.status === 'I')
      if (phase === 'begin') this.#isReadOnly = isReadOnlyBegin(text)
      const mustCommit = phase === 'commit' && isCommit(text)
      return this.#answer<QueryResult>(phase, true, (done) => {
        const query = { text, values: values as unknown[] } // pg does not change them.
        this.query(query, (error: unknown, result) => {
          const isRolledBack = !error && mustCommit && result.command !== 'COMMIT'
          done(isRolledBack ? rolledBackError() : error, result)
        })
      })
    }
    return this.#turns.take() ? send() : this.#turns.wait().then(send)
  }

  /**
   * Runs a native statement; one outside of a transaction is sent at once, where others may wait for their answers.
   *
   * @throws as `run`.
   */
  runNative(text: string, values: readonly Value[], { name, phase, isJoined }: NativeOptions): Promise<Written> {
    const send = (): Promise<Written> =>
      this.#answer<Written>(phase, isJoined, (done) => {
        this.query(new NativeStatement({ text, values, name, prepared: this.#prepared, types: this.#types, done }))
      })
    return !isJoined || this.#turns.take() ? send() : this.#turns.wait().then(send)
  }

  /**
   * Runs two native statements as one transaction, outside of any other; gives what the second one has written.
   *
   * @throws as `run`; a FaultError `requestKnownCode` where the first one breaks a unique key.
   */
  runPair(...steps: PairParts['steps']): Promise<Written> {
    return this.#answer<Written>('commit', false, (done) => {
      this.query(new PairedStatement({ steps, prepared: this.#prepared, types: this.#types, done }))
    })
  }

  /** One promise and one closure for each statement: by callback, since pg's own promise is three of them. */
  #answer<T>(phase: Phase, hasTurn: boolean, send: (done: (error: unknown, answer?: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (error: unknown, answer?: T): void => {
        if (!this.#turns.end(done)) return
        const failure = this.reports.takeUnsynced() ? unsyncedError(error) : error
        if (failure) {
          void this.#fail(failure, phase, hasTurn).then(reject)
          return
        }
        if (hasTurn) this.#turns.pass()
        resolve(answer as T) // There is one where there is no error.
      }
      this.#turns.begin(done)
      send(done)
    })
  }

  /** Ends the turn once the connection can run the next statement, or never will. Resolves with the caller's error. */
  async #fail(error: unknown, phase: Phase, hasTurn: boolean): Promise<unknown> {
    if (error instanceof LateError) this.#leave(phase)
    else if (isEnding(error)) resetSocket(internals(this).connection.stream)
    else await this.#settle(this.#turns.dueMs - performance.now())
    if (hasTurn) this.#turns.pass()
    if (this.#config.wantsPrimary && isReadOnlyRefusal(error)) return this.#refused(error, phase)
    return error instanceof LateError ? timeoutError(phase) : faults.withPhase(error, phase)
  }

  /**
   * Of a statement past its limit. A commit that waits for the synchronous standby goes on waiting: cancelled, it would be
   * seen by all although it is on one server alone.
   */
  #leave(phase: Phase): void {
    if (phase === 'commit' && this.#config.isSynchronous()) resetSocket(internals(this).connection.stream)
    else this.evict()
  }

  /** The fault of a write that was refused. A standby refuses what else shares the connection, and then it is of no use. */
  #refused(error: Error, phase: Phase): Error {
    const refusal = this.reports.refusal(error, phase === 'statement' && this.#isReadOnly)
    if (refusal instanceof FaultError && refusal.fault.undone === true) this.#isOutdated = true
    return refusal
  }

  /** Only the name of the application, and the `options` of the address: poolers reject everything else. */
  getStartupConf(): Record<string, string> {
    const { user, database, application_name } = internals(this).connectionParameters
    const { options } = this.#config
    return { user, database, application_name, ...(options === undefined ? {} : { options }) }
  }

  /** pg accepts any offer; where the address requires binding, an offer without it is rejected. */
  _handleAuthSASL(message: { readonly mechanisms: readonly string[] }): void {
    if (!this.#config.requiresBinding || message.mechanisms.includes(boundMechanism))
      stock._handleAuthSASL.call(this, message)
    else this.#refuseUnbound()
  }

  /** Only now has the server proved that it knows the password, too, and sees the same certificate. */
  _handleAuthSASLFinal(message: object): void {
    const isOffered = internals(this).saslSession?.mechanism === boundMechanism
    stock._handleAuthSASLFinal.call(this, message)
    this.#isBound = isOffered && internals(this).saslSession === null
  }

  /** Without binding the password itself would go to the other end of the channel, which may not be the server. */
  _handleAuthCleartextPassword(message: object): void {
    if (this.#config.requiresBinding) this.#refuseUnbound()
    else stock._handleAuthCleartextPassword.call(this, message)
  }

  /** The digest is as good as the password to that other end. */
  _handleAuthMD5Password(message: object): void {
    if (this.#config.requiresBinding) this.#refuseUnbound()
    else stock._handleAuthMD5Password.call(this, message)
  }

  #refuseUnbound(): void {
    internals(this).connection.emit('error', unboundError())
    this.evict()
  }

  /**
   * The server sends an error and its readiness for the next statement separately, and pg rejects at the error: in between
   * a sound connection looks busy, and the pool would discard it.
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
}

const stock = pg.Client.prototype as unknown as ClientInternals // Not in its types.

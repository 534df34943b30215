import type { Role } from '../../driver/address.ts'
import { type Fault, FaultError } from '../../driver/fault.ts'
import type { DatabaseConfig, ResolvedTarget } from '../address/config.ts'
import type { Effect, HostOrder } from '../machine/effects.ts'
import type { Happening } from '../machine/event.ts'
import { openingFault, timeoutFault, unusableFault } from '../machine/faults.ts'
import { shortTailEntries, times } from '../machine/policy.ts'
import { limitedSignal, untilAborted } from '../store/bounded.ts'
import type { Clock } from '../store/clock.ts'
import type { HostChoice, StoreOpener } from '../store/engine-factory.ts'
import type { Store } from '../store/store.ts'
import type { Gate } from './gate.ts'
import { hedgedAttempt } from './hedged-attempt.ts'
import { JournalFault, type StoreSteps } from './steps.ts'

/** What the operations work with. */
export interface OperationParts {
  readonly clock: Clock
  readonly opener: StoreOpener
  readonly steps: StoreSteps
  readonly gate: Gate
  /** The resolution, re-read: a rotated secret file counts at the next attempt. Never rejects. */
  resolve(): Promise<DatabaseConfig>
  connectMs(): number
  /** Blocks writes where the store is a fallback that accepts none. */
  applyWriteBlock(store: Store): void
  /** Checks whether a store is lost because of which nothing could be carried. */
  report(store: Store, fault: Fault): Promise<unknown>
}

/** The attempts to connect so far. */
export interface ConnectionAttempts {
  readonly count: number
  /** When the last one began; null before the first. */
  readonly lastWallMs: number | null
}

type Run<K extends Effect<Store>['run']> = Extract<Effect<Store>, { run: K }>

/** The effects other than timers. Each resolves with the event for the machine; none rejects. */
export class Operations {
  readonly #parts: OperationParts
  #attempts: ConnectionAttempts = { count: 0, lastWallMs: null }

  constructor(parts: OperationParts) {
    this.#parts = parts
  }

  /** FALLBACK_TIMEOUT aborts it from outside: two timers for one moment would report either limit. */
  async openPrimary({ id, failover }: Run<'open-primary'>, signal: AbortSignal): Promise<Happening<Store>> {
    return await this.#limited(
      this.#parts.connectMs(),
      signal,
      async (limited) => {
        const store = await (failover === null
          ? this.#openPrepared('primary', limited)
          : this.#openMember(choiceOf(failover), limited))
        return { type: 'primary.opened', id, store }
      },
      (fault) => ({ type: 'primary.failed', id, fault }),
    )
  }

  async openFallback({ id, until }: Run<'open-fallback'>, signal: AbortSignal): Promise<Happening<Store>> {
    const limitMs = until - this.#parts.clock.now()
    const failed = (fault: Fault): Happening<Store> => ({ type: 'fallback.failed', id, fault })
    try {
      await untilAborted(this.#parts.steps.restore(signal), signal)
    } catch (error) {
      return failed(error instanceof FaultError ? error.fault : unexpectedFault(error))
    }
    return await this.#limited(
      limitMs,
      signal,
      async (limited) => {
        const store = await this.#openPrepared('fallback', limited)
        return { type: 'fallback.opened', id, store }
      },
      failed,
    )
  }

  /** A host that hangs must not keep another one, which is promoted meanwhile, from being found. */
  async #openMember(choice: HostChoice, signal: AbortSignal): Promise<Store> {
    const open = (once: AbortSignal): Promise<Store> => this.#openPrepared('primary', once, choice)
    return await hedgedAttempt(this.#parts.clock, open, signal, abandon)
  }

  async probe({ id, until, hosts }: Run<'probe'>, signal: AbortSignal): Promise<Happening<Store>> {
    return await this.#limited(
      until - this.#parts.clock.now(),
      signal,
      async (limited) => {
        const primary = await this.#target('primary', limited)
        const choice = choiceOf(hosts)
        this.#begin()
        const prove = async (once: AbortSignal): Promise<void> => {
          await this.#parts.opener.prove(primary, { role: 'primary', proof: 'write' }, once, choice)
        }
        // An embedded database is never a black hole, and its check may take long.
        const isRemote = primary.driver.embedded === undefined
        await (isRemote ? hedgedAttempt(this.#parts.clock, prove, limited) : prove(limited))
        return { type: 'probe.passed', id }
      },
      (fault) => ({ type: 'probe.failed', id, fault }),
    )
  }

  async drain({ id, from, to }: Run<'drain'>, signal: AbortSignal): Promise<Happening<Store>> {
    try {
      await this.#parts.steps.carry(from, to, 0, signal)
      return { type: 'journal.drained', id }
    } catch (error) {
      const fault = faultOfOpening(error, to)
      if (!signal.aborted) await this.#parts.report(error instanceof JournalFault ? from : to, fault)
      return { type: 'drain.failed', id, fault }
    }
  }

  async carry({ id, from, primary, mayOwe, hosts }: Run<'carry'>, signal: AbortSignal): Promise<Happening<Store>> {
    try {
      const to = primary ?? (await this.openPrimaryWithin(this.#parts.connectMs(), signal, choiceOf(hosts)))
      // The state closes a primary that it already holds; one that was opened here is ours until it is reported.
      const onFailure = primary === null ? closing(to) : rethrow
      if (!mayOwe) await this.#parts.steps.carry(from, to, shortTailEntries, signal).catch(onFailure)
      if (primary !== null) signal.throwIfAborted()
      return { type: 'carried', id, primary: to }
    } catch (error) {
      return { type: 'carry.failed', id, fault: faultOfOpening(error, from) }
    }
  }

  /** Writes stay held until the machine has received the result: see `Effect`. */
  async switch({ id, from, to, mayOwe }: Run<'switch'>, signal: AbortSignal): Promise<Happening<Store>> {
    this.#parts.gate.hold()
    try {
      await this.#parts.steps.rest(from, signal)
      if (!mayOwe) await this.#parts.steps.carry(from, to, 0, signal)
      return { type: 'switched', id }
    } catch (error) {
      return { type: 'switch.failed', id, fault: faultOfOpening(error, to) }
    }
  }

  /** A primary that is prepared. Rejects with a FaultError. */
  async openPrimaryWithin(limitMs: number, signal: AbortSignal, choice: HostChoice = {}): Promise<Store> {
    const limited = limitedSignal(this.#parts.clock, limitMs, signal, () => new FaultError(timeoutFault(limitMs)))
    try {
      return await this.#openPrepared('primary', limited.signal, choice)
    } finally {
      limited.end()
    }
  }

  /** Every opening and probe that began. */
  get attempts(): ConnectionAttempts {
    return this.#attempts
  }

  async #limited(
    limitMs: number,
    signal: AbortSignal,
    work: (limited: AbortSignal) => Promise<Happening<Store>>,
    failed: (fault: Fault) => Happening<Store>,
  ): Promise<Happening<Store>> {
    const limited = limitedSignal(this.#parts.clock, limitMs, signal, () => new FaultError(timeoutFault(limitMs)))
    try {
      return await work(limited.signal)
    } catch (error) {
      // An opener that the limit cut may report it in its own words; the limit is the better reason.
      const cause = limited.signal.aborted ? limited.signal.reason : error
      return failed(cause instanceof FaultError ? cause.fault : unexpectedFault(error))
    } finally {
      limited.end()
    }
  }

  #begin(): void {
    this.#attempts = { count: this.#attempts.count + 1, lastWallMs: this.#parts.clock.wallMs() }
  }

  async #target(role: Role, signal: AbortSignal): Promise<ResolvedTarget> {
    const config = await untilAborted(this.#parts.resolve(), signal)
    const resolved = config[role]
    if (resolved === null) throw new FaultError(unusableFault(config.problems, role))
    return resolved
  }

  async #openPrepared(role: Role, signal: AbortSignal, choice: HostChoice = {}): Promise<Store> {
    const resolved = await this.#target(role, signal)
    this.#begin()
    const opening = this.#parts.opener.open(resolved, role, signal, choice)
    const store = await untilAborted(opening, signal, abandon)
    const prepared = this.#parts.steps.prepare(store)
    await untilAborted(prepared, signal)
      // Only now, since preparing makes its tables.
      .then(() => this.#parts.applyWriteBlock(store))
      .catch(closing(store))
    return store
  }
}

function choiceOf({ last, avoid }: HostOrder): HostChoice {
  return { ...(last === null ? {} : { last }), ...(avoid === null ? {} : { avoid }) }
}

/** Closes a store that never served. A driver that fails to must not end the process: no caller is left to hear of it. */
function abandon(store: Store): void {
  store.close(times.lateCloseMs).catch(() => {})
}

/** Closes the store, then throws the error as a fault of an opening. */
function closing(store: Store): (error: unknown) => never {
  return (error) => {
    abandon(store)
    throw new FaultError(openingFault(store.driver, error))
  }
}

function rethrow(error: unknown): never {
  throw error
}

function faultOfOpening(error: unknown, store: Store): Fault {
  return error instanceof FaultError ? error.fault : openingFault(store.driver, error)
}

/** A defect of ours, or of a driver that broke its contract: the database is not usable. */
function unexpectedFault(error: unknown): Fault {
  return {
    kind: 'configuration',
    code: 'OPENING_FAILED',
    summary: 'The database could not be opened because of an unexpected error.',
    hint: 'See the log for the cause.',
    ambiguous: false,
    cause: error,
  }
}

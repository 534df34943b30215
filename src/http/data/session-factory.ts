import { type ChannelListener, channel } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Serving, Store } from '../../database/store/store.ts'
import type { DatabaseObservation, Observe } from '../../database/supervisor/observation.ts'
import type { Supervisor } from '../../database/supervisor/supervisor.ts'
import type { Session } from '../../database/work/session.ts'
import type { WorkRunner } from '../../database/work/work.ts'
import { HandlerSession, ReadOnlySession, type WorkSession } from '../../database/work/work-session.ts'
import { HoldfastError } from '../../errors.ts'
import { storeHeader } from './store-header.ts'

/** When the look at the primary began of which no copied row of this fallback is older; null: it has no whole copy. */
export type AsOf = (fallback: Store) => number | null

/**
 * Sessions for an application's handlers: one per request, released when its answer ends or fails. No EntityManager is
 * shared between requests.
 */
export class DatabaseSessionFactory {
  readonly #supervisor: Supervisor
  readonly #work: WorkRunner
  readonly #observe: Observe<DatabaseObservation>
  readonly #asOfMs: AsOf
  readonly #responses = new ResponseFinder()
  readonly #sessions = new WeakMap<IncomingMessage, Promise<WorkSession>>()

  constructor(
    supervisor: Supervisor,
    work: WorkRunner,
    observe: Observe<DatabaseObservation> = () => {},
    asOfMs: AsOf = () => null,
  ) {
    this.#supervisor = supervisor
    this.#work = work
    this.#observe = observe
    this.#asOfMs = asOfMs
  }

  /**
   * The session of this request, opened at the first call. `response` is found automatically for every server that is
   * made of `node:http` (Polka, Express, ...).
   *
   * @throws HoldfastError STORE_UNAVAILABLE, OVERLOADED, CLOSING, INCOMPLETE on a fallback that has not the rows of all of the application's entities; TypeError when no response is found.
   */
  session(request: IncomingMessage, response?: ServerResponse): Promise<Session> {
    const known = this.#sessions.get(request)
    if (known !== undefined) return known
    const answer = response ?? this.#responses.find(request)
    if (answer === undefined)
      return Promise.reject(new TypeError('No response was found for this request. Call session(request, response).'))
    const session = this.#begin(answer)
    this.#sessions.set(request, session)
    // A failure is not kept: the handler may ask again.
    session.catch(() => this.#sessions.delete(request))
    return session
  }

  /**
   * The error to answer with when a handler threw `error` after it had a session: a fault of the database becomes a
   * `HoldfastError` and is reported to the supervisor. The same error when it says nothing about the database.
   */
  async refusal(request: IncomingMessage, error: unknown): Promise<unknown> {
    const session = await this.#sessions.get(request)?.catch(() => undefined)
    // Whether a COMMIT was under way is not known here; it is safer to assume that it was.
    return session === undefined ? error : await this.#work.refusal(session, error, 'commit')
  }

  /** Stops listening for requests. Open sessions are released when their answers end. */
  close(): void {
    this.#responses.close()
  }

  async #begin(response: ServerResponse): Promise<WorkSession> {
    const gone = new AbortController()
    const onClose = (): void => gone.abort(new HoldfastError('REQUEST_INVALID', { detail: 'The client disconnected.' }))
    if (response.closed) onClose()
    else response.once('close', onClose)
    try {
      gone.signal.throwIfAborted()
      const { gate, maxActiveSessions } = this.#supervisor
      gate.admit(maxActiveSessions)
      try {
        return await this.#entered(gone.signal, response)
      } catch (error) {
        gate.dismiss()
        throw error
      }
    } finally {
      response.removeListener('close', onClose)
    }
  }

  /**
   * Waits for a store and for the gate, then counts the session. The last check and the counting are one step, so that no
   * switch begins in between. What a handler will do is not known: it counts as a write, so that a switch waits for it.
   */
  async #entered(signal: AbortSignal, response: ServerResponse): Promise<WorkSession> {
    const { gate } = this.#supervisor
    for (;;) {
      await gate.opened(signal)
      const serving = await this.#work.admit(signal)
      signal.throwIfAborted()
      if (!gate.isHeld && this.#supervisor.current?.store === serving.store) return this.#count(serving, response)
    }
  }

  #count(serving: Serving, response: ServerResponse): WorkSession {
    const { gate, writeBlock } = this.#supervisor
    const isBlocked = serving.shown === 'fallback' && writeBlock !== null
    const session = isBlocked ? new ReadOnlySession(serving, writeBlock) : new HandlerSession(serving)
    gate.enter(serving.store, 'write')
    response.once('close', () => {
      gate.leave(serving.store, 'write')
      gate.dismiss()
      void this.#abandon(session)
    })
    const { shown, store } = serving
    if (response.headersSent) return session
    response.setHeader('Holdfast-Store', storeHeader(shown, store.driver.name))
    const asOfMs = shown === 'fallback' ? this.#asOfMs(store) : null
    if (asOfMs !== null) response.setHeader('Holdfast-As-Of', new Date(asOfMs).toISOString())
    return session
  }

  /** Rolls back a transaction that a handler began and left open: it would hold the writer for good. */
  async #abandon(session: WorkSession): Promise<void> {
    const em = session.forkedEm
    if (em === undefined || !em.isInTransaction()) return
    try {
      await em.rollback()
    } catch (error) {
      this.#observe({ type: 'database.defect', where: 'rollback of an abandoned transaction', error })
    }
  }
}

const requestStart = channel('http.server.request.start')

/** A property of the request: a WeakMap entry per request costs the collector more than a small answer costs. */
const responseKey: unique symbol = Symbol('response')

interface Answered extends IncomingMessage {
  [responseKey]?: ServerResponse
}

/** Finds the response of a request, whichever server of `node:http` made it. Listens until `close`. */
class ResponseFinder {
  readonly #listener: ChannelListener = (message) => {
    // The shape is documented by node:http for this channel.
    const { request, response } = message as { request: Answered; response: ServerResponse }
    request[responseKey] = response
  }

  constructor() {
    requestStart.subscribe(this.#listener)
  }

  /** Undefined when the request began before this finder, or did not come from `node:http`. */
  find(request: Answered): ServerResponse | undefined {
    const known = request[responseKey]
    if (known !== undefined) return known
    // Express links the two itself, also for requests that were injected without a server.
    const linked = (request as { res?: unknown }).res
    return isResponse(linked) ? linked : undefined
  }

  close(): void {
    requestStart.unsubscribe(this.#listener)
  }
}

function isResponse(value: unknown): value is ServerResponse {
  return typeof value === 'object' && value !== null && 'once' in value && 'writableFinished' in value
}

import { type ChannelListener, channel } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { HoldfastError } from '../../errors.ts'
import type { DatabaseObservation, Observe } from '../../database/supervisor/observation.ts'
import type { Serving } from '../../database/store/store.ts'
import type { Session } from '../../database/work/session.ts'
import type { Supervisor } from '../../database/supervisor/supervisor.ts'
import type { WorkRunner } from '../../database/work/work.ts'
import { ReadOnlySession, WorkSession } from '../../database/work/work-session.ts'
import { storeHeader } from './store-header.ts'

/**
 * Sessions by request, for handlers of an application: the same for the same request, released when its answer ends,
 * also when it ends badly. No EntityManager is shared between requests.
 */
export class DatabaseSessionFactory {
  readonly #supervisor: Supervisor
  readonly #work: WorkRunner
  readonly #observe: Observe<DatabaseObservation>
  readonly #responses = new ResponseFinder()
  readonly #sessions = new WeakMap<IncomingMessage, Promise<WorkSession>>()

  constructor(supervisor: Supervisor, work: WorkRunner, observe: Observe<DatabaseObservation>) {
    this.#supervisor = supervisor
    this.#work = work
    this.#observe = observe
  }

  /**
   * The session of this request, opened at the first call. `response` is found by itself for every server of node:http
   * (Polka, Express, ...).
   *
   * @throws HoldfastError STORE_UNAVAILABLE, OVERLOADED, CLOSING; TypeError when no response is found.
   */
  session(request: IncomingMessage, response?: ServerResponse): Promise<Session> {
    const known = this.#sessions.get(request)
    if (known !== undefined) return known
    const answer = response ?? this.#responses.find(request)
    if (answer === undefined)
      return Promise.reject(new TypeError('Give the response, too: session(request, response).'))
    const session = this.#begin(answer)
    this.#sessions.set(request, session)
    // A failure is not kept: the handler may ask again.
    session.catch(() => this.#sessions.delete(request))
    return session
  }

  /**
   * What to answer to an error that a handler threw after it had a session: faults of the database become refusals, and
   * the supervisor hears of them. The error itself when it says nothing of the database.
   */
  async refusal(request: IncomingMessage, error: unknown): Promise<unknown> {
    const session = await this.#sessions.get(request)?.catch(() => undefined)
    // Whether a COMMIT was under way is not known here: the careful reading is that it was.
    return session === undefined ? error : await this.#work.refusal(session, error, 'commit')
  }

  /** Stops listening for requests. Sessions that are open are released when their answers end. */
  close(): void {
    this.#responses.close()
  }

  async #begin(response: ServerResponse): Promise<WorkSession> {
    const gone = new AbortController()
    const onClose = (): void => gone.abort(new HoldfastError('REQUEST_INVALID', { detail: 'The client went away.' }))
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
   * Waits for a store and for the gate, and counts the session in. The last look and the counting are one step: a switch
   * that began during a wait is not slipped past. What a handler will do is not known: it is counted as a write, so that
   * a switch waits for it.
   */
  async #entered(signal: AbortSignal, response: ServerResponse): Promise<WorkSession> {
    const { gate } = this.#supervisor
    for (;;) {
      await gate.opened(signal)
      const serving = await this.#work.admit({ kind: 'read', signal })
      signal.throwIfAborted()
      if (!gate.isHeld && this.#supervisor.current?.store === serving.store) return this.#count(serving, response)
    }
  }

  #count(serving: Serving, response: ServerResponse): WorkSession {
    const { gate, writeBlock } = this.#supervisor
    const isBlocked = serving.shown === 'fallback' && writeBlock !== null
    const session = isBlocked ? new ReadOnlySession(serving, writeBlock) : new WorkSession(serving)
    gate.enter(serving.store, 'write')
    response.once('close', () => {
      gate.leave(serving.store, 'write')
      gate.dismiss()
      void this.#abandon(session)
    })
    const { shown, store } = serving
    if (!response.headersSent) response.setHeader('Holdfast-Store', storeHeader(shown, store.driver.name))
    return session
  }

  /** A transaction that a handler began by hand and left open would hold the writer for ever. */
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

import type { AsyncResource } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** One request and its response, from the first byte to the end. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** The request's target when it arrived: the server around Holdfast may restore another one before it is carried out. */
  readonly url: string
  /** What the server around Holdfast knows of this request: the stores of its AsyncLocalStorage. */
  readonly context: AsyncResource
  /** Records the end of the response, whole or cut short; later calls do nothing. */
  end(): void
}

/** Distinguishes processes; a counter distinguishes requests, at a tenth of the cost of a UUID. */
const processPrefix = randomBytes(6).toString('hex')
let drawn = 0

/** The client's `X-Request-Id` if it is safe to print anywhere, else a fresh id. */
export function requestIdFor(req: IncomingMessage): string {
  const given = req.headers['x-request-id']
  return typeof given === 'string' && /^[\w.:=-]{1,128}$/.test(given) ? given : drawRequestId()
}

/** A fresh id, unique across processes. */
export function drawRequestId(): string {
  drawn += 1
  return `${processPrefix}-${drawn.toString(36)}`
}

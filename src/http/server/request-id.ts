import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** Tells processes apart; a counter tells the requests of one apart, at a tenth of the cost of a UUID. */
const prefix = randomBytes(6).toString('hex')
let drawn = 0

/** The caller's `X-Request-Id` when it is harmless wherever it is printed; a fresh one otherwise. */
export function requestIdFor(req: IncomingMessage): string {
  const given = req.headers['x-request-id']
  return typeof given === 'string' && /^[\w.:=-]{1,128}$/.test(given) ? given : drawRequestId()
}

/** A fresh id, unique among all processes. */
export function drawRequestId(): string {
  drawn += 1
  return `${prefix}-${drawn.toString(36)}`
}

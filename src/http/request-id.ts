import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** The caller's `X-Request-Id` when it is harmless wherever it is printed; a fresh one otherwise. */
export function requestIdFor(req: IncomingMessage): string {
  const given = req.headers['x-request-id']
  return typeof given === 'string' && /^[\w.:=-]{1,128}$/.test(given) ? given : randomUUID()
}

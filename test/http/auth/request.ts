import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'

/** A request with these headers, of no connection. */
export function request(headers: Readonly<Record<string, string>>): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  Object.assign(req.headers, headers)
  return req
}

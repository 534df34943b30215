import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Header names and values in turn: the only form that Node writes without building an object first. */
export type HeaderList = (string | number)[]

type HeadersArgument = OutgoingHttpHeaders | OutgoingHttpHeader[]
type WriteHead = (status: number, reason?: string | HeadersArgument, headers?: HeadersArgument) => unknown

/**
 * A response created by this server. Node writes headers that are set one by one several times slower than one list, so
 * the common headers are added when the head is written.
 *
 * All members are properties of the instance: Express replaces the prototype of the responses it receives.
 */
export class FastResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
  requestId: string = ''
  /** Headers that were decided before the answer. */
  held: HeaderList | null = null

  constructor(...given: ConstructorParameters<typeof ServerResponse<R>>) {
    super(...given)
    // Node's type has two overloads, each of which returns `this`.
    this.writeHead = completeHead as never
  }
}

const nodeWriteHead = ServerResponse.prototype.writeHead as WriteHead

/** Called by an application's handler, or by Node for it: adds the common headers that it has not set itself. */
function completeHead(this: FastResponse, ...given: Parameters<WriteHead>): FastResponse {
  if (!this.headersSent) {
    if (!this.hasHeader('X-Request-Id')) this.setHeader('X-Request-Id', this.requestId)
    if (!this.hasHeader('X-Content-Type-Options')) this.setHeader('X-Content-Type-Options', 'nosniff')
    const { held } = this
    for (let at = 0; held !== null && at < held.length; at += 2) this.setHeader(String(held[at]), held[at + 1] ?? '')
  }
  nodeWriteHead.apply(this, given)
  return this
}

/** Adds a header to whatever the response will be. */
export function holdHeader(res: ServerResponse, name: string, value: string | number): void {
  if (!isFast(res)) res.setHeader(name, value)
  else if (res.held === null) res.held = [name, value]
  else res.held.push(name, value)
}

/** Writes the head of a response: these headers and the common ones, in one list. */
export function writeHead(res: ServerResponse, status: number, headers: HeaderList): void {
  // The slow path keeps what an application has set or patched before this route.
  if (!isFast(res) || res.writeHead !== completeHead || res.getHeaderNames().length > 0) {
    res.writeHead(status, headers)
    return
  }
  headers.push('X-Request-Id', res.requestId, 'X-Content-Type-Options', 'nosniff')
  if (res.held !== null) headers.push(...res.held)
  nodeWriteHead.call(res, status, headers)
}

/** Not `instanceof`: the prototype may have been replaced. */
function isFast(res: ServerResponse): res is FastResponse {
  return 'requestId' in res
}

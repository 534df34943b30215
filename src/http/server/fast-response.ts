import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Names and values in turn: the one form of headers that node writes without building an object first. */
export type HeaderList = (string | number)[]

type GivenHeaders = OutgoingHttpHeaders | OutgoingHttpHeader[]
type WriteHead = (status: number, reason?: string | GivenHeaders, headers?: GivenHeaders) => unknown

/**
 * A response of our own server. Headers that are set one by one are written on a path of node's that is several times as
 * slow as one list of all, so those of every answer are added when its head is written.
 *
 * Both are the instance's own properties: Express changes the prototype of a response that is handed to it.
 */
export class OwnResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
  requestId: string = ''

  constructor(...given: ConstructorParameters<typeof ServerResponse<R>>) {
    super(...given)
    // Node's type says the same in two overloads, each of which gives `this`.
    this.writeHead = completeHead as never
  }
}

const nodeWriteHead = ServerResponse.prototype.writeHead as WriteHead

/** What an application's handler calls, or node itself for it: the headers of every answer, unless it gave its own. */
function completeHead(this: OwnResponse, ...given: Parameters<WriteHead>): OwnResponse {
  if (!this.headersSent) {
    if (!this.hasHeader('X-Request-Id')) this.setHeader('X-Request-Id', this.requestId)
    if (!this.hasHeader('X-Content-Type-Options')) this.setHeader('X-Content-Type-Options', 'nosniff')
  }
  nodeWriteHead.apply(this, given)
  return this
}

/** Writes the head of an answer of ours: these headers and those of every answer, in one list. */
export function writeHead(res: ServerResponse, status: number, headers: HeaderList): void {
  // What an application has set before our route, or patched, is kept: on the slow path.
  if (!isOwn(res) || res.writeHead !== completeHead || res.getHeaderNames().length > 0) {
    res.writeHead(status, headers)
    return
  }
  headers.push('X-Request-Id', res.requestId, 'X-Content-Type-Options', 'nosniff')
  nodeWriteHead.call(res, status, headers)
}

/** Not `instanceof`, which a changed prototype would deny. */
function isOwn(res: ServerResponse): res is OwnResponse {
  return 'requestId' in res
}

import { type ChannelListener, channel } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'

const requestStart = channel('http.server.request.start')

/** A property of the request: a WeakMap entry per request costs the collector more than a small answer costs. */
const responseKey: unique symbol = Symbol('response')

interface Answered extends IncomingMessage {
  [responseKey]?: ServerResponse
}

/** Finds the response that belongs to a request, whoever made the server. Ends with `close`. */
export class ResponseFinder {
  readonly #listener: ChannelListener = (message) => {
    // The shape is documented by node:http for this channel.
    const { request, response } = message as { request: Answered; response: ServerResponse }
    request[responseKey] = response
  }

  constructor() {
    requestStart.subscribe(this.#listener)
  }

  /** The response; undefined when the request began before this finder, or is not one of node:http. */
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

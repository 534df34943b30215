import { Agent, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps, Agent as SecureAgent } from 'node:https'

const shortBytes = 65_536

/** What is sent. */
export interface HttpSending {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
}

/**
 * Connections to one store, kept between requests; idle ones keep no process alive. Not `fetch`, which copies a body several
 * times: the 8 MiB of a part of a snapshot became a hundred.
 */
export class HttpConnections {
  readonly #plain = new Agent({ keepAlive: true })
  readonly #secure = new SecureAgent({ keepAlive: true })

  /** The head of the answer; redirects are not followed. Rejects as Node does. `signal` also ends the body. */
  send(url: URL, { method, headers, body }: HttpSending, signal: AbortSignal): Promise<IncomingMessage> {
    const length = body === null ? {} : { 'content-length': body.length }
    const options = { method, headers: { ...headers, ...length }, signal }
    return new Promise((resolve, reject) => {
      const request =
        url.protocol === 'https:'
          ? requestHttps(url, { ...options, agent: this.#secure }, resolve)
          : requestHttp(url, { ...options, agent: this.#plain }, resolve)
      // Stays: after the head the body reports the same.
      request.on('error', reject)
      request.end(body ?? undefined)
    })
  }
}

/** A header that is given at most once. */
export function headerOf({ headers }: IncomingMessage, name: string): string | null {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}

/** Whether an answer is a page for people, as proxies and login walls give it with any status. */
export function isHtml(answer: IncomingMessage): boolean {
  return /^\s*(?:text\/html|application\/xhtml)/i.test(headerOf(answer, 'content-type') ?? '')
}

/** Whether an answer names another place. */
export function isRedirect({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 300 && statusCode < 400
}

/** Whether an answer says that it was done. */
export function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300
}

/** Drops a body. The connection is kept where that is short: a store answers every read with a redirect, perhaps. */
export function discard(answer: IncomingMessage): void {
  // It may end before it is read.
  answer.on('error', () => {})
  if (Number(headerOf(answer, 'content-length') ?? Number.NaN) <= shortBytes) answer.resume()
  else answer.destroy()
}

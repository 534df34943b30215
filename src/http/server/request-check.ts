import type { IncomingMessage } from 'node:http'
import { HoldfastError } from '../../errors.ts'

/**
 * Rewrites `req.url` to `/path?query`. Throws URL_TOO_LONG, ENCODING_INVALID for a broken percent encoding, and
 * REQUEST_INVALID for an invalid URL, a NUL in it, or an invalid Host or Expect header.
 */
export function checkRequest(req: IncomingMessage, limitBytes: number): void {
  const url = req.url ?? '/'
  if (url.length > limitBytes) {
    throw new HoldfastError('URL_TOO_LONG', { detail: `The limit is ${limitBytes} bytes.` })
  }
  if (req.httpVersion === '1.1' && req.headers.host === undefined) {
    throw new HoldfastError('REQUEST_INVALID', { detail: 'The Host header is missing.' })
  }
  if (hasTwoHosts(req.rawHeaders))
    throw new HoldfastError('REQUEST_INVALID', { detail: 'The request has two Host headers.' })
  const { expect } = req.headers
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    throw new HoldfastError('REQUEST_INVALID', { detail: 'The Expect header accepts only 100-continue.' })
  }
  if (!url.startsWith('/')) req.url = originForm(url, req.method)
  if (url.includes('%')) checkPercent(url)
}

/** Node keeps the first and drops the others, but a proxy in front may have used the last. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts > 1
}

/** Clients send `GET http://host/path` to proxies; HTTP/1.1 requires every server to accept it. */
function originForm(url: string, method: string | undefined): string {
  if (url === '*' && method === 'OPTIONS') return '/'
  if (/^https?:\/\//i.test(url) && URL.canParse(url)) {
    const { pathname, search } = new URL(url)
    return pathname + search
  }
  throw new HoldfastError('REQUEST_INVALID', { detail: 'The URL must start with a slash.' })
}

function checkPercent(url: string): void {
  let decoded: string
  try {
    decoded = decodeURIComponent(url)
  } catch {
    throw new HoldfastError('ENCODING_INVALID', {
      detail: 'The URL contains a percent-encoded sequence that is not valid UTF-8.',
    })
  }
  if (decoded.includes('\0'))
    throw new HoldfastError('REQUEST_INVALID', { detail: 'The URL contains a NUL character.' })
}

import type { IncomingMessage } from 'node:http'
import { HoldfastError } from '../../errors.ts'

/**
 * Brings `req.url` into the form `/path?query` and refuses what nobody can answer: URL_TOO_LONG, ENCODING_INVALID for a
 * broken percent sign, REQUEST_INVALID for an address that is none or holds a NUL, and for a Host or Expect that is wrong.
 */
export function checkAddress(req: IncomingMessage, limitBytes: number): void {
  const url = req.url ?? '/'
  if (url.length > limitBytes)
    throw new HoldfastError('URL_TOO_LONG', { detail: `At most ${limitBytes} bytes are taken.` })
  if (req.httpVersion === '1.1' && req.headers.host === undefined) {
    throw new HoldfastError('REQUEST_INVALID', { detail: 'The Host header is missing.' })
  }
  if (hasTwoHosts(req.rawHeaders)) throw new HoldfastError('REQUEST_INVALID', { detail: 'There are two Host headers.' })
  const { expect } = req.headers
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    throw new HoldfastError('REQUEST_INVALID', { detail: 'The Expect header takes 100-continue only.' })
  }
  if (!url.startsWith('/')) req.url = originForm(url, req.method)
  if (url.includes('%')) checkPercent(url)
}

/** Node keeps the first and drops the others, where a proxy in front may have read the last. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts > 1
}

/** `GET http://host/path` is what a client sends to a proxy, and HTTP/1.1 obliges every server to take it. */
function originForm(url: string, method: string | undefined): string {
  if (url === '*' && method === 'OPTIONS') return '/'
  if (/^https?:\/\//i.test(url) && URL.canParse(url)) {
    const { pathname, search } = new URL(url)
    return pathname + search
  }
  throw new HoldfastError('REQUEST_INVALID', { detail: 'The address must begin with a slash.' })
}

function checkPercent(url: string): void {
  let decoded: string
  try {
    decoded = decodeURIComponent(url)
  } catch {
    throw new HoldfastError('ENCODING_INVALID', { detail: 'The address holds a percent sign that encodes no UTF-8.' })
  }
  if (decoded.includes('\0')) throw new HoldfastError('REQUEST_INVALID', { detail: 'The address holds a NUL.' })
}

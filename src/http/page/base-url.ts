import type { IncomingMessage } from 'node:http'

/**
 * Where the caller reaches this service, for the lines that it copies: the Space's own host, else the Host header when
 * it can be a host, else this machine. Shown only, never followed: whoever sends a false one deceives itself.
 */
export function baseUrlOf(req: IncomingMessage, spaceHost: string | null): string {
  if (spaceHost !== null && isHost(spaceHost)) return `https://${spaceHost}`
  const host = req.headers.host
  if (host === undefined || !isHost(host)) return `http://localhost:${req.socket.localPort ?? 7860}`
  const forwarded = req.headers['x-forwarded-proto']
  const scheme = typeof forwarded === 'string' && forwarded.split(',')[0]?.trim() === 'https' ? 'https' : 'http'
  return `${scheme}://${host}`
}

function isHost(text: string): boolean {
  return text.length <= 255 && /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(text)
}

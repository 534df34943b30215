import type { Settings } from '../../../src/driver/kit/driver-kit.ts'
import type { Endpoint } from './target.ts'

/** What NEON_WS_PROXY names; null where it is not set. The texts hold nothing of its value. */
export type ProxyReading =
  | { readonly proxy: Endpoint | null }
  | { readonly defect: { readonly message: string; readonly suggestion: string } }

const example = 'Write NEON_WS_PROXY as wss://proxy.example/v1'

/** Reads `wss://host[:port]/path`, `ws://` for this machine, or the same without a scheme. Total. */
export function readProxy(settings: Settings): ProxyReading {
  const own = settings.plugins?.neon ?? {}
  const given = typeof own.wsProxy === 'string' ? own.wsProxy.trim() : ''
  if (given === '') return { proxy: null }
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `wss://${given}`
  const url = URL.parse(text)
  if (url === null || url.hostname === '') return invalid('NEON_WS_PROXY is not a valid address.')
  const isSecure = url.protocol === 'wss:' || url.protocol === 'https:'
  if (!isSecure && url.protocol !== 'ws:' && url.protocol !== 'http:') {
    return invalid('The scheme of NEON_WS_PROXY is neither wss nor ws.')
  }
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    return invalid('NEON_WS_PROXY contains a user, a password or a "#", which cannot be sent.')
  }
  if (!isSecure && !isLoopback(url.hostname) && own.wsInsecure !== true) {
    const message = 'NEON_WS_PROXY names another machine without TLS: the password would be sent unencrypted.'
    return { defect: { message, suggestion: `${example}, or set NEON_WS_INSECURE=true inside a private network.` } }
  }
  return { proxy: { isSecure, place: `${url.host}${url.pathname}${url.search}` } }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

function invalid(message: string): ProxyReading {
  return { defect: { message, suggestion: `${example}.` } }
}

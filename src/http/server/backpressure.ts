import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { HoldfastError } from '../../errors.ts'
import type { Exchange } from './exchange.ts'

/** Bytes of finished responses that may wait in memory for slow clients before reads are rejected. */
const maxUnsentBytes = 64 * 1024 * 1024

const retryAfterS = 1

/** A property of the response: a map would cost the garbage collector one entry per request. */
const unsentKey: unique symbol = Symbol('unsent')

interface TrackedResponse extends ServerResponse {
  [unsentKey]?: number
}

/** How slowly a client may read a response before its connection is destroyed. */
export interface ReadLimits {
  /** Allowed for a response of any size, in milliseconds. */
  readonly stallMs: number
  /** A response gets one more second for each such number of bytes. */
  readonly bytesPerS: number
}

/** The limits of a service. */
export const defaultReadLimits: ReadLimits = { stallMs: 30_000, bytesPerS: 64 * 1024 }

let unsentBytes = 0

/** Starts tracking a response. Call `settle` at its end. */
export function watch(res: TrackedResponse): void {
  res[unsentKey] = 0
}

/** Ends a response with `text` of `bytes` bytes. They count as unsent until `settle`. */
export function endWith(res: TrackedResponse, text: string, bytes: number): void {
  const unsent = res[unsentKey]
  if (unsent !== undefined) {
    res[unsentKey] = unsent + bytes
    unsentBytes += bytes
  }
  res.end(text)
}

/**
 * Writes a part of a response and resolves when its client has taken it; the part counts as unsent until then. Destroys the
 * connection of a client that does not read it in the time that `endStalled` gives to a response.
 */
export function writePart(
  res: TrackedResponse,
  text: string,
  bytes: number,
  { stallMs, bytesPerS }: ReadLimits = defaultReadLimits,
): Promise<void> {
  // Its "close" has come already.
  if (res.destroyed) return Promise.resolve()
  unsentBytes += bytes
  if (res.write(text)) {
    unsentBytes -= bytes
    return Promise.resolve()
  }
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      res.off('drain', end).off('close', end)
      unsentBytes -= bytes
      resolve()
    }
    const timer = setTimeout(() => res.destroy(), stallMs + (bytes / bytesPerS) * 1_000).unref()
    res.on('drain', end).on('close', end)
  })
}

/** Stops tracking a response that was sent or abandoned. */
export function settle(res: TrackedResponse): void {
  unsentBytes -= res[unsentKey] ?? 0
  res[unsentKey] = 0
}

/** Throws OVERLOADED if `bytes` more would exceed the limit. A single response never does. */
export function checkUnsent(bytes: number): void {
  if (unsentBytes > 0 && unsentBytes + bytes > maxUnsentBytes) {
    throw new HoldfastError('OVERLOADED', { retryAfterS, detail: 'Too many responses wait for slow clients.' })
  }
}

/**
 * Destroys connections whose next response is finished but not read within `stallMs` plus the time its size takes at the
 * slowest rate: a client that reads one byte now and then would hold the memory forever. Responses that an application
 * writes piece by piece are exempt. Returns a function that stops the check.
 */
export function endStalled(inFlight: Iterable<Exchange>, { stallMs, bytesPerS }: ReadLimits): () => void {
  const since = new WeakMap<ServerResponse, number>()
  const look = () => {
    const now = performance.now()
    for (const { res, socket } of nextResponses(inFlight)) {
      const bytes = res[unsentKey] ?? 0
      if (bytes === 0) continue
      const from = since.get(res)
      if (from === undefined) since.set(res, now)
      else if (now - from > stallMs + (bytes / bytesPerS) * 1_000) socket.destroy()
    }
  }
  const timer = setInterval(look, Math.max(20, Math.min(5_000, stallMs / 4))).unref()
  return () => clearInterval(timer)
}

/** The oldest response of each connection: the ones behind it cannot be sent earlier. */
function nextResponses(
  inFlight: Iterable<Exchange>,
): readonly { readonly res: TrackedResponse; readonly socket: Socket }[] {
  const seen = new Set<Socket>()
  const next = []
  for (const { req, res } of inFlight) {
    if (seen.has(req.socket)) continue
    seen.add(req.socket)
    next.push({ res, socket: req.socket })
  }
  return next
}

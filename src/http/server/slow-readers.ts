import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { owedBytes } from './backpressure.ts'
import type { Exchange } from './connection.ts'

/** How slowly an answer may be read. */
export interface Patience {
  /** For an answer of any size. */
  readonly stallMs: number
  /** An answer of that size gets a second more. */
  readonly bytesPerS: number
}

/** What clients get when nothing else is said. */
export const patience: Patience = { stallMs: 30_000, bytesPerS: 64 * 1024 }

/**
 * Destroys connections whose next answer is complete here and not read within `stallMs` and the time that its size takes
 * at a slow rate: a client that reads a byte now and then would hold the memory for ever. Answers that an application
 * writes itself, piece by piece, are not looked at. Returns what ends it.
 */
export function endStalled(inFlight: Iterable<Exchange>, { stallMs, bytesPerS }: Patience): () => void {
  const since = new WeakMap<ServerResponse, number>()
  const look = () => {
    const now = performance.now()
    for (const { res, socket } of nextAnswers(inFlight)) {
      const bytes = owedBytes(res)
      if (bytes === 0) continue
      const from = since.get(res)
      if (from === undefined) since.set(res, now)
      else if (now - from > stallMs + (bytes / bytesPerS) * 1_000) socket.destroy()
    }
  }
  const timer = setInterval(look, Math.max(20, Math.min(5_000, stallMs / 4))).unref()
  return () => clearInterval(timer)
}

/** The oldest answer of each connection: those behind it cannot go out before. */
function nextAnswers(
  inFlight: Iterable<Exchange>,
): readonly { readonly res: ServerResponse; readonly socket: Socket }[] {
  const seen = new Set<Socket>()
  const next = []
  for (const { req, res } of inFlight) {
    if (seen.has(req.socket)) continue
    seen.add(req.socket)
    next.push({ res, socket: req.socket })
  }
  return next
}

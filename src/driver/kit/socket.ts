import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

/** Closes a stream by reset where that is possible. Never throws. Safe to call twice. */
export function resetSocket(stream: Duplex): void {
  if (stream.destroyed) return
  // Only TCP knows a reset; only once it is connected, else it would wait for that; and only before the end was sent:
  // after it libuv refuses the reset, and Node never closes the socket.
  const isTcp = stream instanceof Socket && !(stream instanceof TLSSocket) && stream.remoteAddress !== undefined
  if (isTcp && !stream.connecting && !stream.writableEnded) stream.resetAndDestroy()
  else stream.destroy()
}

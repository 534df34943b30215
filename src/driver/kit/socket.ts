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

/**
 * A socket whose `connect` goes to this address, whatever host it is given: clients check certificates by the name that they
 * were given.
 */
export function pinnedSocket(address: string): Socket {
  const socket = new Socket()
  const connect = socket.connect.bind(socket)
  return Object.assign(socket, { connect: (port: number) => connect(port, address) })
}

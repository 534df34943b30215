import { Socket } from 'node:net'
import { checkServerIdentity, TLSSocket } from 'node:tls'
import type { Connection } from 'mysql2'
import { guardPackets } from './framing.ts'

/** Members of mysql2's connection that its types leave out, as version 3.24 has them. */
export interface Internals {
  stream: Socket
  readonly _handshakePacket: { readonly serverVersion: string } | null
  startTLS(onSecure: (error?: Error) => void): void
}

/** The same connection, with those members. */
export function internals(connection: Connection): Internals {
  return connection as unknown as Internals // See `Internals`.
}

/** Closes a socket by reset where that is possible. Never throws. Safe to call twice. */
export function resetSocket(stream: Socket): void {
  if (stream.destroyed) return
  // Only TCP knows a reset; only once it is connected, else it would wait for that; and only before the end was sent:
  // after it libuv refuses the reset, and Node never closes the socket.
  const isTcp = stream instanceof Socket && !(stream instanceof TLSSocket) && stream.remoteAddress !== undefined
  if (isTcp && !stream.connecting && !stream.writableEnded) stream.resetAndDestroy()
  else stream.destroy()
}

/**
 * Refuses a certificate that is not for this name, before any password is sent. mysql2 compares the name with "localhost"
 * when it was given a number. `failed` hears what is wrong: mysql2 writes its own code over it. Packets are guarded, too.
 */
export function checkIdentity(connection: Connection, name: string | null, failed: (error: Error) => void): void {
  guardPackets(connection)
  const inner = internals(connection)
  const start = inner.startTLS.bind(connection)
  inner.startTLS = (onSecure) =>
    start((error) => {
      const { stream } = inner
      const isToCheck = error === undefined && name !== null
      const found = isToCheck ? identityError(stream, name) : error
      if (found !== undefined) failed(found)
      onSecure(found)
    })
}

function identityError(stream: Socket, name: string): Error | undefined {
  if (stream instanceof TLSSocket) return checkServerIdentity(name, stream.getPeerCertificate())
  return new Error('unreachable: TLS was agreed on another socket')
}

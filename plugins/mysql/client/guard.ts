import type { Socket } from 'node:net'
import { checkServerIdentity, TLSSocket } from 'node:tls'
import { getHeapStatistics } from 'node:v8'
import type { Connection } from 'mysql2'

/** What a server may send before it has let us in. */
const greetingLimitBytes = 1_048_576

/** The largest answer: all of its rows are kept until the last one has arrived. */
const answerLimitBytes = getHeapStatistics().heap_size_limit / 4

/** The least memory that a row needs besides its values. */
const packetBytes = 200

/** The first byte of an error. */
const errorMark = 0xff

interface Packet {
  readonly sequenceId: number
  peekByte(): number
}

/** Members of mysql2's connection that its types leave out, as version 3.24 has them. */
interface Internals {
  readonly stream: Socket
  readonly packetParser: { onPacket: (packet: Packet) => void; execute: unknown; readonly executeStart: unknown }
  readonly authorized: boolean
  readonly _handshakePacket: { readonly serverVersion: string } | null
  readonly _paused: boolean
  /** A statement whose rows are read one by one has no function for their end. */
  readonly _command: { readonly onResult?: unknown } | null | undefined
  sequenceId: number
  startTLS(onSecure: (error?: Error) => void): void
  _handleFatalError(error: Error): void
}

/** The same connection, with those members. */
export function internals(connection: Connection): Internals {
  return connection as unknown as Internals // See `Internals`.
}

/** Codes that `classify` reads. */
type GuardCode = 'PROTOCOL_PACKETS_OUT_OF_ORDER' | 'ANSWER_TOO_LARGE' | 'PROTOCOL_UNEXPECTED_PACKET'

/**
 * Guards a connection before it connects, against what is met on a port that is not MySQL's, in front of it, or behind it:
 * - another service whose bytes are packets out of order, each of which mysql2 reports on the standard error, or a
 *   greeting without end, which it keeps;
 * - an answer larger than this process can keep, from a server that is well; rows read one by one are not counted;
 * - an attacker in the middle, who answers unencrypted before TLS is agreed, or shows a certificate for another name.
 *
 * `name` is what the certificate must be for, null for any: mysql2 compares it with "localhost" where the host is a
 * number. `failed` gets what is wrong with TLS: mysql2 writes its own code over it.
 */
export function guardConnection(connection: Connection, name: string | null, failed: (error: Error) => void): void {
  const inner = internals(connection)
  const { packetParser } = inner
  let received = 0
  let isSecuring = false
  let isBroken = false
  const refuse = (code: GuardCode, message: string): void => {
    isBroken = true
    inner._handleFatalError(Object.assign(new Error(message), { code, fatal: true }))
    inner.stream.destroy()
  }
  const count = (bytes: number): void => {
    received += bytes
    const limit = inner.authorized ? answerLimitBytes : greetingLimitBytes
    if (received <= limit || isBroken || (inner.authorized && inner._command?.onResult === undefined)) return
    refuse('ANSWER_TOO_LARGE', 'An answer of the server is larger than this process can keep.')
  }
  const countStream = (): void => void inner.stream.on('data', ({ length }: Buffer) => count(length))
  const take = packetParser.onPacket
  packetParser.onPacket = (packet) => {
    if (isBroken) return
    if (isSecuring) return refuse('PROTOCOL_UNEXPECTED_PACKET', inClear)
    // Those that come while rows are read one by one wait, and are counted when it is their turn.
    const isTurn = inner._command && !inner._paused
    // The server restarts its numbers with the error that ends a connection.
    if (isTurn && packet.peekByte() === errorMark) inner.sequenceId = packet.sequenceId
    if (isTurn && packet.sequenceId !== inner.sequenceId) {
      return refuse('PROTOCOL_PACKETS_OUT_OF_ORDER', 'The packets of the server are out of order.')
    }
    count(packetBytes)
    take(packet)
    if (!inner._command) received = 0
  }
  countStream()
  const start = inner.startTLS.bind(connection)
  inner.startTLS = (onSecure) => {
    isSecuring = true
    start((error) => {
      isSecuring = false
      // Half of an unencrypted packet would be the beginning of the first one that is encrypted.
      const isWhole = packetParser.execute === packetParser.executeStart
      const found = error ?? (isWhole ? identityError(inner.stream, name) : new Error(inClear))
      if (found !== undefined) failed(found)
      onSecure(found)
    })
    countStream()
  }
}

const inClear = 'The server sent unencrypted data after TLS was agreed.'

/** Before any password is sent. */
function identityError(stream: Socket, name: string | null): Error | undefined {
  if (name === null) return undefined
  if (stream instanceof TLSSocket) return checkServerIdentity(name, stream.getPeerCertificate())
  return new Error('unreachable: TLS was agreed on another socket')
}

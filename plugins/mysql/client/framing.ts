import type { EventEmitter } from 'node:events'
import { getHeapStatistics } from 'node:v8'
import type { Connection } from 'mysql2'

/** What a server may say before it has let us in. */
const greetingLimitBytes = 1_048_576

/** What one answer may have: all of its rows are kept until the last one is there. */
const answerLimitBytes = getHeapStatistics().heap_size_limit / 4

/** What a row takes beside its values, at least. */
const packetBytes = 200

interface Packet {
  readonly sequenceId: number
  peekByte(): number
}

/** Members of mysql2's connection that its types leave out, as version 3.24 has them. */
interface Internals {
  readonly stream: EventEmitter & { destroy(): void }
  readonly packetParser: { onPacket: (packet: Packet) => void; execute: unknown; readonly executeStart: unknown }
  readonly authorized: boolean
  readonly _paused: boolean
  /** Whoever reads rows one by one gives no function for their end. */
  readonly _command: { readonly onResult?: unknown } | null | undefined
  sequenceId: number
  startTLS(onSecure: (error?: Error) => void): void
  _handleFatalError(error: Error): void
}

type GuardCode = 'PROTOCOL_PACKETS_OUT_OF_ORDER' | 'ANSWER_TOO_LARGE' | 'PROTOCOL_UNEXPECTED_PACKET'

/**
 * Ends a connection whose server breaks the protocol, before it connects. mysql2 keeps whatever comes, however much, and
 * writes a line to the standard error for each packet out of order; and what came in clear before TLS it takes for the
 * answer of the server behind it. Rows that are read one by one are not counted.
 */
export function guardPackets(connection: Connection): void {
  const inner = connection as unknown as Internals // See `Internals`.
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
    if (isSecuring) return refuse('PROTOCOL_UNEXPECTED_PACKET', 'The server goes on in clear where TLS was agreed.')
    // Those that come while rows are read one by one wait, and are counted when it is their turn.
    const isTurn = inner._command && !inner._paused
    // What a server says as it ends a connection has a number of its own.
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
      // Half a packet in clear would be the beginning of the first one that is encrypted.
      const isWhole = packetParser.execute === packetParser.executeStart
      onSecure(error ?? (isWhole ? undefined : new Error('The server goes on in clear where TLS was agreed.')))
    })
    countStream()
  }
}

/** The first byte of an error. */
const errorMark = 0xff

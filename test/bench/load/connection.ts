import { connect, type Socket } from 'node:net'
import { endOfAnswer, statusOf } from './answer.ts'

/** What happens on a connection. */
export interface ConnectionUser {
  /** The connection can be used. */
  opened(): void
  /** The answer to the request that was sent; `bytes` are overwritten later. */
  answered(status: number, bytes: Buffer): void
  /** No further answer comes. */
  closed(): void
}

/** One for all connections: what was read is used before the next read. */
const received = Buffer.allocUnsafe(256 * 1024)

/**
 * One HTTP/1.1 connection with at most one request at a time. Node reads all connections into one buffer and calls back
 * without a stream in between: the generator shares the machine with the server that it measures.
 */
export class Connection {
  readonly #socket: Socket
  #user: ConnectionUser | null
  /** The start of an answer that is not complete. */
  #pending: Buffer | null = null
  #idleSinceMs = Number.NaN

  constructor(port: number, user: ConnectionUser) {
    this.#user = user
    this.#socket = connect({
      ...{ port, host: '127.0.0.1', noDelay: true },
      onread: { buffer: received, callback: (length) => this.#read(length) },
    })
    this.#socket.on('connect', () => this.#user?.opened())
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => this.#user?.closed())
  }

  send(request: Buffer): void {
    this.#socket.write(request)
  }

  /** Another user for an idle connection; null keeps it for later. */
  giveTo(user: ConnectionUser | null): void {
    this.#user = user
    this.#idleSinceMs = performance.now()
  }

  /** False when it was closed, or idle for so long that the server may close it at any moment. */
  isUsable(idleMaxMs: number): boolean {
    return !this.#socket.destroyed && performance.now() - this.#idleSinceMs < idleMaxMs
  }

  destroy(): void {
    this.#user = null
    this.#socket.destroy()
  }

  #read(length: number): boolean {
    if (this.#pending === null) this.#take(received, length)
    else {
      const joined = Buffer.concat([this.#pending, received.subarray(0, length)])
      this.#take(joined, joined.length)
    }
    return true
  }

  #take(bytes: Buffer, length: number): void {
    const end = endOfAnswer(bytes, length)
    if (end === length) this.#pending = null
    else this.#pending = Buffer.from(bytes.subarray(Math.max(end, 0), length))
    if (end !== -1) this.#user?.answered(statusOf(bytes), bytes)
  }
}

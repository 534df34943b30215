import type { Socket } from 'node:net'
import type { Exchange } from './connection.ts'

/** Requests of one connection that are worked on, or whose answers wait to be read. Who pipelines more waits. */
const maxStarted = 8

/** Requests of one connection that may wait behind those. Node parses a whole piece of 64 KiB before it can be paused. */
const maxWaiting = 1_000

/** A property of the socket: one look-up per request, and nothing to remove. */
const lineKey: unique symbol = Symbol('line')

interface Lined extends Socket {
  [lineKey]?: Line
}

/**
 * The requests of one connection. Node starts every request of a pipeline at once and keeps all answers until the first
 * is read: a client that sends and does not read could fill the memory. Here a few are started, the others wait in their
 * order, and nothing more is read from the connection meanwhile.
 */
export class Line {
  readonly #socket: Socket
  readonly #start: (exchange: Exchange) => void
  #started = 0
  #waiting: Exchange[] = []

  private constructor(socket: Socket, start: (exchange: Exchange) => void) {
    this.#socket = socket
    this.#start = start
  }

  /**
   * The line of a connection, made at its first request. `start` is given each request in its turn; `end` is called for
   * the connection's end when requests are still open: node says nothing about the answers behind the first.
   */
  static of(socket: Lined, start: (exchange: Exchange) => void, end: (socket: Socket) => void): Line {
    const known = socket[lineKey]
    if (known !== undefined) return known
    const line = new Line(socket, start)
    socket[lineKey] = line
    socket.once('close', () => {
      line.#waiting = []
      if (line.#started > 0) end(socket)
    })
    return line
  }

  /** True when no request of the connection is open. */
  get isEmpty(): boolean {
    return this.#started === 0
  }

  /** Starts a request, now or when its turn comes. */
  enter(exchange: Exchange): void {
    if (this.#started < maxStarted && this.#waiting.length === 0) {
      this.#started += 1
      this.#start(exchange)
    } else if (this.#waiting.length < maxWaiting) {
      this.#waiting.push(exchange)
      this.#socket.pause()
    } else {
      this.#socket.destroy()
    }
  }

  /** An answer is out, or given up: the next request may start. */
  leave(): void {
    this.#started -= 1
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#started += 1
    this.#start(next)
    if (this.#waiting.length === 0) this.#socket.resume()
  }
}

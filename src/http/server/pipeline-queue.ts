import type { Socket } from 'node:net'
import type { Exchange } from './exchange.ts'

/** Requests of one connection that may run, or wait for their responses to be read, at the same time. */
const maxStarted = 8

/** Requests of one connection that may queue behind them. Node parses a whole chunk of 64 KiB before it can be paused. */
const maxWaiting = 1_000

/** A property of the socket: one lookup per request, and nothing to remove. */
const queueKey: unique symbol = Symbol('queue')

interface QueuedSocket extends Socket {
  [queueKey]?: PipelineQueue
}

/**
 * The queue of requests of one connection. Node starts every pipelined request at once and keeps all responses until the
 * first is read, so a client that sends without reading could fill the memory. The queue starts a few requests, keeps
 * the others in order, and stops reading from the connection meanwhile.
 */
export class PipelineQueue {
  readonly #socket: Socket
  readonly #start: (exchange: Exchange) => void
  #started = 0
  #waiting: Exchange[] = []

  private constructor(socket: Socket, start: (exchange: Exchange) => void) {
    this.#socket = socket
    this.#start = start
  }

  /**
   * The queue of a connection, created at its first request. `start` receives each request in turn. `end` is called if
   * the connection closes with open requests: Node does not report the end of the responses behind the first.
   */
  static of(socket: QueuedSocket, start: (exchange: Exchange) => void, end: (socket: Socket) => void): PipelineQueue {
    const known = socket[queueKey]
    if (known !== undefined) return known
    const queue = new PipelineQueue(socket, start)
    socket[queueKey] = queue
    socket.once('close', () => {
      queue.#waiting = []
      if (queue.#started > 0) end(socket)
    })
    return queue
  }

  /** True if the connection has no open request. */
  get isEmpty(): boolean {
    return this.#started === 0
  }

  /** Starts a request, now or in its turn. A connection that queues too many is destroyed. */
  add(exchange: Exchange): void {
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

  /** A response was sent or abandoned: starts the next request. */
  next(): void {
    this.#started -= 1
    const exchange = this.#waiting.shift()
    if (exchange === undefined) return
    this.#started += 1
    this.#start(exchange)
    if (this.#waiting.length === 0) this.#socket.resume()
  }
}

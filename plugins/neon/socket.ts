import { TLSSocket } from 'node:tls'
import { neonConfig } from '@neondatabase/serverless'
import { type ClientOptions, WebSocket } from 'ws'
import type { Endpoint } from './address/target.ts'
import { closedError, readRefusal } from './refusals.ts'

/** How long the other side may take to agree to an end. */
const endMs = 1_000

/** Neon's messages are smaller: rows come in portions. */
const messageLimitBytes = 64 * 1_024 * 1_024

type Done = () => void

/**
 * Neon's socket (its package exports the class as `neonConfig`), for pg, which expects one of Node's. Neon's own ends by a
 * handshake that a silent server never answers, emits the browser's events as errors, and rejects a callback as the second
 * argument of `write`; this one ends at once, emits errors of Node's kind, and emits `close` once and always.
 */
export class NeonSocket extends neonConfig {
  /** The protocol that encrypts the WebSocket, or `none`; null until it is open. */
  encryption: string | null = null
  #tunnel: WebSocket | null = null
  #unsent: Uint8Array[] = []
  #isEnding = false
  #isClosed = false

  constructor(
    { isSecure, place }: Endpoint,
    tls: Pick<ClientOptions, 'ca' | 'cert' | 'key' | 'minVersion' | 'maxVersion' | 'ciphers'>,
  ) {
    super()
    // The types of `ws` are older than its limit for an end.
    const options: ClientOptions & { closeTimeout: number } = {
      ...tls,
      perMessageDeflate: false,
      followRedirects: false,
      closeTimeout: endMs,
      maxPayload: messageLimitBytes,
    }
    const opened = (tunnel: WebSocket): void => this.#watch(tunnel)
    this.useSecureWebSocket = isSecure
    this.wsProxy = () => place
    // It is typed as the browser's, which cannot end at once and does not report the status of a refusal.
    this.webSocketConstructor = class extends WebSocket {
      constructor(url: string) {
        super(url, options)
        opened(this)
      }
    } as unknown as NonNullable<typeof neonConfig.webSocketConstructor>
  }

  /** As Node's sockets: an error is an Error, bytes are a Buffer, and nothing follows `close`. */
  override emit(name: string | symbol, ...given: unknown[]): boolean {
    if (this.#isClosed) return false
    if (name === 'error') return super.emit(name, readRefusal(given[0]))
    if (name === 'data') return super.emit(name, ofNode(given[0]))
    if (name !== 'close') return super.emit(name, ...given)
    this.#isClosed = true
    this.#stop()
    return super.emit(name)
  }

  override write(data: Uint8Array | string, encoding?: string | Done, done?: Done): boolean {
    const called = typeof encoding === 'function' ? encoding : done
    return super.write(data, typeof encoding === 'string' ? encoding : 'utf8', called ?? (() => {}))
  }

  /** Joins what is written in one turn of the event loop to one message. */
  override rawWrite(data: Uint8Array): void {
    if (this.#unsent.push(data) === 1) queueMicrotask(() => this.#send())
  }

  /** Sends what is queued and starts the closing handshake, for which the other side has a second. */
  override end(): this {
    if (this.destroyed) return this
    this.#send()
    this.#isEnding = true
    this.writable = false
    if (this.#tunnel?.readyState === WebSocket.OPEN) this.#tunnel.close(1_000)
    else if (this.#tunnel?.readyState !== WebSocket.CLOSING) this.destroy()
    return this
  }

  /** Closes at once, without a handshake. `close` follows, after the error if one is given. */
  override destroy(error?: Error): this {
    if (this.destroyed) return this
    // Before the error of an interrupted upgrade, which says less.
    process.nextTick(() => {
      if (error !== undefined) this.emit('error', error)
      this.emit('close')
    })
    this.#stop()
    return this
  }

  #stop(): void {
    this.destroyed = true
    this.writable = false
    this.#unsent = []
    this.#tunnel?.terminate()
  }

  /** Listens before Neon's own listeners, which do not report an end that was not asked for. */
  #watch(tunnel: WebSocket): void {
    this.#tunnel = tunnel
    tunnel.on('upgrade', ({ socket }) => {
      socket.setKeepAlive(true)
      this.encryption = socket instanceof TLSSocket ? socket.getProtocol() : 'none'
    })
    tunnel.on('close', (code, reason) => {
      if (!this.#isEnding && !this.destroyed) this.emit('error', closedError(code, reason.toString()))
    })
    // An error after the end has no listener, and would end the process.
    tunnel.on('error', () => {})
  }

  #send(): void {
    const unsent = this.#unsent
    if (unsent.length === 0) return
    this.#unsent = []
    if (this.#tunnel?.readyState !== WebSocket.OPEN) return
    // A failure ends the WebSocket, which reports it.
    this.#tunnel.send(Buffer.concat(unsent), () => {})
  }
}

/** The same bytes as Node's Buffer: the one that Neon's package brings is slow at strings. */
function ofNode(data: unknown): unknown {
  if (!(data instanceof Uint8Array)) return data
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { type Cleanup, cleanLater } from '../temp.ts'
import type { Certificate } from './postgres.ts'

/**
 * What is done to the bytes of the client: `pass` them; `swallow` (taken and not answered, in both directions); `mute`
 * (the server gets them, its answers are lost); `cut` (both sides end without a word of WebSockets); `reset` (by RST);
 * a number: the WebSocket is closed with this code, or by a frame that no WebSocket sends at `garbage`.
 */
export type BridgeBehaviour = 'pass' | 'swallow' | 'mute' | 'cut' | 'reset' | 'garbage' | number

/**
 * How upgrades are answered: a number is a status, `noise` is no HTTP, `lateMs` lets each wait; and `wakesMs` is a
 * database that sleeps: the first one wakes it, and until it is awake all of them wait.
 */
export type UpgradeBehaviour =
  | 'pass'
  | 'hang'
  | 'noise'
  | 'wrong-key'
  | number
  | { readonly lateMs: number }
  | { readonly wakesMs: number }

/** A WebSocket-to-TCP bridge before a PostgreSQL, as Neon has one, which misbehaves when it is told. */
export interface NeonBridge {
  readonly port: number
  /** WebSockets that are open. */
  readonly open: number
  /** Upgrades that were asked for, by their path. */
  readonly asked: readonly string[]
  /** From now on, for all WebSockets. */
  behave(behaviour: BridgeBehaviour): void
  /** From now on, for all upgrades. */
  upgrade(behaviour: UpgradeBehaviour): void
  /** Misbehaves once, on the WebSocket whose message holds this text, before it is passed on. */
  once(pattern: RegExp, behaviour: BridgeBehaviour): Promise<void>
  /** New connections are refused and the open ones reset, or taken again. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Resets every connection. */
  dropAll(): void
}

/** Starts one before the PostgreSQL at `target`; with a certificate it speaks `wss:`. Ends with `t`. */
export async function startBridge(
  t: Cleanup,
  target: { readonly port: number },
  tls?: Certificate,
): Promise<NeonBridge> {
  const bridge = new SwitchedBridge(target.port, tls)
  cleanLater(t, () => bridge.kill())
  await bridge.start()
  return bridge
}

interface Pair {
  readonly client: WebSocket
  readonly carrier: Socket
  readonly server: Socket
  behaviour: BridgeBehaviour | null
}

interface Trigger {
  readonly pattern: RegExp
  readonly behaviour: BridgeBehaviour
  readonly met: () => void
}

class SwitchedBridge implements NeonBridge {
  readonly #target: number
  readonly #tls: Certificate | undefined
  readonly #sockets = new Set<Socket>()
  readonly #pairs = new Set<Pair>()
  readonly #webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  readonly asked: string[] = []
  #server: Server | null = null
  #port = 0
  #behaviour: BridgeBehaviour = 'pass'
  #upgrade: UpgradeBehaviour = 'pass'
  #awake: Promise<void> | null = null
  #triggers: Trigger[] = []

  constructor(target: number, tls: Certificate | undefined) {
    this.#target = target
    this.#tls = tls
  }

  get port(): number {
    return this.#port
  }

  get open(): number {
    return this.#pairs.size
  }

  behave(behaviour: BridgeBehaviour): void {
    this.#behaviour = behaviour
    if (!isQuiet(behaviour)) for (const pair of this.#pairs) finish(pair, behaviour)
  }

  upgrade(behaviour: UpgradeBehaviour): void {
    this.#upgrade = behaviour
    this.#awake = null
  }

  once(pattern: RegExp, behaviour: BridgeBehaviour): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#triggers.push({ pattern, behaviour, met: resolve })
    return promise
  }

  async start(): Promise<void> {
    if (this.#server !== null) return
    const { certificate, key } = this.#tls ?? {}
    const server = this.#tls === undefined ? createServer() : createTlsServer({ cert: certificate, key })
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => this.#sockets.delete(socket))
    })
    server.on('tlsClientError', () => {})
    server.on('request', (_request, response) => response.writeHead(200).end('a web page'))
    server.on('upgrade', (request, socket, head) => {
      void this.#answer(request.url ?? '', socket, () =>
        this.#webSockets.handleUpgrade(request, socket, head, (client) =>
          this.#join(client, request.url ?? '', socket),
        ),
      )
    })
    server.listen(this.#port, this.#tls === undefined ? '127.0.0.1' : 'localhost')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('unreachable: it listens on a port')
    this.#port = address.port
    this.#server = server
  }

  async kill(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    const closed = once(server, 'close')
    server.close()
    this.dropAll()
    await closed
  }

  dropAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async #answer(url: string, socket: Duplex, accept: () => void): Promise<void> {
    this.asked.push(url)
    const how = this.#upgrade
    if (how === 'hang') return
    if (how === 'noise') socket.end('SSH-2.0-OpenSSH_9.2\r\n')
    else if (how === 'wrong-key') {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n')
      socket.write('Sec-WebSocket-Accept: bm90aGluZw==\r\n\r\n')
    } else if (typeof how === 'number') {
      socket.end(`HTTP/1.1 ${how} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    } else {
      if (typeof how === 'object') await this.#wait(how)
      if (!socket.destroyed) accept()
    }
  }

  #wait(how: { readonly lateMs: number } | { readonly wakesMs: number }): Promise<void> {
    if ('lateMs' in how) return pause(how.lateMs)
    this.#awake ??= pause(how.wakesMs)
    return this.#awake
  }

  #join(client: WebSocket, url: string, carrier: Duplex): void {
    // An upgrade comes on a socket, whatever its type says.
    const pair: Pair = {
      client,
      carrier: carrier as Socket,
      server: connect(this.#portOf(url), '127.0.0.1'),
      behaviour: null,
    }
    const { server } = pair
    this.#pairs.add(pair)
    server.setNoDelay(true)
    const end = (): void => {
      this.#pairs.delete(pair)
      server.destroy()
      client.close()
    }
    client.on('error', end)
    client.on('close', end)
    server.on('error', end)
    server.on('close', end)
    client.on('message', (data) => this.#fromClient(pair, bytesOf(data)))
    server.on('data', (bytes) => {
      if ((pair.behaviour ?? this.#behaviour) === 'pass' && client.readyState === client.OPEN) client.send(bytes)
    })
  }

  /** `/v2` is the PostgreSQL that Neon finds by the host; otherwise the address is told. */
  #portOf(url: string): number {
    const address = new URL(url, 'ws://bridge').searchParams.get('address')
    return address === null ? this.#target : Number(address.slice(address.lastIndexOf(':') + 1))
  }

  #fromClient(pair: Pair, bytes: Buffer): void {
    const text = bytes.toString('latin1')
    const trigger = this.#triggers.find(({ pattern }) => pattern.test(text))
    if (trigger !== undefined) {
      this.#triggers = this.#triggers.filter((other) => other !== trigger)
      pair.behaviour = trigger.behaviour
      trigger.met()
    }
    const behaviour = pair.behaviour ?? this.#behaviour
    if (!isQuiet(behaviour)) finish(pair, behaviour)
    else if (behaviour !== 'swallow') pair.server.write(bytes)
  }
}

function isQuiet(behaviour: BridgeBehaviour): behaviour is 'pass' | 'swallow' | 'mute' {
  return behaviour === 'pass' || behaviour === 'swallow' || behaviour === 'mute'
}

function finish({ client, carrier, server }: Pair, how: BridgeBehaviour): void {
  if (typeof how === 'number') client.close(how, 'as the test wants it')
  else if (how === 'garbage') carrier.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  else if (how === 'reset' && !('encrypted' in carrier)) carrier.resetAndDestroy()
  else carrier.destroy()
  server.destroy()
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? Buffer.from(data) : data
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

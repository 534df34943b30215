import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type Cleanup, cleanLater } from '../temp.ts'

/**
 * What a proxy does to the bytes that come from the client: `pass` them; `swallow` (take them and answer nothing, in both
 * directions); `cut` (end both sides gracefully); `reset` (both sides by RST); `mute` (the server gets them, its answers
 * are lost). A `delay` is set apart. A connection that has lost bytes never passes any again: no network gives the rest
 * of a message whose beginning is gone.
 */
export type Behaviour = 'pass' | 'swallow' | 'cut' | 'reset' | 'mute'

/** A TCP proxy before a server, which misbehaves when it is told. */
export interface TcpProxy {
  readonly port: number
  /** Connections that are open. */
  readonly open: number
  /** From now on, for all connections. */
  behave(behaviour: Behaviour): void
  /** Bytes of both directions come so much later. */
  delay(ms: number): void
  /** Misbehaves once, on the connection on which the client's bytes hold this text (`/commit/i`), before they are passed on. */
  once(pattern: RegExp, behaviour: Behaviour): Promise<void>
  /** Keeps what comes from the client of the connection on which its bytes hold this text, from these bytes on, until told. */
  hold(pattern: RegExp): Held
  /**
   * Like `hold`, and the server's side stays open when the client gives up: a statement that has been sent to a server which
   * does not run, or is far away, and arrives in the end.
   */
  strand(pattern: RegExp): Stranded
  /** From now on notes over which of the open connections the client's bytes held this text. */
  watch(pattern: RegExp): Watched
  /** New connections are refused, or taken again. Those that are open stay. */
  refuse(): Promise<void>
  accept(): Promise<void>
  /** Ends all open connections by RST. */
  dropAll(): void
}

/** Connections over which something was sent. */
export interface Watched {
  /** Of those that are open: the port from which the server sees each. */
  readonly ports: readonly number[]
}

/** Bytes that are kept back on one connection. */
export interface Held {
  /** Resolves when there are such bytes. */
  readonly met: Promise<void>
  /** Passes them on, and all that comes later: as the proxy then behaves. */
  release(): void
}

/** Bytes that reach the server whatever becomes of the client. */
export interface Stranded {
  /** Resolves when there are such bytes. */
  readonly met: Promise<void>
  /** Resolves when the client has given up. */
  readonly left: Promise<void>
  /** Sends them to the server; resolves with its answer, as text. */
  release(): Promise<string>
}

/** Starts one before `target`; ends with the test, suite or file `t`. */
export async function startProxy(t: Cleanup, target: { readonly port: number }): Promise<TcpProxy> {
  const proxy = new SwitchedProxy(target.port)
  cleanLater(t, () => proxy.end())
  await proxy.accept()
  return proxy
}

interface Trigger {
  readonly pattern: RegExp
  readonly behaviour: Behaviour | 'hold' | 'strand'
  readonly met: (pair: Pair) => void
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  behaviour: Behaviour | null
  /** What is kept back; null while nothing is. */
  held: Buffer[] | null
  /** The server's side outlives the client's. */
  isStranded: boolean
  /** What is watched for and was sent. */
  readonly sent: Set<RegExp>
  /** What still has to come, for each direction, in its order whatever becomes of the delay. */
  readonly late: Record<'client' | 'server', Promise<void> | null>
}

class SwitchedProxy implements TcpProxy {
  readonly #target: number
  readonly #pairs = new Set<Pair>()
  #server: Server | null = null
  #port = 0
  #behaviour: Behaviour = 'pass'
  #delayMs = 0
  #triggers: Trigger[] = []
  readonly #watched: RegExp[] = []

  constructor(target: number) {
    this.#target = target
  }

  get port(): number {
    return this.#port
  }

  get open(): number {
    return this.#pairs.size
  }

  behave(behaviour: Behaviour): void {
    this.#behaviour = behaviour
    if (behaviour === 'cut' || behaviour === 'reset') for (const pair of this.#pairs) drop(pair, behaviour)
  }

  delay(ms: number): void {
    this.#delayMs = ms
  }

  once(pattern: RegExp, behaviour: Behaviour): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#triggers.push({ pattern, behaviour, met: () => resolve() })
    return promise
  }

  hold(pattern: RegExp): Held {
    const { promise, resolve } = Promise.withResolvers<void>()
    let held: Pair | null = null
    const met = (pair: Pair): void => {
      held = pair
      resolve()
    }
    this.#triggers.push({ pattern, behaviour: 'hold', met })
    const release = (): void => {
      const kept = held?.held ?? []
      if (held === null) return
      held.held = null
      for (const bytes of kept) this.#fromClient(held, bytes)
    }
    return { met: promise, release }
  }

  strand(pattern: RegExp): Stranded {
    const met = Promise.withResolvers<void>()
    const left = Promise.withResolvers<void>()
    let stranded: Pair | null = null
    const take = (pair: Pair): void => {
      stranded = pair
      pair.isStranded = true
      pair.client.once('close', () => left.resolve())
      met.resolve()
    }
    this.#triggers.push({ pattern, behaviour: 'strand', met: take })
    const release = async (): Promise<string> => {
      if (stranded === null) throw new Error('The proxy has kept nothing back.')
      const { server, held } = stranded
      const answered = once(server, 'data')
      for (const bytes of held ?? []) server.write(bytes)
      const [answer] = await answered
      server.destroy()
      return Buffer.from(answer).toString('latin1')
    }
    return { met: met.promise, left: left.promise, release }
  }

  watch(pattern: RegExp): Watched {
    this.#watched.push(pattern)
    const pairs = this.#pairs
    return {
      get ports() {
        return [...pairs].filter(({ sent }) => sent.has(pattern)).map(({ server }) => server.localPort ?? 0)
      },
    }
  }

  async refuse(): Promise<void> {
    const server = this.#server
    this.#server = null
    // Not awaited until all is closed: the open connections stay.
    server?.close()
  }

  async accept(): Promise<void> {
    if (this.#server !== null) return
    const server = createServer((client) => this.#join(client))
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('unreachable: it listens on a port')
    this.#port = address.port
    this.#server = server
  }

  dropAll(): void {
    for (const pair of this.#pairs) drop(pair, 'reset')
  }

  async end(): Promise<void> {
    for (const { client, server } of this.#pairs) finish([client, server], 'reset')
    await this.refuse()
  }

  #join(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1')
    const pair: Pair = {
      ...{ client, server, behaviour: null, held: null, isStranded: false, sent: new Set<RegExp>() },
      late: { client: null, server: null },
    }
    this.#pairs.add(pair)
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
    }
    client.on('close', () => {
      if (!pair.isStranded) server.destroy()
    })
    server.on('close', () => {
      this.#pairs.delete(pair)
      client.destroy()
    })
    client.on('data', (bytes) => this.#fromClient(pair, bytes))
    server.on('data', (bytes) => {
      const behaviour = pair.behaviour ?? this.#behaviour
      if (behaviour === 'pass') this.#pass(pair, 'client', bytes)
      else if (behaviour === 'swallow' || behaviour === 'mute') pair.behaviour = behaviour
    })
  }

  #fromClient(pair: Pair, bytes: Buffer): void {
    if (pair.held !== null) {
      pair.held.push(bytes)
      return
    }
    const text = bytes.toString('latin1')
    for (const pattern of this.#watched) if (pattern.test(text)) pair.sent.add(pattern)
    const trigger = this.#triggers.find(({ pattern }) => pattern.test(text))
    if (trigger !== undefined) {
      this.#triggers = this.#triggers.filter((other) => other !== trigger)
      if (trigger.behaviour === 'hold' || trigger.behaviour === 'strand') pair.held = [bytes]
      else pair.behaviour = trigger.behaviour
      trigger.met(pair)
      if (pair.held !== null) return
    }
    const behaviour = pair.behaviour ?? this.#behaviour
    if (behaviour === 'cut' || behaviour === 'reset') drop(pair, behaviour)
    else if (behaviour === 'swallow') pair.behaviour = behaviour
    else this.#pass(pair, 'server', bytes)
  }

  #pass(pair: Pair, side: 'client' | 'server', bytes: Buffer): void {
    const to = pair[side]
    const before = pair.late[side]
    if (this.#delayMs === 0 && before === null) {
      to.write(bytes)
      return
    }
    const due = new Promise<void>((resolve) => setTimeout(resolve, this.#delayMs))
    const late = Promise.all([before, due]).then(() => {
      if (!to.destroyed) to.write(bytes)
      if (pair.late[side] === late) pair.late[side] = null
    })
    pair.late[side] = late
  }
}

/** Of a stranded connection the client's side alone. */
function drop(pair: Pair, how: 'cut' | 'reset'): void {
  finish(pair.isStranded ? [pair.client] : [pair.client, pair.server], how)
}

function finish(sockets: readonly Socket[], how: 'cut' | 'reset'): void {
  for (const socket of sockets) {
    if (how === 'cut') socket.destroy()
    else if (socket.connecting) socket.destroy()
    else socket.resetAndDestroy()
  }
}

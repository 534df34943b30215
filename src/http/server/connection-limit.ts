import type { Socket } from 'node:net'
import { LinkedList, type ListNode } from '../../database/work/linked-list.ts'

/** How many connections may be open. */
export interface ConnectionLimits {
  readonly all: number
  /** From one address, loopback excepted. Null behind a trusted proxy, which makes all connections. */
  readonly perAddress: number | null
}

/** A property of the socket: its position in a list while no request on it is being answered. */
const idleKey: unique symbol = Symbol('idle')

interface TrackedSocket extends Socket {
  [idleKey]?: { readonly list: LinkedList<Socket>; readonly node: ListNode<Socket> } | null
}

/**
 * Limits the number of open connections. Above the limit, an idle connection is closed: the one that has been silent for
 * longest since it opened, else the one idle for longest since its last response. A client that opens connections and
 * sends nothing therefore blocks no one.
 */
export class ConnectionLimit {
  readonly #limits: ConnectionLimits
  readonly #dropped: () => void
  readonly #open = new Set<Socket>()
  /** Connections without a complete request so far, and connections between two requests; oldest first. */
  readonly #silent = new LinkedList<Socket>()
  readonly #idle = new LinkedList<Socket>()
  readonly #byAddress = new Map<string, number>()

  /** `dropped` is called for each connection that the limit closes. */
  constructor(limits: ConnectionLimits, dropped: () => void) {
    this.#limits = limits
    this.#dropped = dropped
  }

  /** All open connections. */
  get open(): ReadonlySet<Socket> {
    return this.#open
  }

  /** Registers a connection until it closes. Above the limit, closes another one, or this one if none is idle. */
  add(socket: Socket): void {
    // A closed socket no longer has its address.
    const address = socket.remoteAddress ?? ''
    this.#open.add(socket)
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1)
    socket.once('close', () => this.#remove(socket, address))
    this.#enforce(socket, address)
    if (!socket.destroyed) moveTo(socket, this.#silent)
  }

  /** A request arrived: the connection is busy. */
  markBusy(socket: Socket): void {
    moveTo(socket, null)
  }

  /** All requests are answered: the connection is idle. */
  markIdle(socket: Socket): void {
    if (this.#open.has(socket) && !socket.destroyed) moveTo(socket, this.#idle)
  }

  #enforce(socket: Socket, address: string): void {
    if (this.#isOverPerAddress(address))
      this.#drop(this.#oldestIdle((other) => other.remoteAddress === address) ?? socket)
    else if (this.#open.size > this.#limits.all) this.#drop(this.#oldestIdle(() => true) ?? socket)
  }

  #isOverPerAddress(address: string): boolean {
    const { perAddress } = this.#limits
    if (perAddress === null || isLoopback(address)) return false
    return (this.#byAddress.get(address) ?? 0) > perAddress
  }

  #oldestIdle(matches: (socket: Socket) => boolean): Socket | undefined {
    for (const socket of this.#silent) if (matches(socket)) return socket
    for (const socket of this.#idle) if (matches(socket)) return socket
    return undefined
  }

  #drop(socket: Socket): void {
    this.#forget(socket)
    socket.destroy()
    this.#dropped()
  }

  #remove(socket: Socket, address: string): void {
    this.#forget(socket)
    const count = (this.#byAddress.get(address) ?? 1) - 1
    if (count === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, count)
  }

  #forget(socket: Socket): void {
    this.#open.delete(socket)
    moveTo(socket, null)
  }
}

/** Moves the socket to the end of a list, or out of its list. In its own list it keeps its position. */
function moveTo(socket: TrackedSocket, list: LinkedList<Socket> | null): void {
  const { [idleKey]: now } = socket
  if (list !== null && now?.list === list) return
  now?.list.remove(now.node)
  socket[idleKey] = list === null ? null : { list, node: list.add(socket) }
}

/** Undeclared local proxies connect from loopback, too. */
function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address)
}

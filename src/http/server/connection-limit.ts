import type { Socket } from 'node:net'
import { LinkedList, type ListNode } from '../../database/work/linked-list.ts'

/** How many connections may be open. */
export interface PlaceLimits {
  readonly all: number
  /** From one address other than this machine's; null where a proxy of ours is in front, which is everybody. */
  readonly perAddress: number | null
}

/** A property of the socket: where it stands while it is not being answered. */
const standKey: unique symbol = Symbol('stand')

interface Standing extends Socket {
  [standKey]?: { readonly chain: LinkedList<Socket>; readonly place: ListNode<Socket> } | null
}

/**
 * The connections that are open. When they are too many, one that is not being answered has to leave: the one that has
 * sent no request for the longest, else the one whose last answer is the longest ago. So somebody who opens connections
 * and says nothing shuts nobody out.
 */
export class Places {
  readonly #limits: PlaceLimits
  readonly #dropped: () => void
  readonly #open = new Set<Socket>()
  /** Those without a whole request so far, and those between two; the oldest first. */
  readonly #silent = new LinkedList<Socket>()
  readonly #resting = new LinkedList<Socket>()
  readonly #byAddress = new Map<string, number>()

  /** `dropped` is called for each connection that is ended here. */
  constructor(limits: PlaceLimits, dropped: () => void) {
    this.#limits = limits
    this.#dropped = dropped
  }

  /** All that are open. */
  get open(): ReadonlySet<Socket> {
    return this.#open
  }

  /** Takes a connection in, until it closes; another one, or itself, is ended when there is no place. */
  enter(socket: Socket): void {
    // Later the socket does not know it any more.
    const address = socket.remoteAddress ?? ''
    this.#open.add(socket)
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1)
    socket.once('close', () => this.#leave(socket, address))
    this.#makePlace(socket, address)
    if (!socket.destroyed) stand(socket, this.#silent)
  }

  /** A request came. */
  work(socket: Socket): void {
    stand(socket, null)
  }

  /** All its requests are answered. */
  rest(socket: Socket): void {
    if (this.#open.has(socket) && !socket.destroyed) stand(socket, this.#resting)
  }

  #makePlace(socket: Socket, address: string): void {
    if (this.#isTooMany(address)) this.#end(this.#longest((other) => other.remoteAddress === address) ?? socket)
    else if (this.#open.size > this.#limits.all) this.#end(this.#longest(() => true) ?? socket)
  }

  #isTooMany(address: string): boolean {
    const { perAddress } = this.#limits
    if (perAddress === null || isLoopback(address)) return false
    return (this.#byAddress.get(address) ?? 0) > perAddress
  }

  #longest(isMeant: (socket: Socket) => boolean): Socket | undefined {
    for (const socket of this.#silent) if (isMeant(socket)) return socket
    for (const socket of this.#resting) if (isMeant(socket)) return socket
    return undefined
  }

  #end(socket: Socket): void {
    this.#forget(socket)
    socket.destroy()
    this.#dropped()
  }

  #leave(socket: Socket, address: string): void {
    this.#forget(socket)
    const count = (this.#byAddress.get(address) ?? 1) - 1
    if (count === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, count)
  }

  #forget(socket: Socket): void {
    this.#open.delete(socket)
    stand(socket, null)
  }
}

/** Puts it behind the others of a chain, or into none. Where it already stands it keeps its place. */
function stand(socket: Standing, chain: LinkedList<Socket> | null): void {
  const { [standKey]: now } = socket
  if (chain !== null && now?.chain === chain) return
  now?.chain.remove(now.place)
  socket[standKey] = chain === null ? null : { chain, place: chain.add(socket) }
}

/** Proxies that were not declared come from there too. */
function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\./.test(address)
}

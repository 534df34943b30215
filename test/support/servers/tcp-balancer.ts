import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type Cleanup, cleanLater } from '../temp.ts'

/** Where a server listens. */
interface Member {
  readonly port: number
}

/** A TCP balancer before the members of a cluster, which knows nothing of their protocol. */
export interface TcpBalancer {
  readonly port: number
  /** New connections go to these in turn; to one that refuses them, nowhere. Those that are open stay. */
  lead(...members: readonly Member[]): void
  /** Open connections to a member. */
  open(member: Member): number
  /** Ends open connections to a member by RST, as HAProxy does with `on-marked-down shutdown-sessions`. */
  drop(member: Member): void
}

/** Starts one before these members; ends with the test, suite or file `t`. */
export async function startBalancer(t: Cleanup, ...members: readonly Member[]): Promise<TcpBalancer> {
  const balancer = new TurnBalancer(members)
  cleanLater(t, () => balancer.end())
  await balancer.listen()
  return balancer
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  readonly to: number
}

class TurnBalancer implements TcpBalancer {
  readonly #server: Server = createServer((client) => this.#join(client))
  readonly #pairs = new Set<Pair>()
  #members: readonly Member[]
  #turn = 0
  #port = 0

  constructor(members: readonly Member[]) {
    this.#members = members
  }

  get port(): number {
    return this.#port
  }

  lead(...members: readonly Member[]): void {
    this.#members = members
  }

  open(member: Member): number {
    return [...this.#pairs].filter(({ to }) => to === member.port).length
  }

  drop(member: Member): void {
    for (const pair of this.#pairs) if (pair.to === member.port) reset(pair)
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('unreachable: it listens on a port')
    this.#port = address.port
  }

  end(): void {
    for (const pair of this.#pairs) reset(pair)
    this.#server.close()
  }

  #join(client: Socket): void {
    const member = this.#members[this.#turn++ % this.#members.length]
    client.on('error', () => {})
    if (member === undefined) {
      client.resetAndDestroy()
      return
    }
    const server = connect(member.port, '127.0.0.1')
    const pair = { client, server, to: member.port }
    this.#pairs.add(pair)
    server.on('error', () => client.resetAndDestroy())
    client.on('close', () => server.destroy())
    server.on('close', () => {
      this.#pairs.delete(pair)
      client.destroy()
    })
    for (const socket of [client, server]) socket.setNoDelay(true)
    client.pipe(server).pipe(client)
  }
}

function reset({ client, server }: Pair): void {
  client.resetAndDestroy()
  if (server.connecting) server.destroy()
  else server.resetAndDestroy()
}

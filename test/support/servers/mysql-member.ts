import { connect, createServer, type Socket } from 'node:net'
import { type Cleanup, cleanLater } from '../temp.ts'

/** An error of the server. */
export interface MemberError {
  readonly number: number
  readonly message: string
  readonly state?: string
}

/** A text that a client has sent, and on which of its connections, counted from 1. */
export interface SentText {
  readonly connection: number
  readonly text: string
}

/** Statements that have been sent and are not answered yet. */
export interface HeldStatements {
  /** Resolves when there is one. */
  readonly met: Promise<void>
  /** Has the server carry them out, and all later ones. */
  release(): void
}

/** A MariaDB that says of itself whatever it is told, as a member of a Galera cluster would: a real one behind a proxy. */
export interface MysqlMember {
  readonly port: number
  /** What SHOW VARIABLES and SHOW STATUS answer; others are as on the real server. */
  readonly says: Record<string, string>
  /** What it was sent, in order, prepared statements each time that they are executed. */
  readonly sent: readonly SentText[]
  /** Connections that are open, by their numbers. */
  readonly open: readonly number[]
  /** Answers these texts with an error, on the connections that are open now or on all; until it is told otherwise. */
  refuse(pattern: RegExp, error: MemberError, where: 'open' | 'all'): void
  /** Carries everything out again. */
  serve(): void
  /** Answers these texts once it is told. */
  hold(pattern: RegExp): HeldStatements
}

interface Refusal {
  readonly pattern: RegExp
  readonly error: MemberError
  readonly upTo: number
}

interface Hold {
  readonly pattern: RegExp
  readonly met: () => void
  readonly released: Promise<void>
}

/** Starts one before a real server; ends with the test, suite or file `t`. */
export async function startMember(t: Cleanup, target: { readonly port: number }): Promise<MysqlMember> {
  const member = new ScriptedMember(target.port)
  cleanLater(t, () => member.end())
  await member.listen()
  return member
}

class ScriptedMember implements MysqlMember {
  readonly says: Record<string, string> = {}
  readonly sent: SentText[] = []
  readonly holds: Hold[] = []
  readonly #target: number
  readonly #links = new Map<number, Link>()
  readonly #server = createServer((client) => this.#accept(client))
  #refusals: Refusal[] = []
  #count = 0

  constructor(target: number) {
    this.#target = target
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('unreachable: it listens on a port')
    return address.port
  }

  get open(): readonly number[] {
    return [...this.#links.keys()]
  }

  refuse(pattern: RegExp, error: MemberError, where: 'open' | 'all'): void {
    this.#refusals.push({ pattern, error, upTo: where === 'open' ? this.#count : Number.POSITIVE_INFINITY })
  }

  serve(): void {
    this.#refusals = []
  }

  hold(pattern: RegExp): HeldStatements {
    const met = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    this.holds.push({ pattern, met: met.resolve, released: released.promise })
    return { met: met.promise, release: released.resolve }
  }

  refusalOf(connection: number, text: string): MemberError | null {
    return this.#refusals.find(({ pattern, upTo }) => connection <= upTo && pattern.test(text))?.error ?? null
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  async end(): Promise<void> {
    for (const link of this.#links.values()) link.end()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    this.#count += 1
    const number = this.#count
    const link = new Link(this, number, client, connect(this.#target, '127.0.0.1'))
    this.#links.set(number, link)
    client.once('close', () => this.#links.delete(number))
  }
}

const commands = { query: 3, prepare: 22, execute: 23 } as const

/** One connection: whole packets in both directions, and the texts in them. */
class Link {
  readonly #member: ScriptedMember
  readonly #number: number
  readonly #client: Socket
  readonly #server: Socket
  /** Of prepared statements, by the numbers that the server gave them. */
  readonly #texts = new Map<number, string>()
  /** The text whose preparation the server answers next. */
  #preparing: string | null = null
  #turn: Promise<void> = Promise.resolve()
  #isIn = false

  constructor(member: ScriptedMember, number: number, client: Socket, server: Socket) {
    this.#member = member
    this.#number = number
    this.#client = client
    this.#server = server
    onPackets(client, (packet) => {
      this.#turn = this.#turn.then(() => this.#toServer(packet))
    })
    onPackets(server, (packet) => this.#toClient(packet))
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
  }

  end(): void {
    this.#client.destroy()
    this.#server.destroy()
  }

  async #toServer(packet: Buffer): Promise<void> {
    // The login goes on until the server has agreed; a command begins a new count.
    if (!this.#isIn || packet[3] !== 0) {
      this.#server.write(packet)
      return
    }
    const text = this.#textOf(packet)
    if (text === null) {
      this.#server.write(packet)
      return
    }
    if (packet[4] === commands.prepare) this.#preparing = text
    else this.#member.sent.push({ connection: this.#number, text })
    const isRun = packet[4] !== commands.prepare
    const hold = isRun ? this.#member.holds.find(({ pattern }) => pattern.test(text)) : undefined
    hold?.met()
    await hold?.released
    const refusal = isRun ? this.#member.refusalOf(this.#number, text) : null
    const said = isRun && refusal === null ? shown(text, this.#member.says) : null
    if (refusal !== null) this.#client.write(errorPacket(refusal))
    else if (said !== null) this.#client.write(rowsPackets(said))
    else this.#server.write(packet)
  }

  #textOf(packet: Buffer): string | null {
    if (packet[4] === commands.query || packet[4] === commands.prepare) return packet.toString('utf8', 5)
    return packet[4] === commands.execute ? (this.#texts.get(packet.readUInt32LE(5)) ?? null) : null
  }

  #toClient(packet: Buffer): void {
    if (!this.#isIn) this.#isIn = packet[3] !== 0 && packet[4] === 0
    else if (this.#preparing !== null) {
      if (packet[4] === 0) this.#texts.set(packet.readUInt32LE(5), this.#preparing)
      this.#preparing = null
    }
    this.#client.write(packet)
  }
}

/** Calls for each whole packet, its head included. */
function onPackets(socket: Socket, take: (packet: Buffer) => void): void {
  let kept: Buffer = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    kept = Buffer.concat([kept, bytes])
    for (;;) {
      const length = kept.length < 4 ? Number.POSITIVE_INFINITY : kept.readUIntLE(0, 3) + 4
      if (kept.length < length) return
      take(kept.subarray(0, length))
      kept = kept.subarray(length)
    }
  })
}

/** The rows of `show variables where variable_name in (...)` that the script knows; null: none of them, or another text. */
function shown(text: string, says: Readonly<Record<string, string>>): readonly (readonly [string, string])[] | null {
  const [, list] = /^show (?:global )?(?:variables|status) where variable_name in \((.*)\)$/.exec(text) ?? []
  if (list === undefined || Object.keys(says).length === 0) return null
  const asked = new Set([...list.matchAll(/'([^']*)'/g)].map(([, name]) => name))
  return Object.entries(says).filter(([name]) => asked.has(name))
}

function errorPacket({ number, message, state = 'HY000' }: MemberError): Buffer {
  const head = Buffer.from([0xff, number & 0xff, number >> 8])
  return packetOf(1, Buffer.concat([head, Buffer.from(`#${state}${message}`)]))
}

const endOfRows = Buffer.from([0xfe, 0, 0, 2, 0])

function rowsPackets(rows: readonly (readonly [string, string])[]): Buffer {
  const bodies = [
    Buffer.from([2]),
    ...['Variable_name', 'Value'].map(columnOf),
    endOfRows,
    ...rows.map((row) => Buffer.concat(row.map(textOf))),
    endOfRows,
  ]
  return Buffer.concat(bodies.map((body, at) => packetOf(at + 1, body)))
}

/** A text column in utf8mb4, as MariaDB and mysql2 have agreed to describe it: the last text is for types of its own. */
function columnOf(name: string): Buffer {
  const names = ['def', '', '', '', name, name, ''].map(textOf)
  return Buffer.concat([...names, Buffer.from([12, 45, 0, 0, 4, 0, 0, 0xfd, 0, 0, 0, 0, 0])])
}

/** A text with its length before it, of up to 65,535 bytes. */
function textOf(text: string): Buffer {
  const bytes = Buffer.from(text)
  const head = bytes.length < 251 ? [bytes.length] : [0xfc, bytes.length & 0xff, bytes.length >> 8]
  return Buffer.concat([Buffer.from(head), bytes])
}

function packetOf(sequence: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUIntLE(body.length, 0, 3)
  head[3] = sequence & 0xff
  return Buffer.concat([head, body])
}

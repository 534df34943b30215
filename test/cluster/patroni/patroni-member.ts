import { readFileSync } from 'node:fs'
import { Client, DatabaseError } from 'pg'
import type { TcpProxy } from '../../support/servers/tcp-proxy.ts'
import type { Daemon } from '../member/daemon.ts'
import { signalTree } from '../member/daemon.ts'
import type { PulseMark } from '../member/pulse.ts'
import { type MemberPorts, users } from './config.ts'

/** What Patroni says of a member. */
export interface MemberState {
  readonly state: string
  readonly role: string
  readonly timeline?: number
}

/** One member: an agent, the PostgreSQL that it starts, and the proxies through which all others reach them. */
export class PatroniMember {
  readonly name: string
  readonly ports: MemberPorts
  readonly agent: Daemon
  readonly #dir: string
  readonly #proxies: readonly TcpProxy[]
  #client: Client | null = null

  constructor(name: string, dir: string, ports: MemberPorts, agent: Daemon, proxies: readonly TcpProxy[]) {
    this.name = name
    this.#dir = dir
    this.ports = ports
    this.agent = agent
    this.#proxies = proxies
  }

  /** The postmaster; -1: none runs. */
  get serverPid(): number {
    try {
      return Number(readFileSync(`${this.#dir}/data/postmaster.pid`, 'utf8').split('\n')[0])
    } catch {
      return -1
    }
  }

  killServer(): void {
    signalTree(this.serverPid, 'SIGKILL')
  }

  pauseServer(): void {
    signalTree(this.serverPid, 'SIGSTOP')
  }

  resumeServer(): void {
    signalTree(this.serverPid, 'SIGCONT')
  }

  /** Nothing of it reaches the others, or comes from them: bytes vanish, as in a network that is cut. */
  isolate(): void {
    for (const proxy of this.#proxies) proxy.behave('swallow')
  }

  /** The connections of before are ended: the bytes that they lost are gone. */
  join(): void {
    for (const proxy of this.#proxies) {
      proxy.dropAll()
      proxy.behave('pass')
    }
  }

  /** What its agent says of it; null: it does not answer. */
  async state(): Promise<MemberState | null> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.ports.agent}/patroni`, {
        signal: AbortSignal.timeout(1_000),
      })
      return (await response.json()) as MemberState // As Patroni documents it.
    } catch {
      return null
    }
  }

  async query(text: string, database = 'app'): Promise<readonly Record<string, unknown>[]> {
    const client = await this.#connect(database)
    try {
      return (await client.query(text)).rows
    } finally {
      client.end().catch(() => {})
    }
  }

  /** On a connection of its own, which is kept. A standby refuses it. */
  async pulse(number: number): Promise<PulseMark> {
    this.#client ??= await this.#connect('app')
    try {
      const { rows } = await this.#client.query<{ at: string; segment: string }>(pulseSql, [number])
      const [row] = rows
      if (row === undefined) throw new Error('unreachable: the row is there')
      return { timeline: Number.parseInt(row.segment.slice(0, 8), 16), position: positionOf(row.at) }
    } catch (error) {
      // On the connection to a standby the next write succeeds as soon as it is promoted; a new one each time takes half a core.
      if (!(error instanceof DatabaseError && error.code === '25006')) {
        this.#client?.end().catch(() => {})
        this.#client = null
      }
      throw error
    }
  }

  async #connect(database: string): Promise<Client> {
    const { username: user, password } = users.superuser
    const limits = { connectionTimeoutMillis: 1_000, query_timeout: 1_500 }
    const client = new Client({ host: '127.0.0.1', port: this.ports.server, database, user, password, ...limits })
    client.on('error', () => {})
    await client.connect()
    return client
  }
}

const pulseSql =
  'insert into pulse (member, n) values ($1, 1) on conflict (member) do update set n = pulse.n + 1 ' +
  'returning pg_current_wal_insert_lsn()::text as at, pg_walfile_name(pg_current_wal_insert_lsn()) as segment'

/** `0/16B3748` as a number of bytes. */
export function positionOf(text: string): bigint {
  const [high = '0', low = '0'] = text.split('/')
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
}

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { isRoot, ordinaryUid } from '../../support/process.ts'
import { freePort } from '../../support/servers/postgres.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { type Cleanup, giveTo, makeTempDir, serversDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import type { Cluster, ClusterEvent, Layout } from '../cluster-kind.ts'
import type { ServiceRow } from '../judge/judge.ts'
import { Daemon } from '../member/daemon.ts'
import type { PulseMark } from '../member/pulse.ts'
import { sweepWithUs } from '../member/sweep.ts'
import { requiredPath } from '../requirement.ts'
import { haproxyConfig, patroniConfig } from './config.ts'
import { patroniEvents } from './events.ts'
import { PatroniMember, positionOf } from './patroni-member.ts'

const run = promisify(execFile)

/** Two and a half times what a rejoin with pg_rewind took on two busy cores. */
const wholeMs = 120_000

/** After this a member that does not follow is copied again. */
const ownWayMs = 25_000

/** The user of the services. */
const service = { user: 'service', password: 'service-secret' } as const

/** Three members, etcd and HAProxy on free ports of the loopback address; they end with `t`. */
export async function startPatroni(t: Cleanup): Promise<Cluster> {
  const dir = await makeTempDir(t, 'patroni', serversDir)
  sweepWithUs(t, dir)
  const etcd = await startEtcd(dir)
  const members: PatroniMember[] = []
  for (const name of ['m1', 'm2', 'm3']) members.push(await makeMember(t, dir, name, etcd.port))
  const haproxyPort = await freePort()
  const haproxyFile = join(dir, 'haproxy.cfg')
  const ports = members.map((member) => member.ports)
  await writeFile(haproxyFile, haproxyConfig(dir, haproxyPort, ports))
  if (isRoot) await giveTo(dir, ordinaryUid, ordinaryUid)
  etcd.daemon.start()
  for (const member of members) member.agent.start()
  const haproxy = new Daemon({
    ...{ command: requiredPath('patroni', 'haproxy'), args: ['-db', '-f', haproxyFile] },
    log: join(dir, 'haproxy.log'),
  })
  haproxy.start()
  const cluster = new PatroniCluster(members, etcd.daemon, haproxyPort, await versionsOf())
  await cluster.prepare()
  return cluster
}

async function startEtcd(dir: string): Promise<{ readonly daemon: Daemon; readonly port: number }> {
  const [port, peer] = [await freePort(), await freePort()]
  const [client, peers] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peer}`]
  const args = [
    ...['--name', 'e1', '--data-dir', join(dir, 'etcd'), '--unsafe-no-fsync', '--log-level', 'error'],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers, '--initial-cluster', `e1=${peers}`],
  ]
  const daemon = new Daemon({ command: requiredPath('patroni', 'etcd'), args, log: join(dir, 'etcd.log') })
  return { daemon, port }
}

async function makeMember(t: Cleanup, parent: string, name: string, etcdPort: number): Promise<PatroniMember> {
  const dir = join(parent, name)
  await mkdir(dir)
  const [server, agent] = [await freePort(), await freePort()]
  const proxies = await Promise.all([server, agent, etcdPort].map((port) => startProxy(t, { port })))
  const [serverProxy = 0, agentProxy = 0, etcdProxy = 0] = proxies.map(({ port }) => port)
  const ports = { server, serverProxy, agent, agentProxy, etcdProxy }
  const config = join(dir, 'patroni.json')
  await writeFile(config, patroniConfig(name, dir, ports, dirname(requiredPath('patroni', 'postgres'))))
  const daemon = new Daemon({
    ...{ command: requiredPath('patroni', 'patroni'), args: [config], log: join(dir, 'patroni.log') },
    env: { HOME: dir },
  })
  return new PatroniMember(name, dir, ports, daemon, proxies)
}

async function versionsOf(): Promise<readonly string[]> {
  const ask = async (name: string, ...args: readonly string[]): Promise<string> => {
    const { stdout } = await run(requiredPath('patroni', name), args)
    return /\d+\.\d+(?:\.\d+)?/.exec(stdout)?.[0] ?? '?'
  }
  return [
    `PostgreSQL ${await ask('postgres', '--version')}`,
    `Patroni ${await ask('patroni', '--version')}`,
    `etcd ${await ask('etcd', '--version')}`,
    `HAProxy ${await ask('haproxy', '-v')}`,
  ]
}

/** The cluster as the harness sees it: past all proxies. */
export class PatroniCluster implements Cluster {
  readonly kind = 'patroni'
  readonly versions: readonly string[]
  readonly members: readonly PatroniMember[]
  readonly etcd: Daemon
  readonly #haproxyPort: number

  constructor(members: readonly PatroniMember[], etcd: Daemon, haproxyPort: number, versions: readonly string[]) {
    this.members = members
    this.etcd = etcd
    this.#haproxyPort = haproxyPort
    this.versions = versions
  }

  get memberCount(): number {
    return this.members.length
  }

  async prepare(): Promise<void> {
    const look = async (): Promise<PatroniMember | null> => {
      // As an init system does: an agent ends after a bootstrap that failed.
      for (const { agent } of this.members) agent.start()
      return await this.leader()
    }
    const leader = await until(look, { withinMs: wholeMs, everyMs: 200, what: 'a leader' })
    const { user, password } = service
    await leader.query(`create role ${user} login password '${password}'`, 'postgres')
    await leader.query(`create database app owner ${user}`, 'postgres')
    await leader.query('create table pulse (member int primary key, n bigint not null)')
    await this.whole()
  }

  addressFor(layout: Layout, _service: number): string {
    const { user, password } = service
    if (layout === 'haproxy') return `postgres://${user}:${password}@127.0.0.1:${this.#haproxyPort}/app`
    const hosts = this.members.map(({ ports }) => `127.0.0.1:${ports.serverProxy}`).join(',')
    return `postgres://${user}:${password}@${hosts}/app?target_session_attrs=read-write`
  }

  async pulse(member: number): Promise<PulseMark> {
    return await this.#member(member).pulse(member)
  }

  async enter(layout: Layout): Promise<void> {
    const body = JSON.stringify({ synchronous_mode: layout === 'synchronous' })
    const { ports } = await this.#known()
    const response = await fetch(`http://127.0.0.1:${ports.agent}/config`, { method: 'PATCH', body })
    if (!response.ok) throw new Error(`Patroni refused ${body}: ${await response.text()}`)
    await this.whole(layout === 'synchronous')
  }

  async whole(isSynchronous: boolean = false): Promise<void> {
    let limitMs = performance.now() + ownWayMs
    const look = async (): Promise<boolean> => {
      if (await this.#isWhole(isSynchronous)) return true
      if (performance.now() < limitMs) return false
      limitMs += ownWayMs
      await this.#copyAgain()
      return false
    }
    await until(look, { withinMs: wholeMs, everyMs: 200, what: 'the cluster to be whole' })
  }

  /** The one that says that it leads and runs; null: none, or more than one. */
  async leader(): Promise<PatroniMember | null> {
    const states = await Promise.all(this.members.map((member) => member.state()))
    const leading = this.members.filter((_, at) => states[at]?.role === 'master' && states[at]?.state === 'running')
    return leading.length === 1 ? (leading[0] ?? null) : null
  }

  events(): readonly ClusterEvent[] {
    return patroniEvents(this)
  }

  numberOf(member: PatroniMember): number {
    return this.members.indexOf(member)
  }

  async rows(): Promise<readonly ServiceRow[]> {
    const leader = await this.#known()
    const rows = await leader.query('select id::text, token, value::int as value from item')
    return rows as unknown as readonly ServiceRow[] // Their columns.
  }

  async parked(): Promise<ReadonlySet<string>> {
    const rows = await (await this.#known()).query('select * from holdfast_conflict')
    return new Set(rows.flatMap((row) => uuidsOf(JSON.stringify(row))))
  }

  async forks(): Promise<ReadonlyMap<number, bigint>> {
    const leader = await this.#known()
    const [row] = await leader.query(
      `select coalesce(string_agg(pg_read_file('pg_wal/' || name), E'\\n'), '') as text
       from pg_ls_dir('pg_wal') as name where name like '%.history'`,
    )
    const lines = String(row?.text).split('\n')
    return new Map(
      lines.flatMap((line) => {
        const [, timeline, position] = /^(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/.exec(line) ?? []
        return timeline === undefined || position === undefined ? [] : [[Number(timeline), positionOf(position)]]
      }),
    )
  }

  async clear(): Promise<void> {
    const leader = await this.#known()
    const rows = await leader.query(
      `select tablename from pg_tables where schemaname = 'public' and tablename <> 'pulse'`,
    )
    for (const { tablename } of rows) await leader.query(`drop table "${tablename}" cascade`)
  }

  async #isWhole(isSynchronous: boolean): Promise<boolean> {
    const states = await Promise.all(this.members.map((member) => member.state()))
    const leads = states.filter((one) => one?.role === 'master' && one.state === 'running')
    const follow = states.filter((one) => one?.role === 'replica' && one.state === 'running')
    if (leads.length !== 1 || follow.length !== this.members.length - 1) return false
    const leader = this.members.find((_, at) => states[at]?.role === 'master')
    const [row] = (await leader?.query(
      `select count(*) filter (where state = 'streaming')::int as streaming,
         count(*) filter (where sync_state in ('sync', 'quorum'))::int as synchronous from pg_stat_replication`,
    )) ?? [{ streaming: 0, synchronous: 0 }]
    return row?.streaming === this.members.length - 1 && (!isSynchronous || Number(row?.synchronous) > 0)
  }

  /** What an administrator does with a member that cannot follow: Patroni 3.0.2 does not rewind every former primary. */
  async #copyAgain(): Promise<void> {
    const leader = await this.leader()
    const rows = await leader?.query(
      "select application_name as name from pg_stat_replication where state = 'streaming'",
    )
    const following = new Set(rows?.map(({ name }) => name))
    for (const member of this.members) {
      if (leader === null || member === leader || following.has(member.name)) continue
      const body = JSON.stringify({ force: true })
      await fetch(`http://127.0.0.1:${member.ports.agent}/reinitialize`, { method: 'POST', body }).catch(
        () => undefined,
      )
    }
  }

  async #known(): Promise<PatroniMember> {
    return await until(() => this.leader(), { withinMs: wholeMs, everyMs: 100, what: 'a leader' })
  }

  #member(number: number): PatroniMember {
    const member = this.members[number]
    if (member === undefined) throw new Error(`There is no member ${number}.`)
    return member
  }
}

function uuidsOf(text: string): readonly string[] {
  return text.match(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g) ?? []
}

import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { isRoot, ordinaryUid } from '../../support/process.ts'
import { asServer, freePort } from '../../support/servers/postgres.ts'
import { type Cleanup, giveTo, makeTempDir, serversDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import type { Cluster, ClusterEvent, Layout } from '../cluster-kind.ts'
import type { ServiceRow } from '../judge/judge.ts'
import { Daemon } from '../member/daemon.ts'
import type { PulseMark } from '../member/pulse.ts'
import { sweepWithUs } from '../member/sweep.ts'
import { requiredPath } from '../requirement.ts'
import { galeraEvents } from './events.ts'
import { GaleraMember } from './galera-member.ts'

const run = promisify(execFile)

/** A node that has to copy another's whole data takes a quarter of it on two busy cores. */
const wholeMs = 120_000

const password = 'service-secret'

interface NodePorts {
  readonly server: number
  readonly group: number
  /** Of state transfers: of what a node missed, and whole. */
  readonly missed: number
  readonly whole: number
}

/** Three nodes on free ports of the loopback address; they end with `t`. Every timeout of Galera is at its default. */
export async function startGalera(t: Cleanup): Promise<Cluster> {
  const dir = await makeTempDir(t, 'galera', serversDir)
  sweepWithUs(t, dir)
  const ports: NodePorts[] = []
  for (let number = 0; number < 3; number += 1) {
    ports.push({
      ...{ server: await freePort(), group: await freePort(), missed: await freePort(), whole: await freePort() },
    })
    await mkdir(join(dir, `m${number + 1}`, 'data'), { recursive: true })
  }
  if (isRoot) await giveTo(dir, ordinaryUid, ordinaryUid)
  const group = `gcomm://${ports.map((one) => `127.0.0.1:${one.group}`).join(',')}`
  const members = ports.map((own, at) => makeMember(join(dir, `m${at + 1}`), own, group, at))
  const [first] = members
  if (first === undefined) throw new Error('unreachable: there are three')
  await install(join(dir, 'm1'))
  first.daemon.start(['--wsrep-new-cluster'])
  await until(() => first.isSynced(1), { withinMs: wholeMs, everyMs: 100, what: 'the first node' })
  const cluster = new GaleraCluster(members, await versionsOf(first))
  await cluster.prepare()
  return cluster
}

async function install(dir: string): Promise<void> {
  const args = ['--no-defaults', `--datadir=${dir}/data`, '--auth-root-authentication-method=normal', '--skip-test-db']
  const more = ['--skip-name-resolve', `--tmpdir=${dir}`, '--innodb-log-file-size=8M']
  await run(requiredPath('galera', 'mariadb-install-db'), [...args, ...more], { cwd: '/', ...asServer() })
}

function makeMember(dir: string, ports: NodePorts, group: string, at: number): GaleraMember {
  const socket = join(dir, 'mysqld.sock')
  const provider = [
    ...[`gmcast.listen_addr=tcp://127.0.0.1:${ports.group}`, `base_port=${ports.group}`],
    ...[`ist.recv_addr=127.0.0.1:${ports.missed}`, 'gcache.size=64M', 'gcache.recover=yes'],
  ].join(';')
  const daemon = new Daemon({
    command: requiredPath('galera', 'mariadbd'),
    args: [
      ...['--no-defaults', `--datadir=${dir}/data`, `--tmpdir=${dir}`, `--socket=${socket}`],
      ...[`--port=${ports.server}`, '--bind-address=127.0.0.1', `--pid-file=${dir}/mysqld.pid`, '--skip-name-resolve'],
      ...['--performance-schema=off', '--max-connections=100', '--binlog-format=ROW', '--innodb-autoinc-lock-mode=2'],
      // A crash of the machine is none of the faults.
      ...['--innodb-flush-log-at-trx-commit=2', '--innodb-flush-method=nosync', '--sync-frm=off'],
      ...['--innodb-buffer-pool-size=32M', '--innodb-log-file-size=8M'],
      ...['--wsrep-on=ON', `--wsrep-provider=${requiredPath('galera', 'libgalera_smm.so')}`],
      ...[`--wsrep-cluster-name=holdfast`, `--wsrep-cluster-address=${group}`, `--wsrep-node-name=m${at + 1}`],
      ...[`--wsrep-node-address=127.0.0.1:${ports.group}`, `--wsrep-node-incoming-address=127.0.0.1:${ports.server}`],
      ...['--wsrep-sst-method=rsync', `--wsrep-sst-receive-address=127.0.0.1:${ports.whole}`],
      ...[`--wsrep-provider-options=${provider}`, '--wsrep-slave-threads=2'],
    ],
    // Where the scripts of state transfers are looked for.
    env: { PATH: `${dirname(requiredPath('galera', 'wsrep_sst_rsync'))}:${process.env.PATH ?? ''}`, HOME: dir },
    log: join(dir, 'mariadbd.log'),
  })
  return new GaleraMember(ports.server, socket, daemon)
}

async function versionsOf(member: GaleraMember): Promise<readonly string[]> {
  const [server] = await member.query('select version() as version')
  const [provider] = await member.query("show global status like 'wsrep_provider_version'")
  return [
    `MariaDB ${/^[\d.]+/.exec(String(server?.version))?.[0] ?? '?'}`,
    `Galera ${/^[\d.]+/.exec(String(provider?.Value))?.[0] ?? '?'}`,
  ]
}

/** The cluster as the harness sees it: by the Unix sockets of its nodes. */
export class GaleraCluster implements Cluster {
  readonly kind = 'galera'
  readonly versions: readonly string[]
  readonly members: readonly GaleraMember[]

  constructor(members: readonly GaleraMember[], versions: readonly string[]) {
    this.members = members
    this.versions = versions
  }

  get memberCount(): number {
    return this.members.length
  }

  async prepare(): Promise<void> {
    const [first, ...others] = this.members
    if (first === undefined) throw new Error('unreachable: there are three')
    await first.query('create database app')
    await first.query('create table app.pulse (member int primary key, n bigint not null)')
    for (const [at] of this.members.entries()) {
      await first.query(`create user '${userOf(at)}'@'%' identified by '${password}'`)
      await first.query(`grant all on app.* to '${userOf(at)}'@'%'`)
    }
    // One after the other: each copies the first one's data whole.
    for (const [at, member] of others.entries()) {
      member.daemon.start()
      await until(() => member.isSynced(at + 2), { withinMs: wholeMs, everyMs: 100, what: `node ${at + 2}` })
    }
    await this.whole()
  }

  /** Each service has another node first, so that all nodes are written to. */
  addressFor(_layout: Layout, service: number): string {
    const from = service % this.members.length
    const inOrder = [...this.members.slice(from), ...this.members.slice(0, from)]
    const hosts = inOrder.map(({ port }) => `127.0.0.1:${port}`).join(',')
    return `mariadb://${userOf(from)}:${password}@${hosts}/app`
  }

  async pulse(member: number): Promise<PulseMark> {
    await this.member(member).pulse(member)
    return { timeline: null, position: null }
  }

  async enter(_layout: Layout): Promise<void> {
    await this.whole()
  }

  async whole(): Promise<void> {
    const isWhole = async (): Promise<boolean> => {
      const synced = await Promise.all(this.members.map((member) => member.isSynced(this.members.length)))
      return synced.every(Boolean)
    }
    await until(isWhole, { withinMs: wholeMs, everyMs: 200, what: 'the cluster to be whole' })
  }

  events(): readonly ClusterEvent[] {
    return galeraEvents(this)
  }

  /** The number of the node that serves this service. */
  async nodeOf(service: number): Promise<number> {
    const counts = await Promise.all(this.members.map((member) => member.connectionsOf(userOf(service))))
    return counts.indexOf(Math.max(...counts))
  }

  async rows(): Promise<readonly ServiceRow[]> {
    const texts = new Set<string>()
    let rows: readonly ServiceRow[] = []
    for (const member of this.members) {
      rows = (await member.query('select id, token, value from app.item order by id')) as unknown as typeof rows // Its columns.
      texts.add(JSON.stringify(rows))
    }
    if (texts.size > 1) throw new Error('The nodes have different rows.')
    return rows
  }

  async parked(): Promise<ReadonlySet<string>> {
    const rows = await this.member(0)
      .query('select * from app.holdfast_conflict')
      .catch(() => [])
    return new Set(rows.flatMap((row) => JSON.stringify(row).match(uuid) ?? []))
  }

  /** There are none: all nodes accept writes, and one that is left behind takes none. */
  async forks(): Promise<ReadonlyMap<number, bigint>> {
    return new Map()
  }

  async clear(): Promise<void> {
    await this.member(0).query('drop database app')
    await this.member(0).query('create database app')
    await this.member(0).query('create table app.pulse (member int primary key, n bigint not null)')
  }

  member(number: number): GaleraMember {
    const member = this.members[number]
    if (member === undefined) throw new Error(`There is no node ${number}.`)
    return member
  }
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

function userOf(service: number): string {
  return `service${service + 1}`
}

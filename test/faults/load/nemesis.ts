import type { Behaviour, TcpProxy } from '../../support/servers/tcp-proxy.ts'
import { signalTo } from '../../support/servers/watchdog.ts'
import { serviceUser } from '../stage/stage.ts'
import type { World } from '../stage/world.ts'
import { pause } from './client.ts'
import type { Random } from './random.ts'
import type { Replica } from './replica.ts'

/** What faults are done to. */
export interface Victim {
  readonly world: World
  readonly replicas: readonly [Replica, ...Replica[]]
  /** How long faults last, as a share of what is usual. */
  readonly pace: number
}

/** Something that goes wrong. Resolves when everything is as it was before. */
type Fault = (victim: Victim, random: Random) => Promise<void>

/** A write of the data API or of business code, by the tokens in its values. */
const statement = /t\d+-s\d+|b\d+-\d+-/

const broken = ['cut', 'reset', 'swallow', 'mute'] as const

/** Faults of any server. */
const common: Readonly<Record<string, Fault>> = {
  kill: async ({ world, pace }, random) => {
    await world.server.kill()
    await pause(random.between(0, 3_000) * pace)
    await world.server.start()
  },
  stop: async ({ world, pace }, random) => {
    world.server.pause()
    await pause(random.between(1_000, 4_000) * pace)
    world.server.resume()
  },
  restart: async ({ world }) => {
    await world.server.stop()
    await world.server.start()
  },
  'kill a service': async ({ replicas }, random) => {
    await random.pick(replicas).replace()
  },
  'stop a service': async ({ replicas, pace }, random) => {
    const { pid } = random.pick(replicas).actor.service
    signalTo(pid, 'SIGSTOP')
    await pause(random.between(500, 3_000) * pace)
    signalTo(pid, 'SIGCONT')
  },
  reset: async ({ replicas }, random) => random.pick(replicas).proxy.dropAll(),
  'cut for a while': (victim, random) =>
    brief(victim, random, random.pick(['cut', 'reset']), random.between(500, 3_000)),
  refuse: async ({ replicas, pace }, random) => {
    const { proxy } = random.pick(replicas)
    await proxy.refuse()
    proxy.dropAll()
    await pause(random.between(500, 3_000) * pace)
    await proxy.accept()
  },
  'refuse new': async ({ replicas, pace }, random) => {
    const { proxy } = random.pick(replicas)
    await proxy.refuse()
    await pause(random.between(1_000, 3_000) * pace)
    await proxy.accept()
  },
  'black hole': (victim, random) => brief(victim, random, 'swallow', random.between(1_000, 4_000)),
  'lost answers': (victim, random) => brief(victim, random, 'mute', random.between(300, 3_000)),
  delay: async ({ replicas, pace }, random) => {
    const { proxy } = random.pick(replicas)
    proxy.delay(random.between(20, 600))
    await pause(random.between(500, 3_000) * pace)
    proxy.delay(0)
  },
  'at a statement': (victim, random) => atNext(victim, random, statement, random.pick(broken)),
  'at BEGIN': (victim, random) => atNext(victim, random, /\bbegin\b|start transaction/i, random.pick(broken)),
  'at COMMIT': (victim, random) => atNext(victim, random, /\bcommit\b/i, random.pick(broken)),
  'late statement': (victim, random) => late(victim, random, statement),
  'late COMMIT': (victim, random) => late(victim, random, /\bcommit\b/i),
}

/** Faults that PostgreSQL alone has. */
const ofPostgresql: Readonly<Record<string, Fault>> = {
  terminate: ({ world }) => terminate(world),
  'stop a backend': async ({ world, pace }, random) => {
    const [row] = await world.sql(
      `select pid from pg_stat_activity where usename = '${serviceUser.user}' order by random() limit 1`,
    )
    const pid = Number(row?.pid ?? 0)
    if (pid === 0) return
    signalTo(pid, 'SIGSTOP')
    await pause(random.between(1_000, 3_000) * pace)
    signalTo(pid, 'SIGCONT')
  },
  'all connections taken': async ({ world, pace }) => {
    await world.sql(`alter role ${serviceUser.user} connection limit 0`)
    await terminate(world)
    await pause(2_000 * pace)
    await world.sql(`alter role ${serviceUser.user} connection limit -1`)
  },
  'password changed': async ({ world, pace }, random) => {
    await world.sql(`alter role ${serviceUser.user} password 'another'`)
    await terminate(world)
    await pause(random.between(500, 2_000) * pace)
    await world.sql(`alter role ${serviceUser.user} password '${serviceUser.password}'`)
  },
  'read only': async ({ world, pace }) => {
    await world.sql('alter system set default_transaction_read_only = on')
    await world.sql('select pg_reload_conf()')
    await pause(2_000 * pace)
    await world.sql('alter system reset default_transaction_read_only')
    await world.sql('select pg_reload_conf()')
  },
}

/** All faults of a server by name. */
export function faultsOf({ kind }: World): Readonly<Record<string, Fault>> {
  return kind === 'postgresql' ? { ...common, ...ofPostgresql } : common
}

/** Ends every connection of the services at the server. */
async function terminate(world: World): Promise<void> {
  await world.sql(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${serviceUser.user}'`)
}

async function brief({ replicas, pace }: Victim, random: Random, behaviour: Behaviour, ms: number): Promise<void> {
  const { proxy } = random.pick(replicas)
  proxy.behave(behaviour)
  await pause(ms * pace)
  proxy.behave('pass')
}

/** Proxies that wait for their text. */
const waiting = new WeakSet<TcpProxy>()

/** Once, when the text comes next; it is not waited for longer than a moment, and then stays set. */
async function atNext(
  { replicas, pace }: Victim,
  random: Random,
  pattern: RegExp,
  behaviour: Behaviour,
): Promise<void> {
  const { proxy } = random.pick(replicas)
  if (waiting.has(proxy)) return
  waiting.add(proxy)
  const met = proxy.once(pattern, behaviour).then(() => waiting.delete(proxy))
  await Promise.race([met, pause(4_000 * pace)])
}

/** What was sent arrives when nobody waits for it any more. */
async function late({ replicas, pace }: Victim, random: Random, pattern: RegExp): Promise<void> {
  const { proxy } = random.pick(replicas)
  const stranded = proxy.strand(pattern)
  const isMet = await Promise.race([stranded.met.then(() => true), pause(4_000 * pace).then(() => false)])
  const afterMs = random.between(200, 6_000) * pace
  // Released whenever it comes: nothing else would ever be sent on that connection.
  const releasing = stranded.met.then(() => pause(afterMs)).then(() => stranded.release())
  releasing.catch(() => undefined)
  if (isMet) await Promise.race([releasing, pause(10_000 * pace)]).catch(() => undefined)
}

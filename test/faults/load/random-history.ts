import { appendFileSync } from 'node:fs'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import type { Verdict } from '../history/checker.ts'
import type { Stage } from '../stage/stage.ts'
import { copying, shortLimits, shortMs, World } from '../stage/world.ts'
import { BusinessClient } from './business.ts'
import { LoadClient, pause } from './client.ts'
import { faultsOf, type Victim } from './nemesis.ts'
import { OtherClient } from './other-client.ts'
import { openFiles, openSockets, residentMb } from './process-view.ts'
import { createRandom, type Random } from './random.ts'
import { Replica } from './replica.ts'
import { Shared } from './shared.ts'
import { Tally } from './tally.ts'

/** How long, how hard and with which chance clients and faults meet. */
export interface HistoryOptions {
  readonly seed: number
  readonly seconds: number
  /** Between two faults. */
  readonly everyMs: number
  /** Requests per second of all connections together. */
  readonly rate: number
  readonly connections: number
  /** Names of faults; empty: all. */
  readonly only: readonly string[]
  /** How long faults last, as a share of what is usual. */
  readonly pace: number
  /** A file that gets a JSON line for each fault; null: none. */
  readonly log: string | null
}

/** A process at one moment. */
export interface Measured {
  readonly atMs: number
  readonly rssMb: number
  readonly files: number
}

/** What became of a history. */
export interface Outcome {
  readonly verdict: Verdict
  readonly tally: Tally
  readonly measured: readonly Measured[]
  /** What the services printed. */
  readonly output: readonly string[]
}

/** An answer may take so much longer than the limits of the service, on a machine that does much else. */
const marginMs = 4_000

/** How often memory is measured. */
const measureMs = 10_000

const poolSize = 5

/**
 * Lets clients, business code, another client of the primary and faults loose on two services at random, then heals
 * everything, waits for what is owed, and judges. The server is this history's own.
 */
export async function runHistory(t: Cleanup, stage: Stage, options: HistoryOptions): Promise<Outcome> {
  const world = await World.create(t, stage)
  const { history } = world
  const started = { env: { ...shortLimits, ...copying, POOL_SIZE: String(poolSize) } }
  const first = await world.first(started)
  world.watch()
  const proxy = await world.anotherProxy()
  const second = await world.start({ ...started, proxy, serves: 'primary' })
  const replicas = [
    new Replica(world, first, world.proxy, started),
    new Replica(world, second, proxy, started),
  ] as const
  const tally = new Tally(2 * shortMs + 5_000 * options.pace + marginMs, (what) => history.contradict(what))
  const shared = new Shared()
  const clients = makeClients(world, replicas, tally, shared, options)
  const measured: Measured[] = []
  const measuring = setInterval(() => measure(replicas[0], measured), measureMs)
  const running = clients.map((client) => client.run())
  await inject({ world, replicas, pace: options.pace }, options)
  for (const replica of replicas) {
    replica.proxy.behave('pass')
    await replica.proxy.accept()
    // After a wrong password, or many losses, only after half a minute.
    await replica.actor.serves('primary', 75_000).catch((error: Error) => history.contradict(error.message))
  }
  for (const client of clients) client.stop()
  await Promise.all(running)
  clearInterval(measuring)
  const settled = await world.settled()
  await assertQuiet(world, replicas)
  const halves = shared.halves(await world.evidence())
  for (const what of halves) history.contradict(what)
  const violations = [
    ...settled.violations.filter(({ wrong }) => wrong !== 'contradiction'),
    ...history.contradictions.map((what) => ({ wrong: 'contradiction' as const, what, evidence: [] })),
  ]
  const output = replicas.map(({ actor }) => actor.service.output())
  return { verdict: { ...settled, violations }, tally, measured, output }
}

interface Running {
  run(): Promise<void>
  stop(): void
}

function makeClients(
  world: World,
  replicas: readonly Replica[],
  tally: Tally,
  shared: Shared,
  { connections, rate, seed }: HistoryOptions,
): readonly Running[] {
  const everyMs = (connections / rate) * 1_000
  // Of its own for each client, so that the faults are the same whatever the clients do.
  const ownRandom = (number: number): Random => createRandom(seed * 1_000 + number)
  const parts = (number: number, pauseMs: number) => {
    const replica = replicas[number % replicas.length]
    if (replica === undefined) throw new Error('unreachable: there are replicas')
    return { replica, history: world.history, random: ownRandom(number), tally, shared, everyMs: pauseMs }
  }
  return [
    ...Array.from({ length: connections }, (_, number) => new LoadClient(parts(number, everyMs))),
    ...Array.from({ length: 4 }, (_, number) => new BusinessClient(parts(connections + number, 150))),
    new OtherClient(world, ownRandom(connections + 5), shared, 100),
  ]
}

/** One fault after another, until the time is over. */
async function inject(victim: Victim, { seed, seconds, everyMs, only, log }: HistoryOptions): Promise<void> {
  const random = createRandom(seed)
  const faults = faultsOf(victim.world)
  const [first = 'kill', ...others] = only.length === 0 ? Object.keys(faults) : only
  const endMs = performance.now() + seconds * 1_000
  await pause(everyMs / 2)
  while (performance.now() < endMs) {
    const beganMs = performance.now()
    const name = random.pick([first, ...others])
    const { history } = victim.world
    await faults[name]?.(victim, random).catch((error: Error) =>
      history.contradict(`fault "${name}": ${error.message}`),
    )
    const tookMs = Math.round(performance.now() - beganMs)
    if (log !== null) {
      const line = { at: new Date().toISOString(), fault: name, tookMs, writes: history.writes.length }
      appendFileSync(log, `${JSON.stringify(line)}\n`)
    }
    await pause(Math.max(0, beganMs + everyMs - performance.now()))
  }
}

/** What is open although nothing runs is leaked. */
async function assertQuiet(world: World, replicas: readonly Replica[]): Promise<void> {
  for (const { actor } of replicas) {
    const isQuiet = async (): Promise<boolean> => {
      const { database } = await actor.status()
      // One more for a prober that is just at work; the listener, streams and kept connections of the clients.
      return database.activeSessions === 0 && openSockets(actor.service.pid) <= poolSize + 1 + 24
    }
    await until(isQuiet, { withinMs: 20_000, everyMs: 200 }).catch(async () => {
      const { database } = await actor.status()
      const sockets = openSockets(actor.service.pid)
      world.history.contradict(`${actor.name}: ${database.activeSessions} sessions and ${sockets} sockets are open`)
    })
    const defects = actor.service.log().filter(({ event }) => /defect/.test(event ?? ''))
    for (const defect of defects) world.history.contradict(`${actor.name}: ${JSON.stringify(defect)}`)
  }
}

function measure({ actor }: Replica, measured: Measured[]): void {
  const { pid } = actor.service
  try {
    measured.push({ atMs: performance.now(), rssMb: residentMb(pid), files: openFiles(pid) })
  } catch {
    // It was killed just now.
  }
}

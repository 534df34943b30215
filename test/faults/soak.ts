/**
 * `npm run soak [-- --minutes 60 --every 5 --rate 200 --seed 1]`: the real process on a private PostgreSQL behind a proxy
 * that misbehaves, under load, with a random fault every few seconds; and afterwards everything that was acknowledged is
 * looked for. Ends with 1 when anything was not as it has to be, and says what.
 */
import { appendFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withCleanup } from '../bench/options.ts'
import { mainEntry, type Service } from '../support/process.ts'
import { until } from '../support/until.ts'
import { audit, BusinessClient, Transfers } from './business.ts'
import { Client } from './client.ts'
import { faults, pause, type Scene } from './fault.ts'
import { compare, Ledger } from './ledger.ts'
import { readOptions } from './options.ts'
import { openFiles, openSockets, residentMb } from './process-view.ts'
import { createRandom, type Random } from './random.ts'
import { type Measured, summary } from './report.ts'
import {
  adminToken,
  fallbackBooks,
  fallbackRows,
  poolSize,
  primaryBooks,
  primaryRows,
  serverSessions,
  setScene,
  startApplication,
  startSoaked,
} from './scene.ts'
import { Tally } from './tally.ts'

/** How often memory is measured, in milliseconds. */
const measureMs = 10_000

/** The pool closes what nobody has used for ten seconds. */
const quietMs = 15_000

const options = readOptions()
const log = options.log ?? join(tmpdir(), `holdfast-soak-${process.pid}.jsonl`)
const random = createRandom(options.seed)
const tally = new Tally()
const ledger = new Ledger()
const transfers = new Transfers()
const limitMs = options.queryMs + options.fallbackMs + options.marginMs
let isStopped = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (isStopped = true))

console.log(
  `seed ${options.seed}; ${options.minutes} min; entry ${mainEntry}; a line for each fault in ${log}, logs beside it`,
)
await withCleanup(soak)
process.exit(tally.violated === 0 ? 0 : 1)

async function soak(t: Parameters<Parameters<typeof withCleanup>[0]>[0]): Promise<void> {
  const scene = await setScene(t)
  const service = await startSoaked(t, scene, options)
  const application = await startApplication(t, scene, options)
  const living = [watched('the service', service), watched('the application', application)]
  await reach(service)
  const measured: Measured[] = []
  const measuring = setInterval(() => measure(service, measured), measureMs)
  const clients = [...makeClients(service), ...makeBusinessClients(application)]
  tally.begin()
  const running = clients.map((client) => client.run())
  await inject(scene, random)
  await untilPrimary(service)
  for (const client of clients) client.stop()
  await Promise.all(running)
  clearInterval(measuring)
  // Its state is in its answers only; ended first, so that what is left at the server is the service's.
  await living[1]?.end()
  await pause(quietMs)
  measure(service, measured)
  await judgeQuiet(scene, service)
  await living[0]?.end()
  const found = { primary: await primaryRows(scene), fallback: fallbackRows(service.dir) }
  const books = { primary: await primaryBooks(scene), fallback: fallbackBooks(application.dir) }
  for (const wrong of [...compare(ledger, found), ...audit(transfers, books)]) tally.violate(wrong)
  writeFileSync(`${log}.service`, service.output())
  writeFileSync(`${log}.application`, application.output())
  console.log(summary({ options, tally, ledger, transfers, measured, log: service.log(), found }))
}

/** A process that must not end by itself, and must when it is told. */
function watched(name: string, service: Service): { end(): Promise<void> } {
  let isOver = false
  void service.exited.then((exit) => {
    if (isOver) return
    tally.violate(`${name} ended by itself: ${JSON.stringify(exit)}\n${service.output().slice(-4_000)}`)
    process.exit(1)
  })
  return {
    async end() {
      isOver = true
      const exit = await service.end().catch((error: Error) => ({ code: error.message }))
      if (exit.code !== 0) tally.violate(`${name} did not end at SIGTERM: ${JSON.stringify(exit)}`)
    },
  }
}

function makeClients({ port }: Service): readonly Client[] {
  const { connections, rate } = options
  return Array.from({ length: connections }, (_, number) => {
    const everyMs = (connections / rate) * 1_000
    return new Client({ port, token: adminToken, number, random: ownRandom(number), ledger, tally, everyMs, limitMs })
  })
}

/** A few, each with five transactions a second at most. */
function makeBusinessClients({ port }: Service): readonly BusinessClient[] {
  return Array.from({ length: 4 }, (_, number) => {
    const own = ownRandom(options.connections + number)
    return new BusinessClient({ port, number, random: own, tally, transfers, everyMs: 200, limitMs })
  })
}

/** Of its own for each client, so that the faults are the same whatever the clients do. */
function ownRandom(number: number): Random {
  return createRandom(options.seed * 1_000 + number)
}

/** One fault after another, until the time is over or the process is. */
async function inject(scene: Scene, chance: Random): Promise<void> {
  const [first = 'kill', ...others] = options.only.length === 0 ? Object.keys(faults) : options.only
  const endMs = performance.now() + options.minutes * 60_000
  while (!isStopped && performance.now() < endMs) {
    const beganMs = performance.now()
    const name = chance.pick([first, ...others])
    const before = { requests: tally.requests, refused: tally.refused, violated: tally.violated }
    await faults[name]?.(scene, chance).catch((error: Error) => tally.violate(`fault "${name}": ${error.message}`))
    const tookMs = Math.round(performance.now() - beganMs)
    while (!isStopped && performance.now() < beganMs + options.everyS * 1_000) await pause(50)
    const counted = { answers: tally.requests - before.requests, refused: tally.refused - before.refused }
    const line = { fault: name, tookMs, ...counted, violations: tally.violated - before.violated }
    appendFileSync(log, `${JSON.stringify({ at: new Date().toISOString(), ...line })}\n`)
  }
}

/** Before the load: the primary serves. */
async function reach(service: Service): Promise<void> {
  await until(async () => (await storeOf(service))?.startsWith('primary'), { withinMs: 10_000, what: 'the primary' })
}

/** After the last fault: it comes back, for a wrong password or after many losses only after half a minute. */
async function untilPrimary(service: Service): Promise<void> {
  const isBack = async (): Promise<boolean> => (await storeOf(service))?.startsWith('primary') === true
  await until(isBack, { withinMs: 75_000, everyMs: 200, what: 'the primary after the last fault' }).catch(
    (error: Error) => tally.violate(error.message),
  )
}

async function storeOf(service: Service): Promise<string | null> {
  const answer = await service.fetch('/api/feedback?limit=1')
  await answer.text()
  return answer.status === 200 ? answer.headers.get('holdfast-store') : null
}

/** What is open although nothing runs is leaked. */
async function judgeQuiet(scene: Scene, service: Service): Promise<void> {
  const answer = await service.fetch('/status', { headers: { 'holdfast-token': adminToken, connection: 'close' } })
  const { database } = (await answer.json()) as { database: { activeSessions: number; state: string } }
  const sessions = await serverSessions(scene)
  const sockets = openSockets(service.pid)
  console.log(
    `quiet: ${database.state}, ${database.activeSessions} active sessions, ${sessions} sessions at the server, ` +
      `${scene.proxy.open} through the proxy, ${sockets} sockets, ${openFiles(service.pid)} files open`,
  )
  if (database.activeSessions !== 0) tally.violate(`${database.activeSessions} sessions are leaked`)
  // One more for a prober that is just at work.
  if (sessions > poolSize + 1) tally.violate(`${sessions} sessions at the server for a pool of ${poolSize}`)
  // The listener, the two streams of its output, this question, a fetch that was kept alive.
  if (sockets > poolSize + 1 + 8) tally.violate(`${sockets} sockets are open`)
}

function measure({ pid }: Service, measured: Measured[]): void {
  try {
    measured.push({ atMs: performance.now(), rssMb: residentMb(pid), files: openFiles(pid) })
  } catch {
    // It has ended, which is noticed elsewhere.
  }
}

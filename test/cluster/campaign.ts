import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cleanup } from '../support/temp.ts'
import { until } from '../support/until.ts'
import type { Cluster, ClusterEvent, Layout } from './cluster-kind.ts'
import { figureEvents } from './judge/figure-events.ts'
import { type ClusterVerdict, judgeCluster } from './judge/judge.ts'
import { type EventTimes, type OwnPart, ownPart, type ServicePart, servicePart } from './judge/measure.ts'
import { ClusterService } from './load/cluster-service.ts'
import { Ledger } from './load/ledger.ts'
import { type Shared, Writer } from './load/writer.ts'
import { Pulse } from './member/pulse.ts'
import type { ClusterOptions } from './options.ts'

/** One fault as it went. */
export interface EventRun {
  readonly name: string
  readonly what: string
  readonly own: OwnPart
  readonly services: readonly ServicePart[]
  /** Null: everything came back by itself. */
  readonly stuck: string | null
}

/** What a layout showed. */
export interface LayoutRun {
  readonly layout: Layout
  readonly runs: readonly EventRun[]
  readonly verdict: ClusterVerdict
  /** Answers of every code from 400 on. */
  readonly codes: Readonly<Record<string, number>>
  /** How often each service logged these codes. */
  readonly logged: Readonly<Record<string, number>>
  /** How many acknowledged writes PRIMARY_WENT_BACK said to be missing. */
  readonly missingSaid: number
  /** Processor time of a service at rest, in percent of a core: with the layout's address. */
  readonly idlePercent: number
}

const serviceCount = 3
const writersOfEach = 5

/** The limit within which each service is to be back by itself. */
const settledMs = 120_000

/** Problems and faults that the table counts. */
const countedCodes = [
  'PRIMARY_WENT_BACK',
  'PRIMARY_ORPHANED',
  'PRIMARY_SPLIT',
  'ADDRESS_CLUSTERS_DIFFER',
  'SYNC_WAIT_CANCELLED',
] as const

/** Runs events on a cluster in one layout, with three services and their clients, and judges. */
export class Campaign {
  readonly #cluster: Cluster
  readonly #options: ClusterOptions
  readonly #shared: Shared = { ledger: new Ledger(), isContended: false }
  #services: readonly ClusterService[] = []

  constructor(cluster: Cluster, options: ClusterOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  async run(t: Cleanup, layout: Layout, note: (line: string) => void): Promise<LayoutRun> {
    await this.#cluster.enter(layout)
    await this.#cluster.clear()
    this.#services = await this.#start(t, layout)
    const idlePercent = await this.#rest()
    const pulse = new Pulse(this.#cluster.memberCount, (member) => this.#cluster.pulse(member))
    const writers = this.#services.flatMap((service) =>
      Array.from(
        { length: writersOfEach },
        (_, at) => new Writer(`${layout}-${service.number}-${at}`, service.number, service.asking, this.#shared),
      ),
    )
    const running = writers.map((writer) => writer.run())
    const met = await this.#meet(layout, pulse, note)
    for (const writer of writers) writer.stop()
    await Promise.all(running)
    await pulse.end()
    const verdict = await this.#judge(pulse)
    const logged = this.#logged()
    const missingSaid = this.#services.reduce((sum, service) => sum + service.missingSaid(), 0)
    this.#keepLogs(layout)
    for (const service of this.#services) await service.end()
    const { answers } = this.#shared.ledger
    const runs = met.map(({ times, event, stuck }): EventRun => {
      const own = ownPart(pulse.beats, times, this.#cluster.kind === 'patroni')
      const services = this.#services.map(({ number }) =>
        servicePart(number, answers, verdict.lostByCluster, times, own),
      )
      return { name: event.name, what: event.what, own, services, stuck }
    })
    return { layout, runs, verdict, codes: codesOf(this.#shared.ledger), logged, missingSaid, idlePercent }
  }

  async #start(t: Cleanup, layout: Layout): Promise<readonly ClusterService[]> {
    const services: ClusterService[] = []
    for (let number = 0; number < serviceCount; number += 1) {
      const service = await ClusterService.start(t, number, this.#cluster.addressFor(layout, number))
      await service.settled(settledMs)
      services.push(service)
    }
    const [first] = services
    for (let at = 0; at < 8; at += 1) {
      const { body } = (await first?.asking.send('POST', '/api/item', { token: `counter-${at}`, value: 0 })) ?? {}
      this.#shared.ledger.counters.push({ id: String(body?.id), acknowledged: 0, unknown: 0 })
    }
    return services
  }

  /** What a service costs that nobody asks. */
  async #rest(): Promise<number> {
    const pids = this.#services.map(({ pid }) => pid)
    await pause(2_000)
    const before = pids.map(ticksOf)
    await pause(restMs)
    const used = pids.map((pid, at) => ticksOf(pid) - (before[at] ?? 0))
    return median(used.map((ticks) => (ticks * 10 * 100) / restMs))
  }

  async #meet(layout: Layout, pulse: Pulse, note: (line: string) => void): Promise<readonly Met[]> {
    const { events: wanted, minutes } = this.#options
    const events = this.#cluster
      .events()
      .filter(
        ({ name, layouts }) => (wanted.length === 0 || wanted.includes(name)) && (layouts?.includes(layout) ?? true),
      )
    const untilMs = performance.now() + minutes * 60_000
    const met: Met[] = []
    for (let round = 1; round === 1 || performance.now() < untilMs; round += 1) {
      for (const event of events) {
        if (round > 1 && performance.now() >= untilMs) break
        // The figures are medians; what has none is shown once, unless it was asked for.
        if (round > 1 && wanted.length === 0 && !figureEvents.includes(event.name)) continue
        const one = await this.#suffer(event)
        met.push(one)
        const own = ownPart(pulse.beats, one.times, this.#cluster.kind === 'patroni')
        const lasted = Math.round(one.times.endedMs - one.times.beganMs)
        note(`${layout} ${event.name}: ${lasted} ms, own gap ${Math.round(own.gapMs)} ms${one.stuck ?? ''}`)
      }
    }
    return met
  }

  async #suffer(event: ClusterEvent): Promise<Met> {
    await pause(3_000)
    this.#shared.isContended = event.isContended === true
    const beganMs = performance.now()
    const member = await event.begin()
    await pause(Math.max(0, event.lastsMs - (performance.now() - beganMs)))
    this.#shared.isContended = false
    const ended = event.end().then(() => this.#healed())
    const stuck = await ended.then(
      () => null,
      (error: Error) => error.message,
    )
    return { event, stuck, times: { name: event.name, beganMs, endedMs: performance.now(), member } }
  }

  async #healed(): Promise<void> {
    await this.#cluster.whole()
    for (const service of this.#services) await service.settled(settledMs)
  }

  /** What does not come is what the verdict is about. */
  async #judge(pulse: Pulse): Promise<ClusterVerdict> {
    const look = async (): Promise<ClusterVerdict> => {
      const [rows, parked, forks] = [
        await this.#cluster.rows(),
        await this.#cluster.parked(),
        await this.#cluster.forks(),
      ]
      return judgeCluster(this.#shared.ledger, { rows, parked, forks, beats: pulse.beats })
    }
    const isWhole = async (): Promise<boolean> => (await look()).lost.length === 0
    await until(isWhole, { withinMs: 20_000, everyMs: 1_000 }).catch(() => undefined)
    return await look()
  }

  #logged(): Readonly<Record<string, number>> {
    const counts = countedCodes.map((code): readonly [string, number] => [
      code,
      this.#services.reduce((sum, service) => sum + service.logged(code), 0),
    ])
    return Object.fromEntries(counts.filter(([, count]) => count > 0))
  }

  #keepLogs(layout: Layout): void {
    const { logs, kind } = this.#options
    if (logs === null) return
    for (const service of this.#services)
      writeFileSync(join(logs, `${kind}-${layout}-${service.number}.log`), service.output())
    writeFileSync(join(logs, `${kind}-${layout}-answers.json`), JSON.stringify(this.#shared.ledger))
  }
}

interface Met {
  readonly event: ClusterEvent
  readonly times: EventTimes
  readonly stuck: string | null
}

const restMs = 10_000

function codesOf({ answers }: Ledger): Readonly<Record<string, number>> {
  const codes: Record<string, number> = {}
  for (const { status, code, method } of answers) {
    if (status > 0 && status < 400) continue
    const name = status === 0 ? 'no answer' : `${method} ${status} ${code}`
    codes[name] = (codes[name] ?? 0) + 1
  }
  return codes
}

/** Hundredths of a second of processor time. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

/** The middle one of these; not a number: there are none. */
export function median(numbers: readonly number[]): number {
  const inOrder = numbers.filter((one) => !Number.isNaN(one)).sort((a, b) => a - b)
  return inOrder[Math.floor((inOrder.length - 1) / 2)] ?? Number.NaN
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

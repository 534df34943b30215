import { Counter, Gauge, type Metric, Registry } from 'prom-client'
import type { StateName } from '../database/machine/state.ts'
import type { RenderMetrics } from '../http/status/metrics-route.ts'
import { type Counts, loopResolutionMs } from './counts.ts'
import type { MetricsSource } from './metrics-source.ts'
import { type DurationSeries, durationBuckets } from './request-durations.ts'
import type { Tally } from './tally.ts'

const stateNames: readonly StateName[] = [
  'DISCONNECTED',
  'CONNECTING_PRIMARY',
  'CONNECTING_FALLBACK',
  'PRIMARY_CONNECTED',
  'FALLBACK_CONNECTED',
  'CONNECTION_ERROR',
]

/** Builds a registry of our own (the library's global one is shared with whoever else uses it) and gives its renderer. */
export function createRenderer(source: MetricsSource, counts: Counts): RenderMetrics {
  const registry = new Registry()
  addStateMetrics(registry, source, counts)
  addCounters(registry, counts)
  addDurations(registry, counts)
  addProcessMetrics(registry, source, counts)
  return async () => ({ contentType: registry.contentType, text: await registry.metrics() })
}

function addStateMetrics(registry: Registry, source: MetricsSource, counts: Counts): void {
  gauge(
    registry,
    'holdfast_state',
    'Whether the connection is in this state: 1 for one, 0 for the others.',
    ['state'],
    (set) => {
      const { state } = source.database()
      for (const name of stateNames) set({ state: name }, name === state ? 1 : 0)
    },
  )
  gauge(registry, 'holdfast_state_age_seconds', 'How long the connection is in its state.', [], (set) => {
    set({}, source.database().forMs / 1000)
  })
  counter(registry, 'holdfast_state_seconds_total', 'Time in each state.', ['state'], (add) => {
    for (const { labels, value } of counts.stateSeconds.series()) add(labels, value)
    const { state, forMs } = source.database()
    add({ state }, forMs / 1000)
  })
  gauge(registry, 'holdfast_store', 'The store that answers: 1.', ['shown', 'driver'], (set) => {
    const { store } = source.database()
    if (store !== null) set({ shown: store.shown, driver: store.driver }, 1)
  })
  gauge(registry, 'holdfast_write_durability', 'What a write is answered with: 1.', ['durability'], (set) => {
    set({ durability: source.durability() ?? 'none' }, 1)
  })
  gauge(registry, 'holdfast_primary_declared', 'Whether a primary is declared, usable or not.', [], (set) => {
    set({}, source.database().declared ? 1 : 0)
  })
  gauge(registry, 'holdfast_fallback_rows', 'Rows in the fallback that the primary does not have.', [], (set) => {
    const left = source.left()
    if (left !== null) set({}, left.total)
  })
  gauge(registry, 'holdfast_active_sessions', 'Units of work that run, and sessions in use.', [], (set) => {
    set({}, source.database().activeSessions)
  })
  gauge(registry, 'holdfast_problems', 'Problems of the configuration.', ['severity'], (set) => {
    const problems = source.problems()
    for (const severity of ['error', 'warning', 'info']) {
      set({ severity }, problems.filter((problem) => problem.severity === severity).length)
    }
  })
}

function addCounters(registry: Registry, counts: Counts): void {
  tallied(
    registry,
    'holdfast_transitions_total',
    'Changes of state.',
    ['from', 'to', 'reason', 'fault'],
    counts.transitions,
  )
  tallied(
    registry,
    'holdfast_attempts_failed_total',
    'Openings and probes that failed.',
    ['what', 'fault'],
    counts.attemptsFailed,
  )
  tallied(
    registry,
    'holdfast_work_total',
    'Units of work that failed or were run again.',
    ['outcome', 'fault'],
    counts.work,
  )
  tallied(
    registry,
    'holdfast_connections_refused_total',
    'Connections that were closed unserved.',
    ['reason'],
    counts.connections,
  )
}

/** A histogram that is counted elsewhere: of a metric that it renders, the registry asks its name and `get`. */
function addDurations(registry: Registry, counts: Counts): void {
  const name = 'holdfast_http_request_duration_seconds'
  const help = 'From the request to the end of its answer, by route pattern.'
  const get = async () => ({ name, help, type: 'histogram', values: [...counts.durations.series()].flatMap(valuesOf) })
  const valuesOf = ({ route, method, status, counts, sum }: DurationSeries) => {
    const labels = { route, method, status }
    let total = 0
    const buckets = counts.map((count, at) => {
      total += count
      return { metricName: `${name}_bucket`, labels: { le: durationBuckets[at] ?? '+Inf', ...labels }, value: total }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: total },
    ]
  }
  registry.registerMetric({ name, get } as unknown as Metric)
}

function addProcessMetrics(registry: Registry, source: MetricsSource, counts: Counts): void {
  gauge(
    registry,
    'holdfast_event_loop_delay_seconds',
    'How late the event loop was, since the last scrape.',
    ['quantile'],
    (set) => {
      const { loop } = counts
      // What is recorded is the distance between two looks; what is wished, how much too long it was.
      const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - loopResolutionMs / 1000)
      set({ quantile: '0.5' }, loop.count === 0 ? 0 : seconds(loop.percentile(50)))
      set({ quantile: '0.99' }, loop.count === 0 ? 0 : seconds(loop.percentile(99)))
      set({ quantile: '1' }, loop.count === 0 ? 0 : seconds(loop.max))
      loop.reset()
    },
  )
  gauge(registry, 'process_resident_memory_bytes', 'Resident memory.', [], (set) => set({}, process.memoryUsage.rss()))
  gauge(registry, 'process_heap_bytes', 'Heap in use.', [], (set) => set({}, process.memoryUsage().heapUsed))
  gauge(registry, 'process_start_time_seconds', 'When the process started, in Unix time.', [], (set) => {
    set({}, source.startedAt.getTime() / 1000)
  })
  counter(registry, 'process_cpu_seconds_total', 'Processor time, user and system.', [], (add) => {
    const { user, system } = process.cpuUsage()
    add({}, (user + system) / 1e6)
  })
  gauge(registry, 'holdfast_build', 'The version that runs: 1.', ['version', 'node'], (set) => {
    set({ version: source.version, node: process.version }, 1)
  })
}

type Put = (labels: Readonly<Record<string, string>>, value: number) => void

function gauge(registry: Registry, name: string, help: string, labelNames: string[], read: (set: Put) => void): void {
  new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      read((labels, value) => this.set({ ...labels }, value))
    },
  })
}

function counter(registry: Registry, name: string, help: string, labelNames: string[], read: (add: Put) => void): void {
  new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      read((labels, value) => this.inc({ ...labels }, value))
    },
  })
}

function tallied<L extends Readonly<Record<string, string>>>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  tally: Tally<L>,
): void {
  counter(registry, name, help, labelNames, (add) => {
    for (const { labels, value } of tally.series()) add(labels, value)
  })
}

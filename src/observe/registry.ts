import { type Metric, Registry } from 'prom-client'
import type { CopyLine } from '../copy/copy-line.ts'
import type { StateName } from '../database/machine/state.ts'
import type { Durability, Shown } from '../database/store/store.ts'
import type { HostRole } from '../database/supervisor/cluster/host-looks.ts'
import type { RenderMetrics } from '../http/status/status-routes.ts'
import { type ArchiveMetricsSource, addArchiveMetrics } from './archive-metrics.ts'
import { type Counts, loopResolutionMs } from './counts.ts'
import { ageS, counter, gauge, tallied } from './metric-makers.ts'
import { type DurationSeries, durationBuckets } from './request-durations.ts'

/** The current state, as the gauges read it at each scrape. */
export interface MetricsSource extends ArchiveMetricsSource {
  readonly version: string
  readonly startedAt: Date
  database(): {
    readonly state: StateName
    /** Milliseconds in this state. */
    readonly forMs: number
    readonly activeSessions: number
    readonly connectionAttemptsCount: number
    readonly declared: boolean
    readonly hosts: readonly { readonly role: HostRole }[]
    readonly store: { readonly shown: Shown; readonly driver: string } | null
    readonly journal: {
      readonly transactions: number
      readonly entries: number
      readonly bytes: number
      readonly elsewhere: number
    } | null
  }
  durability(): Durability | null
  conflicts(): number
  copy(): readonly CopyLine[]
  problems(): readonly { readonly severity: string }[]
}

const stateNames: readonly StateName[] = [
  'DISCONNECTED',
  'CONNECTING_PRIMARY',
  'CONNECTING_FALLBACK',
  'PRIMARY_CONNECTED',
  'FALLBACK_CONNECTED',
  'CONNECTION_ERROR',
]

/** Builds a separate registry, because an application may use the library's global one, and returns its renderer. */
export function createRenderer(source: MetricsSource, counts: Counts): RenderMetrics {
  const registry = new Registry()
  addStateMetrics(registry, source, counts)
  addJournalMetrics(registry, source)
  addCopyMetrics(registry, source, counts)
  addArchiveMetrics(registry, source)
  addCounters(registry, source, counts)
  addDurations(registry, counts)
  addProcessMetrics(registry, source, counts)
  return async () => ({ contentType: registry.contentType, text: await registry.metrics() })
}

function addStateMetrics(registry: Registry, source: MetricsSource, counts: Counts): void {
  gauge(
    registry,
    'holdfast_state',
    '1 for the current state of the connection, 0 for the others.',
    ['state'],
    (set) => {
      const { state } = source.database()
      for (const name of stateNames) set({ state: name }, name === state ? 1 : 0)
    },
  )
  gauge(registry, 'holdfast_state_age_seconds', 'Time since the last change of state, in seconds.', [], (set) => {
    set({}, source.database().forMs / 1000)
  })
  counter(registry, 'holdfast_state_seconds_total', 'Total time spent in each state, in seconds.', ['state'], (add) => {
    for (const { labels, value } of counts.stateSeconds.series()) add(labels, value)
    const { state, forMs } = source.database()
    add({ state }, forMs / 1000)
  })
  gauge(registry, 'holdfast_store', '1 for the database that serves.', ['shown', 'driver'], (set) => {
    const { store } = source.database()
    if (store !== null) set({ shown: store.shown, driver: store.driver }, 1)
  })
  gauge(registry, 'holdfast_write_durability', '1 for the durability of a write made now.', ['durability'], (set) => {
    set({ durability: source.durability() ?? 'none' }, 1)
  })
  gauge(
    registry,
    'holdfast_primary_declared',
    '1 if a primary is declared, even if its address is not valid.',
    [],
    (set) => {
      set({}, source.database().declared ? 1 : 0)
    },
  )
  const hosts = 'Hosts of the address at the last look at the primary that serves, by what they were.'
  gauge(registry, 'holdfast_primary_hosts', hosts, ['role'], (set) => {
    const counted = new Map<HostRole, number>()
    for (const { role } of source.database().hosts) counted.set(role, (counted.get(role) ?? 0) + 1)
    for (const [role, count] of counted) set({ role }, count)
  })
  gauge(registry, 'holdfast_active_sessions', 'Running units of work and sessions in use.', [], (set) => {
    set({}, source.database().activeSessions)
  })
  gauge(registry, 'holdfast_problems', 'Problems found in the configuration.', ['severity'], (set) => {
    const problems = source.problems()
    for (const severity of ['error', 'warning', 'info']) {
      set({ severity }, problems.filter((problem) => problem.severity === severity).length)
    }
  })
}

/** Gauges are absent unless a fallback next to a declared primary is open. */
function addJournalMetrics(registry: Registry, source: MetricsSource): void {
  const gauges = {
    transactions: ['holdfast_journal_transactions', 'Local transactions that wait in the journal for the primary.'],
    entries: ['holdfast_journal_entries', 'Changed rows that wait in the journal for the primary.'],
    bytes: ['holdfast_journal_bytes', 'Size of what waits in the journal.'],
    elsewhere: ['holdfast_journal_elsewhere', 'Changed rows in the journal for other primaries.'],
  } as const
  for (const key of ['transactions', 'entries', 'bytes', 'elsewhere'] as const) {
    const [name, help] = gauges[key]
    gauge(registry, name, help, [], (set) => {
      const { journal } = source.database()
      if (journal !== null) set({}, journal[key])
    })
  }
  gauge(registry, 'holdfast_conflicts_open', 'Parked transactions that are not settled.', [], (set) => {
    set({}, source.conflicts())
  })
}

/** Gauges are absent where there is nothing to show. */
function addCopyMetrics(registry: Registry, source: MetricsSource, counts: Counts): void {
  const gauges: readonly (readonly [string, string, (line: CopyLine) => number | null])[] = [
    ['holdfast_copy_complete', '1 if an outage leaves the collection readable and writable.', (line) => +line.isWhole],
    [
      'holdfast_copy_age_seconds',
      'Age of the oldest part of a complete copy, in seconds.',
      ({ asOfMs }) => ageS(asOfMs),
    ],
    ['holdfast_copy_rows', 'Rows of the primary in the copy.', ({ rows }) => rows],
    ['holdfast_copy_bytes', 'Size of the rows in the copy.', ({ bytes }) => bytes],
  ]
  for (const [name, help, read] of gauges) {
    gauge(registry, name, help, ['collection'], (set) => {
      for (const line of source.copy()) {
        const value = read(line)
        if (value !== null) set({ collection: line.collection }, value)
      }
    })
  }
  const compared = 'Rows of the primary that were compared with the copy.'
  tallied(registry, 'holdfast_copy_compared_rows_total', compared, ['collection'], counts.copyCompared)
  const changed =
    'Rows of the copy that were written or removed, by what brought them: a look at the primary, or a write.'
  tallied(registry, 'holdfast_copy_changed_rows_total', changed, ['collection', 'by'], counts.copyChanged)
}

function addFailovers(registry: Registry, counts: Counts): void {
  tallied(
    registry,
    'holdfast_failovers_total',
    'Losses of the primary after which requests waited for another host.',
    ['outcome'],
    counts.failovers,
  )
  counter(registry, 'holdfast_failover_seconds_total', 'Total time that requests waited for another host.', [], (add) =>
    add({}, counts.failoverS),
  )
}

function addCounters(registry: Registry, source: MetricsSource, counts: Counts): void {
  counter(
    registry,
    'holdfast_connection_attempts_total',
    'Attempts to connect to a database: openings and probes.',
    [],
    (add) => add({}, source.database().connectionAttemptsCount),
  )
  tallied(
    registry,
    'holdfast_transitions_total',
    'Changes of the connection state.',
    ['from', 'to', 'reason', 'fault'],
    counts.transitions,
  )
  tallied(
    registry,
    'holdfast_attempts_failed_total',
    'Failed attempts to open, probe or switch to a database.',
    ['what', 'fault'],
    counts.attemptsFailed,
  )
  addFailovers(registry, counts)
  tallied(registry, 'holdfast_work_total', 'Units of work that failed or ran again.', ['outcome', 'fault'], counts.work)
  tallied(
    registry,
    'holdfast_carried_transactions_total',
    'Transactions of the fallback that were applied to the primary, or parked there.',
    ['outcome'],
    counts.carried,
  )
  counter(
    registry,
    'holdfast_conflicts_settled_total',
    'Changed rows in conflict that the policies of their collections have settled.',
    [],
    (add) => add({}, counts.settled),
  )
  tallied(
    registry,
    'holdfast_primary_went_back_total',
    'Times that the primary had an older state than before, by what has shown it.',
    ['reason'],
    counts.wentBack,
  )
  tallied(
    registry,
    'holdfast_missing_writes_total',
    'Writes that the primary had acknowledged and lacks.',
    ['collection'],
    counts.missing,
  )
  tallied(
    registry,
    'holdfast_connections_refused_total',
    'Connections closed without a response.',
    ['reason'],
    counts.connections,
  )
}

/** A histogram counted in `RequestDurations`: the registry needs only a name and `get`. */
function addDurations(registry: Registry, counts: Counts): void {
  const name = 'holdfast_http_request_duration_seconds'
  const help = 'Time from the request to the end of its response, by route pattern.'
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
    'Delay of the event loop since the last scrape.',
    ['quantile'],
    (set) => {
      const { loop } = counts
      // The monitor records the time between two samples; the delay is what exceeds its resolution.
      const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - loopResolutionMs / 1000)
      set({ quantile: '0.5' }, loop.count === 0 ? 0 : seconds(loop.percentile(50)))
      set({ quantile: '0.99' }, loop.count === 0 ? 0 : seconds(loop.percentile(99)))
      set({ quantile: '1' }, loop.count === 0 ? 0 : seconds(loop.max))
      loop.reset()
    },
  )
  gauge(registry, 'process_resident_memory_bytes', 'Resident memory in bytes.', [], (set) =>
    set({}, process.memoryUsage.rss()),
  )
  gauge(registry, 'process_heap_bytes', 'Heap in use in bytes.', [], (set) => set({}, process.memoryUsage().heapUsed))
  gauge(
    registry,
    'process_start_time_seconds',
    'Start time of the process, in seconds since the Unix epoch.',
    [],
    (set) => {
      set({}, source.startedAt.getTime() / 1000)
    },
  )
  counter(registry, 'process_cpu_seconds_total', 'User and system CPU time, in seconds.', [], (add) => {
    const { user, system } = process.cpuUsage()
    add({}, (user + system) / 1e6)
  })
  gauge(registry, 'holdfast_build', '1 for the running version.', ['version', 'node'], (set) => {
    set({ version: source.version, node: process.version }, 1)
  })
}

import { createProblem, type Problem } from '../../../config/problem.ts'
import { clustersDifferCode, type Standing } from '../../../driver/facet/standing.ts'
import type { Fault } from '../../../driver/fault.ts'
import type { ConnectionSettings } from '../../machine/connection-settings.ts'
import type { State } from '../../machine/state.ts'
import type { Clock } from '../../store/clock.ts'
import { primarySplitCode, strangerSentence } from '../../store/standings.ts'
import type { Store } from '../../store/store.ts'
import type { DatabaseObservation, Observe } from '../observation.ts'
import type { PrimaryWatch } from '../primary-watch.ts'
import type { StoreSteps } from '../steps.ts'
import { type HostLine, HostLooks } from './host-looks.ts'

/** Every problem with the hosts of a primary's address, by its code; documentation and tests read it. */
export const clusterProblems = {
  ADDRESS_CLUSTERS_DIFFER: 'A host of the address belongs to another cluster than the primary; it is not used.',
} as const

/** What the watch works with. */
export interface ClusterWatchParts {
  readonly clock: Clock
  readonly observe: Observe<DatabaseObservation>
  readonly steps: Pick<StoreSteps, 'stood'>
  readonly watch: Pick<PrimaryWatch, 'foundSplit'>
  limits(): ConnectionSettings['limits']
  /** Leaves this store at once. */
  lose(store: Store, fault: Fault): void
}

/**
 * Looks at the other members of the cluster of a primary that serves. One that was promoted next to it makes it an orphan,
 * on which no liveness check would find anything wrong.
 */
export class ClusterWatch {
  readonly #parts: ClusterWatchParts
  #watched: { readonly store: Store; readonly looks: HostLooks } | null = null
  #hosts: readonly HostLine[] = []
  /** Hosts of another cluster, by label, of the address that was watched last. */
  #strangers: { readonly targetId: string; readonly labels: Set<string> } | null = null

  constructor(parts: ClusterWatchParts) {
    this.#parts = parts
  }

  /** The hosts at the last look at the primary that serves; none where there are no others. */
  get hosts(): readonly HostLine[] {
    return this.#hosts
  }

  get problems(): readonly Problem[] {
    return [...(this.#strangers?.labels ?? [])].map(strangerProblem)
  }

  /** Must be called after each change of state: begins or ends the looks. */
  changed(state: State<Store>): void {
    const store = state.name === 'PRIMARY_CONNECTED' ? state.store : null
    if (store === (this.#watched?.store ?? null)) return
    this.#watched?.looks.end()
    this.#watched = null
    this.#hosts = []
    const serving = store?.facts.standing
    // Where it does not know of clusters, the hosts cannot be compared.
    if (store === null || serving === undefined || !store.hasOthers) return
    if (this.#strangers?.targetId !== store.target.id) {
      this.#strangers = { targetId: store.target.id, labels: new Set() }
    }
    this.#watched = { store, looks: this.#looksAt(store, serving) }
  }

  #looksAt(store: Store, serving: Standing): HostLooks {
    const { clock, limits, lose, steps, watch } = this.#parts
    const isWatched = (): boolean => this.#watched?.store === store
    return new HostLooks(
      {
        clock,
        store,
        limits,
        lose: (fault) => {
          if (!isWatched()) return
          if (fault.code === primarySplitCode) watch.foundSplit()
          lose(store, fault)
        },
        stood: (standing) => steps.stood(store, standing),
        looked: (hosts) => isWatched() && this.#looked(hosts),
      },
      serving,
    )
  }

  #looked(hosts: readonly HostLine[]): void {
    for (const host of hosts) {
      const before = this.#hosts.find(({ label }) => label === host.label)
      const was = before?.role ?? null
      if (host.role !== was) this.#parts.observe({ type: 'cluster.host', ...host, was })
      if (host.role === 'stranger') this.#strangers?.labels.add(host.label)
      else if (host.role !== 'silent') this.#strangers?.labels.delete(host.label)
    }
    this.#hosts = hosts
  }
}

function strangerProblem(label: string): Problem {
  return createProblem(clustersDifferCode, 'error', 'database.url', {
    part: 'host',
    message: strangerSentence(label),
    suggestion: 'Remove the host from the address, or correct its name.',
  })
}

import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { StateName } from '../database/machine/state.ts'
import type { Observation } from './observation.ts'
import { RequestDurations } from './request-durations.ts'

/** The maximum number of series; more would be a bug and are counted together. */
const maxSeries = 500

/** One counter: its labels and its value. */
export interface Series<L extends Readonly<Record<string, string>>> {
  readonly labels: L
  value: number
}

/** Counters by labels. Plain numbers: counting must be cheap and needs no library. */
export class Tally<L extends Readonly<Record<string, string>>> {
  readonly #series = new Map<string, Series<L>>()
  readonly #other: L

  /** `other`: the labels for series above the maximum. */
  constructor(other: L) {
    this.#other = other
  }

  /** Adds `amount` to the series of these labels. */
  add(labels: L, amount: number = 1): void {
    const key = Object.values(labels).join('\n')
    const isOwn = this.#series.has(key) || this.#series.size < maxSeries
    const [place, named] = isOwn ? [key, labels] : ['other', this.#other]
    const counted = this.#series.get(place) ?? { labels: named, value: 0 }
    counted.value += amount
    this.#series.set(place, counted)
  }

  /** All series, in the order of their first count. */
  series(): Iterable<Series<L>> {
    return this.#series.values()
  }
}

/** How often the delay of the event loop is sampled. */
export const loopResolutionMs = 20

/** The numbers behind the metrics. */
export class Counts {
  readonly durations: RequestDurations = new RequestDurations()
  readonly transitions: Tally<{ from: string; to: string; reason: string; fault: string }> = new Tally({
    from: 'other',
    to: 'other',
    reason: 'other',
    fault: 'other',
  })
  /** Seconds spent in states that have ended. */
  readonly stateSeconds: Tally<{ state: string }> = new Tally({ state: 'other' })
  readonly attemptsFailed: Tally<{ what: string; fault: string }> = new Tally({ what: 'other', fault: 'other' })
  readonly work: Tally<{ outcome: string; fault: string }> = new Tally({ outcome: 'other', fault: 'other' })
  readonly connections: Tally<{ reason: string }> = new Tally({ reason: 'other' })
  /** Local transactions of journals, by what became of them. */
  readonly carried: Tally<{ outcome: string }> = new Tally({ outcome: 'other' })
  /** Changed rows in conflict that the policies of their collections have settled. */
  settled = 0
  /** How often a primary had an older state than before, by what has shown it. */
  readonly wentBack: Tally<{ reason: string }> = new Tally({ reason: 'other' })
  /** Acknowledged writes that a primary lacks. */
  readonly missing: Tally<{ collection: string }> = new Tally({ collection: 'other' })
  /** Rows of the primary that were compared with the copy. */
  readonly copyCompared: Tally<{ collection: string }> = new Tally({ collection: 'other' })
  /** Rows of the copy that changed, by what brought them. */
  readonly copyChanged: Tally<{ collection: string; by: string }> = new Tally({ collection: 'other', by: 'other' })
  /** Searches for another host after a loss, by what they ended with. */
  readonly failovers: Tally<{ outcome: string }> = new Tally({ outcome: 'other' })
  failoverS = 0
  readonly loop: ReturnType<typeof monitorEventLoopDelay> = monitorEventLoopDelay({ resolution: loopResolutionMs })
  #loopWatched = false

  /** Stops measuring. Safe to call twice. */
  close(): void {
    this.#loopWatched = true
    this.loop.disable()
  }

  #failoverEnded(to: StateName, lastedMs: number): void {
    // Closed, or reconfigured: nothing was found out.
    if (to === 'DISCONNECTED') return
    const outcome = to === 'PRIMARY_CONNECTED' ? 'found' : to === 'CONNECTING_FALLBACK' ? 'fallback' : 'error'
    this.failovers.add({ outcome })
    this.failoverS += lastedMs / 1000
  }

  /** Counts the observations that metrics need. */
  add(seen: Observation): void {
    // The timer starts with the first observation: creating a service starts nothing.
    if (!this.#loopWatched) this.#loopWatched = this.loop.enable()
    switch (seen.type) {
      case 'request.answered':
        this.durations.add(seen)
        break
      case 'connection.changed': {
        const { from, to, reason, fault, lastedMs } = seen
        this.transitions.add({ from, to, reason, fault: fault?.kind ?? 'none' })
        this.stateSeconds.add({ state: from }, lastedMs / 1000)
        if (seen.isFailover && from === 'CONNECTING_PRIMARY') this.#failoverEnded(to, lastedMs)
        break
      }
      case 'connection.attempt.failed':
        this.attemptsFailed.add({ what: seen.what, fault: seen.fault.kind })
        break
      case 'work.rerun':
        this.work.add({ outcome: 'rerun', fault: seen.fault.kind })
        break
      case 'work.failed':
        this.work.add({ outcome: 'failed', fault: seen.fault.kind })
        break
      case 'journal.carried':
        this.carried.add({ outcome: 'applied' }, seen.transactions)
        this.carried.add({ outcome: 'parked' }, seen.parked)
        this.settled += seen.settled
        break
      case 'primary.went-back':
        this.wentBack.add({ reason: seen.reason ?? 'writes' })
        for (const [collection, count] of seen.counts) this.missing.add({ collection }, count)
        break
      case 'copy.looked': {
        const { collection, rows, written, removed } = seen
        this.copyCompared.add({ collection }, rows)
        this.copyChanged.add({ collection, by: 'look' }, written + removed)
        break
      }
      case 'copy.written-through':
        this.copyChanged.add({ collection: seen.collection, by: 'write' }, seen.rows)
        break
      case 'connection.dropped':
        this.connections.add({ reason: 'limit' })
        break
      case 'connection.malformed':
        this.connections.add({ reason: 'malformed' })
        break
      default:
        break
    }
  }
}

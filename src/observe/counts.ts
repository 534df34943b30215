import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Observation } from './observation.ts'
import { RequestDurations } from './request-durations.ts'
import { Tally } from './tally.ts'

/** How often the event loop is looked at. */
export const loopResolutionMs = 20

/** What is counted between scrapes, in plain numbers. */
export class Counts {
  readonly durations: RequestDurations = new RequestDurations()
  readonly transitions: Tally<{ from: string; to: string; reason: string; fault: string }> = new Tally({
    from: 'other',
    to: 'other',
    reason: 'other',
    fault: 'other',
  })
  /** Seconds, of the states that were left. */
  readonly stateSeconds: Tally<{ state: string }> = new Tally({ state: 'other' })
  readonly attemptsFailed: Tally<{ what: string; fault: string }> = new Tally({ what: 'other', fault: 'other' })
  readonly work: Tally<{ outcome: string; fault: string }> = new Tally({ outcome: 'other', fault: 'other' })
  readonly connections: Tally<{ reason: string }> = new Tally({ reason: 'other' })
  readonly loop: ReturnType<typeof monitorEventLoopDelay> = monitorEventLoopDelay({ resolution: loopResolutionMs })
  #loopWatched = false

  /** Stops what measures. Safe to call twice. */
  close(): void {
    this.#loopWatched = true
    this.loop.disable()
  }

  /** Counts what is of interest, and nothing else. */
  add(seen: Observation): void {
    // Its timer begins with the first thing that happens: composing a service starts nothing.
    if (!this.#loopWatched) this.#loopWatched = this.loop.enable()
    switch (seen.type) {
      case 'request.answered':
        this.durations.add(seen)
        break
      case 'connection.changed': {
        const { from, to, reason, fault, lastedMs } = seen
        this.transitions.add({ from, to, reason, fault: fault?.kind ?? 'none' })
        this.stateSeconds.add({ state: from }, lastedMs / 1000)
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

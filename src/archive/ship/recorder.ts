import type { Problem } from '../../config/problem.ts'
import type { Clock } from '../../database/store/clock.ts'
import type { ArchiveState, LastDrill } from '../archive-state.ts'
import type { ArchiveObservation } from '../observation.ts'
import { problemOfFailure } from '../problems.ts'

/** Problems of an archiver that come and go one by one. */
export type RecordedTopic = 'lineage' | 'hole' | 'fence' | 'drill' | 'snapshot' | 'retention'

/** What an archiver has done and what is in its way, for health, metrics, log and page. */
export class Recorder {
  readonly #label: string
  readonly #clock: Clock
  readonly #observe: (seen: ArchiveObservation) => void
  readonly #topics = new Map<RecordedTopic, Problem>()
  #failure: { readonly problem: Problem; readonly sinceMs: number } | null = null
  #ended: { readonly phase: 'fenced' | 'refused'; readonly problem: Problem } | null = null
  #isJoined = false
  #last: ArchiveState['last'] = null
  #storedBytes = 0
  #storedObjects = 0
  #failures = 0
  drill: LastDrill | null = null

  constructor(label: string, clock: Clock, observe: (seen: ArchiveObservation) => void) {
    this.#label = label
    this.#clock = clock
    this.#observe = observe
  }

  get phase(): ArchiveState['phase'] {
    if (this.#ended !== null) return this.#ended.phase
    if (this.#failure !== null) return 'waiting'
    return this.#isJoined ? 'shipping' : 'idle'
  }

  get problems(): readonly Problem[] {
    if (this.#ended !== null) return [this.#ended.problem]
    return [...(this.#failure === null ? [] : [this.#failure.problem]), ...this.#topics.values()]
  }

  get counts(): Pick<ArchiveState, 'last' | 'storedBytes' | 'storedObjects' | 'failures'> {
    return {
      last: this.#last,
      storedBytes: this.#storedBytes,
      storedObjects: this.#storedObjects,
      failures: this.#failures,
    }
  }

  joined(lineage: string, number: number, isContiguous: boolean): void {
    this.#isJoined = true
    this.#observe({ type: 'archive.joined', label: this.#label, lineage, number, isContiguous })
  }

  /** An object is stored; `tookMs` since it was first tried. */
  stored(key: string, bytes: number, tookMs: number): void {
    this.#last = { key, atMs: this.#clock.wallMs() }
    this.#storedObjects += 1
    this.#storedBytes += bytes
    this.#observe({ type: 'archive.stored', label: this.#label, key, bytes, tookMs })
  }

  /** The target failed, and is tried again. */
  failed(error: unknown): void {
    this.#failures += 1
    const problem = problemOfFailure(this.#label, error)
    const before = this.#failure
    this.#failure = { problem, sinceMs: before?.sinceMs ?? this.#clock.now() }
    if (before?.problem.message !== problem.message)
      this.#observe({ type: 'archive.failed', label: this.#label, problem })
  }

  /** The target has done what it was asked. */
  answered(): void {
    const failure = this.#failure
    if (failure === null) return
    this.#failure = null
    this.#observe({ type: 'archive.resumed', label: this.#label, awayMs: this.#clock.now() - failure.sinceMs })
  }

  /** Nothing is archived from now on. */
  ended(phase: 'fenced' | 'refused', problem: Problem): void {
    if (this.#ended !== null) return
    this.#ended = { phase, problem }
    this.#observe({ type: 'archive.ended', label: this.#label, problem })
  }

  /** A problem that stays until it is cleared. `null` clears it. */
  set(topic: RecordedTopic, problem: Problem | null): void {
    const before = this.#topics.get(topic)
    if (problem === null) this.#topics.delete(topic)
    else this.#topics.set(topic, problem)
    if (problem === null || before?.message === problem.message) return
    this.#observe({ type: typeOf(topic), label: this.#label, problem })
  }

  snapshotStored(seen: {
    readonly folder: string
    readonly bytes: number
    readonly storedBytes: number
    readonly rows: number
    readonly tookMs: number
  }): void {
    this.#observe({ type: 'archive.snapshot-stored', label: this.#label, ...seen })
  }

  removed(objects: number): void {
    if (objects > 0) this.#observe({ type: 'archive.removed', label: this.#label, objects })
  }

  defect(error: unknown): void {
    this.#observe({ type: 'archive.defect', label: this.#label, error })
  }
}

function typeOf(topic: RecordedTopic): 'archive.hole' | 'archive.snapshot-failed' | 'archive.noticed' {
  if (topic === 'hole') return 'archive.hole'
  return topic === 'snapshot' ? 'archive.snapshot-failed' : 'archive.noticed'
}

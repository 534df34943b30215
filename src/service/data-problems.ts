import type { Problem } from '../config/problem.ts'
import type { ResolvedSettings } from '../config/settings.ts'
import { type Clock, systemClock } from '../database/store/clock.ts'
import { Recheck, recheckMs } from '../database/supervisor/recheck.ts'
import type { Observation } from '../observe/observation.ts'
import type { ProcessParts } from './config-source.ts'

/** What the problems are found with. */
export interface DataProblemsParts {
  readonly clock: Clock
  /** Those of the start. */
  readonly first: readonly Problem[]
  /** Tries the folders that the settings name now. Never rejects. */
  find(): Promise<readonly Problem[]>
  observe(seen: Observation): void
}

/** The problems of the data directory. While there is one the folders are tried again, so that it ends when its cause does. */
export class DataProblems {
  readonly #parts: DataProblemsParts
  readonly #recheck: Recheck
  #known: readonly Problem[]
  #isClosed = false
  #checks = 0

  constructor(parts: DataProblemsParts) {
    this.#parts = parts
    this.#known = parts.first
    this.#recheck = new Recheck(parts.clock, recheckMs, () => this.check())
    this.#recheck.want(this.#known.length > 0)
  }

  get known(): readonly Problem[] {
    return this.#known
  }

  /** Tries the folders now. Never rejects. */
  async check(): Promise<void> {
    const check = ++this.#checks
    const found = await this.#parts.find()
    // After a later check, which knows newer settings, this one is late.
    if (this.#isClosed || check !== this.#checks) return
    const [before, after] = [this.#known, found].map((all) => new Set(all.map(({ message }) => message)))
    for (const problem of found) {
      if (!before?.has(problem.message)) this.#parts.observe({ type: 'problem.found', problem })
    }
    for (const problem of this.#known) {
      if (!after?.has(problem.message)) this.#parts.observe({ type: 'problem.ended', problem })
    }
    this.#known = found
    this.#recheck.want(found.length > 0)
  }

  close(): void {
    this.#isClosed = true
    this.#recheck.want(false)
  }
}

/** Those of a process. */
export function createDataProblems(
  { problems, find }: ProcessParts['data'],
  resolved: () => ResolvedSettings,
  observe: DataProblemsParts['observe'],
): DataProblems {
  return new DataProblems({ clock: systemClock, first: problems, find: () => find(resolved()), observe })
}

import type { Audit } from './audit.ts'

/** When a change was committed, as far as a reader of the primary can tell; milliseconds since 1970. */
export interface CommitTime {
  /** Not before: a reader that began then did not see it. */
  readonly afterMs: number
  /** Not after: a reader had seen it by then. */
  readonly byMs: number
}

/** Between two looks at the audit. */
const everyMs = 250

/** So long after its statement a change is still looked for; a transaction is shorter. */
const lateMs = 30_000

/** Looks at the audit of a primary all the time: a trigger sees statements, and copies are told from commits. */
export class AuditWatch {
  readonly #audit: Audit
  readonly #times = new Map<number, CommitTime>()
  #lastMs = 0
  #looking: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(audit: Audit) {
    this.#audit = audit
  }

  /** By the sequence of the change; a change that it has not seen is not there. */
  get times(): ReadonlyMap<number, CommitTime> {
    return this.#times
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.look(), everyMs)
  }

  async end(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    await this.#looking
  }

  /** Never rejects: the server may be away. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch(() => undefined)
      .finally(() => {
        this.#looking = null
      })
    return this.#looking
  }

  async #look(): Promise<void> {
    const beganMs = Date.now()
    const seen = await this.#audit.sequencesSince(beganMs - lateMs)
    const byMs = Date.now()
    for (const sequence of seen) {
      if (!this.#times.has(sequence)) this.#times.set(sequence, { afterMs: this.#lastMs, byMs })
    }
    this.#lastMs = beganMs
  }
}

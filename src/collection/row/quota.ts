import { HoldfastError } from '../../errors.ts'

/** Creates after which the rows are counted again: applications and other processes write, too. */
const recountAfterCreates = 1_000

/** Far from the limit, the count waits for this share of the free rows: creates wait while rows are counted. */
const recountAfterPart = 1 / 20

/** The shortest time between counts of a full or nearly full collection: each count reads the whole key. */
const recountPauseMs = 1_000

/** A reservation for rows that are about to be created. Call `settle` once, whether they were created or not. */
export interface RowReservation {
  settle(created: boolean): void
}

/**
 * Enforces `maxRows` of one collection in one store without a count per create. Each create reserves a row before its
 * insert and releases it on failure, so creates through this process never exceed the limit. Processes on one store see
 * each other's rows when they count, near the limit once a second. A row removed during a count still counts until the
 * next one, for at most a second where it matters.
 */
export class Quota {
  readonly #maxRows: number
  readonly #count: () => Promise<number>
  readonly #now: () => number
  /** Existing rows; null before the first count. */
  #rows: number | null = null
  #reserved = 0
  #createdSinceCount = 0
  #countedAt = Number.NEGATIVE_INFINITY
  #counting: Promise<void> | null = null
  /** The number of counts that have started, and that have ended. */
  #started = 0
  #ended = 0
  #waiting: (() => void)[] = []

  /** `count` returns the number of committed rows; `now` is a monotonic clock in milliseconds. */
  constructor(maxRows: number, count: () => Promise<number>, now: () => number) {
    this.#maxRows = maxRows
    this.#count = count
    this.#now = now
  }

  /** Reserves rows, all at once. Rejects with COLLECTION_FULL, or with the error of the count. */
  async reserve(count: number = 1): Promise<RowReservation> {
    for (;;) {
      if (this.#counting !== null) await this.#counting
      else if (this.#rows === null || this.#needsRecount(this.#rows)) await this.#recount()
      else if (this.#rows + this.#reserved + count <= this.#maxRows) return this.#take(count)
      // Creates in flight may fail and free their rows.
      else if (this.#rows + count <= this.#maxRows) await this.#settled()
      else if (this.#isCountOld()) await this.#recount()
      else throw new HoldfastError('COLLECTION_FULL', { detail: `The limit is ${this.#maxRows} rows.` })
    }
  }

  /** The common case of `reserve` without a promise; null if `reserve` must be called. */
  reserveNow(): RowReservation | null {
    const rows = this.#rows
    if (this.#counting !== null || rows === null || this.#needsRecount(rows)) return null
    return rows + this.#reserved < this.#maxRows ? this.#take(1) : null
  }

  /** Call before rows are deleted, and call its result with their number when they are gone. */
  removing(): (count?: number) => void {
    const started = this.#started
    const isCounting = started > this.#ended
    return (count = 1) => {
      // A count in the meantime may already exclude the row; subtracting it again would allow one row too many.
      if (isCounting || started !== this.#started) return
      if (this.#rows !== null) this.#rows = Math.max(0, this.#rows - count)
    }
  }

  /** Rows of other writers matter only near the limit. */
  #needsRecount(rows: number): boolean {
    const free = this.#maxRows - rows
    if (this.#createdSinceCount >= Math.max(recountAfterCreates, free * recountAfterPart)) return true
    return rows + recountAfterCreates > this.#maxRows && this.#isCountOld()
  }

  #isCountOld(): boolean {
    return this.#now() - this.#countedAt >= recountPauseMs
  }

  #take(count: number): RowReservation {
    this.#reserved += count
    let isSettled = false
    return {
      settle: (created) => {
        if (isSettled) return
        isSettled = true
        this.#reserved -= count
        if (created && this.#rows !== null) this.#rows += count
        if (created) this.#createdSinceCount += count
        const waiting = this.#waiting
        this.#waiting = []
        for (const wake of waiting) wake()
      },
    }
  }

  #settled(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** One count for all waiting creates, with none in flight: a committed but unsettled row would count twice. */
  #recount(): Promise<void> {
    this.#counting ??= this.#countWhenIdle().finally(() => {
      this.#counting = null
    })
    return this.#counting
  }

  async #countWhenIdle(): Promise<void> {
    while (this.#reserved > 0) await this.#settled()
    this.#started++
    try {
      this.#rows = await this.#count()
    } finally {
      this.#ended++
    }
    this.#countedAt = this.#now()
    this.#createdSinceCount = 0
  }
}

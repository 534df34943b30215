import { HoldfastError } from '../../errors.ts'

/** Creates after which the rows are counted again: business code and other processes write beside us. */
const recountAfterCreates = 1_000

/** Far from the limit it is after this part of the free places: all creates wait while rows are counted. */
const recountAfterPart = 1 / 20

/** A collection that is full or nearly so is counted at most so often: each count reads the whole key. */
const recountPauseMs = 1_000

/** A place for one row that is about to be created. `settle` once, whatever became of the row. */
export interface Reservation {
  settle(created: boolean): void
}

/**
 * Keeps the rows of one collection in one store at most `maxRows`, without counting per create. A place is reserved before
 * the insert and given back when that fails, so what is written through it is never more; several processes on one store
 * see each other's rows when they count, near the limit once a second. A row that is removed while the
 * rows are counted is taken to be there until the next count: for a second at most where it would matter.
 */
export class Quota {
  readonly #maxRows: number
  readonly #count: () => Promise<number>
  readonly #now: () => number
  /** Rows that are there; null: not counted yet. */
  #rows: number | null = null
  #reserved = 0
  #createdSinceCount = 0
  #countedAt = Number.NEGATIVE_INFINITY
  #counting: Promise<void> | null = null
  /** Counts that began, and that ended. */
  #begun = 0
  #ended = 0
  #waiting: (() => void)[] = []

  /** `count` gives the committed rows; `now` is a monotonic clock in milliseconds. */
  constructor(maxRows: number, count: () => Promise<number>, now: () => number) {
    this.#maxRows = maxRows
    this.#count = count
    this.#now = now
  }

  /** Resolves when there is a place. Rejects with COLLECTION_FULL, or with what the count rejects with. */
  async reserve(): Promise<Reservation> {
    for (;;) {
      if (this.#counting !== null) await this.#counting
      else if (this.#rows === null || this.#isDoubtful(this.#rows)) await this.#recount()
      else if (this.#rows + this.#reserved < this.#maxRows) return this.#take()
      // Rows in flight may fail, and then there is a place after all.
      else if (this.#rows < this.#maxRows) await this.#settled()
      else if (this.#isCountOld()) await this.#recount()
      else throw new HoldfastError('COLLECTION_FULL', { detail: `It may have ${this.#maxRows} rows.` })
    }
  }

  /** The usual case of `reserve` without a promise; null when it is to be asked. */
  reserveNow(): Reservation | null {
    const rows = this.#rows
    if (this.#counting !== null || rows === null || this.#isDoubtful(rows)) return null
    return rows + this.#reserved < this.#maxRows ? this.#take() : null
  }

  /** Call before a row is deleted, and what it returns when the row is gone. */
  removing(): () => void {
    const begun = this.#begun
    const isCounting = begun > this.#ended
    return () => {
      // A count that ran meanwhile may have seen the row gone already: once more would let in one row too many.
      if (isCounting || begun !== this.#begun) return
      if (this.#rows !== null && this.#rows > 0) this.#rows--
    }
  }

  /** Far from the limit others can write what they like; near it, what they wrote must be seen in time. */
  #isDoubtful(rows: number): boolean {
    const free = this.#maxRows - rows
    if (this.#createdSinceCount >= Math.max(recountAfterCreates, free * recountAfterPart)) return true
    return rows + recountAfterCreates > this.#maxRows && this.#isCountOld()
  }

  #isCountOld(): boolean {
    return this.#now() - this.#countedAt >= recountPauseMs
  }

  #take(): Reservation {
    this.#reserved++
    let isSettled = false
    return {
      settle: (created) => {
        if (isSettled) return
        isSettled = true
        this.#reserved--
        if (created && this.#rows !== null) this.#rows++
        if (created) this.#createdSinceCount++
        const waiting = this.#waiting
        this.#waiting = []
        for (const wake of waiting) wake()
      },
    }
  }

  #settled(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** One count for all that wait, when nothing is in flight: a row that is committed but not yet settled would count twice. */
  #recount(): Promise<void> {
    this.#counting ??= this.#countWhenIdle().finally(() => {
      this.#counting = null
    })
    return this.#counting
  }

  async #countWhenIdle(): Promise<void> {
    while (this.#reserved > 0) await this.#settled()
    this.#begun++
    try {
      this.#rows = await this.#count()
    } finally {
      this.#ended++
    }
    this.#countedAt = this.#now()
    this.#createdSinceCount = 0
  }
}

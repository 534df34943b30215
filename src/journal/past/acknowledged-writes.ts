import type { Store } from '../../database/store/store.ts'

/** The most writes that are remembered. */
const keptMax = 10_000

/** A write that a primary has acknowledged. */
export interface AcknowledgedWrite {
  /** The `id` of the primary's target. */
  readonly target: string
  readonly table: string
  readonly id: string
  /** What the write has left in `holdfast_attempt`; null: the row was removed. */
  readonly attempt: unknown
  /** What it has left in `version`. */
  readonly version: unknown
  /** When it was acknowledged, in milliseconds since 1970. */
  readonly atMs: number
}

/** Takes what a primary has acknowledged. Each method returns at once. */
export interface AcknowledgedSink {
  /** To be called with the row as it was written, before the write is answered. */
  wrote(primary: Store, table: string, id: string, row: Readonly<Record<string, unknown>>): void
  /** To be called before the removal is answered. */
  removed(primary: Store, table: string, id: string): void
}

/** The last writes that primaries have acknowledged; a ring, so that adding one costs nothing to speak of. */
export class AcknowledgedWrites implements AcknowledgedSink {
  readonly #ring: (AcknowledgedWrite | undefined)[] = []
  readonly #now: () => number
  #next = 0

  /** `now`: milliseconds since 1970, as in attempts. */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  wrote({ target }: Store, table: string, id: string, row: Readonly<Record<string, unknown>>): void {
    const { holdfast_attempt: attempt, version } = row
    this.#add({ target: target.id, table, id, attempt, version, atMs: this.#now() })
  }

  removed({ target }: Store, table: string, id: string): void {
    this.#add({ target: target.id, table, id, attempt: null, version: null, atMs: this.#now() })
  }

  /** The last write of each row of this target, newest first. */
  newestFirst(target: string): readonly AcknowledgedWrite[] {
    const rows = new Set<string>()
    const writes: AcknowledgedWrite[] = []
    for (let back = 1; back <= this.#ring.length; back += 1) {
      const write = this.#ring[(this.#next - back + keptMax) % keptMax]
      if (write === undefined || write.target !== target) continue
      const row = `${write.table} ${write.id}`
      if (!rows.has(row)) writes.push(write)
      rows.add(row)
    }
    return writes
  }

  /** Forgets these writes, and earlier ones of the same rows. */
  forget(writes: readonly AcknowledgedWrite[]): void {
    const rows = new Map(writes.map(({ table, id, atMs }) => [`${table} ${id}`, atMs]))
    for (const [at, write] of this.#ring.entries()) {
      const atMs = write === undefined ? undefined : rows.get(`${write.table} ${write.id}`)
      if (write !== undefined && atMs !== undefined && write.atMs <= atMs) this.#ring[at] = undefined
    }
  }

  #add(write: AcknowledgedWrite): void {
    this.#ring[this.#next] = write
    this.#next = (this.#next + 1) % keptMax
  }
}

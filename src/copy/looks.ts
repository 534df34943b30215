import type { Clock } from '../database/store/clock.ts'
import type { Copy, CopyChange, CopyOutcome } from '../driver/facet/copy.ts'
import type { CopiedTable, FedRow, FeedConnection, RowDigest } from '../driver/facet/feed.ts'
import type { CopyObservation } from './observation.ts'
import { type CopyPair, doneBy } from './pair.ts'
import type { OpenLook } from './touched-rows.ts'

/** As many rows are asked for, and applied, at once. */
const portionMax = 1_000

/** What `Looks` work with. */
export interface LookParts {
  readonly clock: Clock
  readonly pair: CopyPair
  readonly connection: FeedConnection
  look(table: string): OpenLook
  /** Called before each portion of rows that differ is asked for. Throws where no more may be written. */
  check(): void
  /** Called with rows that were fetched. */
  fetched(table: CopiedTable, rows: readonly FedRow[]): void
  /** Called with rows that the file cannot hold. */
  refused(table: CopiedTable, refused: CopyOutcome['refused']): void
  observe(seen: CopyObservation): void
}

/** One part of a table that was looked at. */
export interface Looked {
  /** Rows of the primary in it. */
  readonly rows: number
  /** How long the primary took to say what it has; the rest was spent on what differs. */
  readonly comparedMs: number
  /** The key up to which it went; null: to the end. */
  readonly last: string | null
  /** The last key that the primary has in it; null: there is none. */
  readonly seen: string | null
  readonly outcome: CopyOutcome
}

/** What a comparison is for. */
interface Purpose {
  /** The sweep goes on behind it. */
  readonly isSweep?: true
  /** With this id the table has been polled, where the look went to the end, or to a key that `isLast` accepts. */
  readonly poll?: { readonly id: string; isLast(key: string): boolean }
}

/** A page on its way from the primary. */
export interface CopyPage {
  readonly after: string | null
  readonly atMs: number
  readonly beganMs: number
  readonly look: OpenLook
  readonly rows: Promise<readonly FedRow[]>
}

const nothingDone: CopyOutcome = { written: 0, removed: 0, waiting: 0, refused: [] }

/** Looks at the primary and applies what they find. Each method rejects with a `CopyFault`. */
export class Looks {
  readonly #parts: LookParts
  readonly #copy: Copy
  readonly #identity: string

  constructor(parts: LookParts) {
    this.#parts = parts
    this.#copy = parts.pair.copy
    this.#identity = parts.pair.source.identity
  }

  /** Less than the last one means that the primary was set back; null: not known. */
  position(): Promise<bigint | null> {
    return this.#primary(this.#parts.connection.position(this.#identity))
  }

  /** Compares the first `limit` rows behind a key, and fetches those that differ. */
  async compare(table: CopiedTable, after: string | null, limit: number, purpose: Purpose): Promise<Looked> {
    const { clock, connection } = this.#parts
    const [beganMs, atMs] = [clock.now(), clock.wallMs()]
    const look = this.#parts.look(table.name)
    try {
      const found = await this.#primary(connection.digest(this.#identity, table, after, limit))
      const comparedMs = clock.now() - beganMs
      // What is counted is the end when it is less than was asked for; behind it there may be rows of the copy alone.
      const last = found.count < limit ? null : found.last
      const isSame = isEqual(found, this.#copy.digest(table.name, after, last))
      const { fetched, removed } = isSame
        ? { fetched: nothingDone, removed: [] }
        : await this.#difference(table, after, last, look)
      const { isSweep, poll } = purpose
      const swept = { look: { after, last, atMs }, next: { after: last, isWhole: last === null } }
      const isPolled = poll !== undefined && (last === null || poll.isLast(last))
      const applied = await this.#apply(table, {
        ...{ rows: [], removed, isNewer: look.isNewer },
        ...(isSweep === true ? swept : {}),
        ...(isPolled ? { polled: poll.id } : {}),
      })
      const outcome = sumOf(fetched, applied)
      this.#looked(table, found.count, outcome, beganMs)
      return { rows: found.count, comparedMs, last, seen: found.last, outcome }
    } finally {
      look.end()
    }
  }

  /** Begins to read the next page; `fill` applies it. */
  page(table: CopiedTable, after: string | null, limit: number): CopyPage {
    const { clock, connection } = this.#parts
    const [beganMs, atMs] = [clock.now(), clock.wallMs()]
    const look = this.#parts.look(table.name)
    const rows = this.#primary(connection.page(this.#identity, table, after, limit))
    // Nobody waits for it when the page before it cannot be applied.
    rows.catch(() => look.end())
    return { after, atMs, beganMs, look, rows }
  }

  /** Writes a page into the copy. `last` null: there are no more. `following`: begins to read the next page. */
  async fill(table: CopiedTable, page: CopyPage, following: (after: string) => void): Promise<Looked> {
    const { after, atMs, beganMs, look } = page
    try {
      const rows = await page.rows
      const last = rows.at(-1)?.key ?? null
      if (last !== null) following(last)
      this.#parts.fetched(table, rows)
      // What was written through before the page came, and removed by others since.
      const marked = this.#copy.versions(table.name, after, last)
      const present = marked.size === 0 ? marked : new Set(rows.map(({ key }) => key))
      const outcome = await this.#apply(table, {
        rows: rows.filter(({ key, version }) => version === '' || marked.get(key) !== version),
        removed: [...marked.keys()].filter((key) => !present.has(key)),
        isNewer: look.isNewer,
        look: { after, last, atMs },
        next: { after: last, isWhole: last === null },
      })
      this.#looked(table, rows.length, outcome, beganMs)
      return { rows: rows.length, comparedMs: 0, last, seen: last, outcome }
    } finally {
      look.end()
    }
  }

  /** Looks once more at rows of which it is not known whether they are as they should be. */
  async verify(table: CopiedTable, keys: readonly string[]): Promise<Looked> {
    const beganMs = this.#parts.clock.now()
    const look = this.#parts.look(table.name)
    try {
      const outcome = await this.#fetch(table, keys, look)
      this.#looked(table, keys.length, outcome, beganMs)
      return { rows: keys.length, comparedMs: 0, last: null, seen: null, outcome }
    } finally {
      look.end()
    }
  }

  /** Fetches what differs in a range; what is to be removed is left to the look itself. */
  async #difference(
    table: CopiedTable,
    after: string | null,
    last: string | null,
    look: OpenLook,
  ): Promise<{ readonly fetched: CopyOutcome; readonly removed: readonly string[] }> {
    const { connection } = this.#parts
    const theirs = await this.#primary(connection.versions(this.#identity, table, after, last))
    const ours = this.#copy.versions(table.name, after, last)
    const changed: string[] = []
    for (const [key, version] of theirs) if (version === '' || ours.get(key) !== version) changed.push(key)
    const fetched = await this.#fetch(table, changed, look)
    return { fetched, removed: [...ours.keys()].filter((key) => !theirs.has(key)) }
  }

  async #fetch(table: CopiedTable, keys: readonly string[], look: OpenLook): Promise<CopyOutcome> {
    const { connection } = this.#parts
    let done = nothingDone
    for (let from = 0; from < keys.length; ) {
      this.#parts.check()
      const portion = keys.slice(from, from + portionMax)
      const { looked, rows } = await this.#primary(connection.rows(this.#identity, table, portion))
      from += looked
      this.#parts.fetched(table, rows)
      const present = new Set(rows.map(({ key }) => key))
      const removed = portion.slice(0, looked).filter((key) => !present.has(key))
      done = sumOf(done, await this.#apply(table, { rows, removed, isNewer: look.isNewer }))
    }
    return done
  }

  async #apply(table: CopiedTable, change: CopyChange): Promise<CopyOutcome> {
    const outcome = await doneBy(this.#parts.pair, 'fallback', this.#copy.apply(table, change))
    if (outcome.refused.length > 0) this.#parts.refused(table, outcome.refused)
    return outcome
  }

  #primary<T>(doing: Promise<T>): Promise<T> {
    return doneBy(this.#parts.pair, 'primary', doing)
  }

  #looked(table: CopiedTable, rows: number, { written, removed }: CopyOutcome, beganMs: number): void {
    const tookMs = this.#parts.clock.now() - beganMs
    this.#parts.observe({ type: 'copy.looked', collection: table.name, rows, written, removed, tookMs })
  }
}

function isEqual(one: RowDigest, other: RowDigest): boolean {
  return one.count === other.count && one.high === other.high && one.low === other.low
}

function sumOf(one: CopyOutcome, other: CopyOutcome): CopyOutcome {
  return {
    written: one.written + other.written,
    removed: one.removed + other.removed,
    waiting: one.waiting + other.waiting,
    refused: [...one.refused, ...other.refused],
  }
}

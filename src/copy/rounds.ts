import type { Clock } from '../database/store/clock.ts'
import type { Copy } from '../driver/facet/copy.ts'
import type { CopiedTable } from '../driver/facet/feed.ts'
import { idOfTime } from '../driver/kit/draw-id.ts'
import { doubtOf, endDoubt } from './doubts.ts'
import type { CopyPage, Looked, Looks } from './looks.ts'
import type { CopyObservation } from './observation.ts'
import { sweepPauseMs } from './pace.ts'
import { CopyFault } from './pair.ts'
import { idTimeMs, overlapMs } from './whole-copy.ts'

/** Between two polls, and the least time of a round over all tables. */
const pollMs = 1_000

/** Between two looks at rows that cannot be verified: entries for another primary wait on them, or the file refuses them. */
const stuckMs = 30_000

/** As many rows are verified at once. */
const verifiedMax = 1_000

/** A table that the server refuses to read is left alone for so long. */
const refusedMs = 60_000

/** The beginning of a sweep of a table. */
export interface Pass {
  readonly doubt: number | null
  /** An id of that time. */
  readonly id: string
}

/** What `CopyRounds` work with. */
export interface RoundParts {
  readonly clock: Clock
  readonly copy: Copy
  /** By table: the sweep that is under way; kept beyond these rounds, as its place is. */
  readonly passes: Map<string, Pass>
  /** COPY_RATE, in rows per second. */
  rate(): number
  /** The most rows of one look, and of one page of a first copy. */
  lookRows(): number
  pageRows(): number
  /** Throws where the rounds are to end: the state has changed, or the disk is full. */
  check(): void
  /** Waits for so long, or resolves with true as soon as there may be something to verify. Rejects like `check`. */
  wait(ms: number): Promise<boolean>
  /** Called before the tables are polled. Rejects where the primary was set back. */
  polling(): Promise<void>
  /** A table cannot be read or written, and is left alone for a while. */
  refused(fault: CopyFault, retryMs: number): void
  observe(seen: CopyObservation): void
}

/** The work on the tables of a copy, on one connection: what is to be verified, new rows, a first copy, the sweep. */
export class CopyRounds {
  readonly #parts: RoundParts
  readonly #looks: Looks
  readonly #tables: readonly CopiedTable[]
  readonly #beganMs: number
  /** By table: the newest id that was seen at its end. */
  readonly #seen = new Map<string, string>()
  /** By table and key: when it may be looked at again. */
  readonly #stuck = new Map<string, Map<string, number>>()
  readonly #refusedUntil = new Map<string, number>()
  readonly #incomplete: Set<string>
  #nextPollMs = Number.NEGATIVE_INFINITY

  constructor(looks: Looks, tables: readonly CopiedTable[], parts: RoundParts) {
    this.#looks = looks
    this.#tables = tables
    this.#parts = parts
    this.#beganMs = parts.clock.now()
    this.#incomplete = new Set(tables.map(({ name }) => name).filter((name) => !this.#isWhole(name)))
  }

  /** One part of each table; takes a second at least, or as long as the rate asks for. Rejects with a `CopyFault`, and like `check`. */
  async round(): Promise<void> {
    const { clock, lookRows, rate } = this.#parts
    const endMs = clock.now() + Math.min(pollMs, (lookRows() * 1000) / rate())
    await this.#verifyAll()
    for (const table of this.#tables) {
      await this.#pollAll()
      await this.#attempt(table, () => this.#step(table))
    }
    await this.#pause(endMs - clock.now())
  }

  /** Only what concerns one table is kept from the others. */
  async #attempt(table: CopiedTable, doing: () => Promise<void>): Promise<void> {
    const { clock, check, refused } = this.#parts
    check()
    if ((this.#refusedUntil.get(table.name) ?? 0) > clock.now()) return
    try {
      await doing()
    } catch (error) {
      check()
      if (!(error instanceof CopyFault) || !['statement', 'constraint'].includes(error.fault.kind)) throw error
      this.#refusedUntil.set(table.name, clock.now() + refusedMs)
      refused(error, refusedMs)
    }
    this.#noteWhole(table)
  }

  async #verifyAll(): Promise<void> {
    for (const table of this.#tables) {
      const state = this.#parts.copy.state(table.name)
      if (state !== null && !state.isVerified) await this.#attempt(table, () => this.#verify(table))
    }
  }

  async #verify(table: CopiedTable): Promise<void> {
    const { clock, copy, check } = this.#parts
    const stuck = this.#stuck.get(table.name) ?? new Map<string, number>()
    for (const [key, until] of stuck) if (until <= clock.now()) stuck.delete(key)
    for (;;) {
      check()
      const keys = copy.unverified(table.name, verifiedMax + stuck.size).filter((key) => !stuck.has(key))
      if (keys.length === 0) return
      await this.#looks.verify(table, keys)
      const left = new Set(copy.unverified(table.name, verifiedMax + stuck.size))
      for (const key of keys) if (left.has(key)) stuck.set(key, clock.now() + stuckMs)
      if (stuck.size > 0) this.#stuck.set(table.name, stuck)
    }
  }

  /** Once a second; in all no more than half of the time, so that the sweep goes on where very many rows are new. */
  async #pollAll(): Promise<void> {
    const { clock, polling } = this.#parts
    const beganMs = clock.now()
    if (beganMs < this.#nextPollMs) return
    // What it waits for must not begin another one.
    this.#nextPollMs = Number.POSITIVE_INFINITY
    try {
      await polling()
      for (const table of this.#tables) {
        if (table.keyOrder === 'uuid') await this.#attempt(table, () => this.#poll(table))
      }
    } finally {
      this.#nextPollMs = beganMs + Math.max(pollMs, 2 * (clock.now() - beganMs))
    }
  }

  /** New rows of others: their ids are at the end, but for those whose transactions took long, or whose clocks are late. */
  async #poll(table: CopiedTable): Promise<void> {
    const { copy, lookRows } = this.#parts
    const state = copy.state(table.name)
    if (state?.isSwept !== true) return
    const lastMs = (state.polled === null ? null : idTimeMs(state.polled)) ?? state.asOfMs
    if (lastMs === null) return
    const [overlap, seen = overlap] = [idOfTime(lastMs - overlapMs), this.#seen.get(table.name)]
    const id = idOfTime(this.#parts.clock.wallMs())
    const isLast = (key: string): boolean => !this.#isOfNow(key)
    // The clock of the others may be late: theirs are behind the last one that was seen.
    for (let after: string | null = seen < overlap ? seen : overlap; after !== null; ) {
      const beganMs = this.#parts.clock.now()
      const found: Looked = await this.#looks.compare(table, after, lookRows(), { poll: { id, isLast } })
      this.#see(table, found)
      after = found.last === null || isLast(found.last) ? null : found.last
      if (after !== null) await this.#rest(found, beganMs)
    }
  }

  #see({ name }: CopiedTable, { seen }: Looked): void {
    if (seen !== null && this.#isOfNow(seen)) this.#seen.set(name, seen)
  }

  /** Behind the ids of this time there are only those that say nothing of theirs. */
  #isOfNow(id: string): boolean {
    return id <= idOfTime(this.#parts.clock.wallMs() + overlapMs)
  }

  /** The first copy of a table as a whole, or one part of its sweep. */
  async #step(table: CopiedTable): Promise<void> {
    const { clock, copy, lookRows } = this.#parts
    const state = copy.state(table.name)
    if (state === null) return
    if (!state.isSwept) {
      await this.#fill(table, state.after)
      return
    }
    const beganMs = clock.now()
    this.#begin(table, state.after)
    const pass = this.#parts.passes.get(table.name)
    const polled = table.keyOrder === 'uuid' || pass === undefined ? {} : { poll: { id: pass.id, isLast: () => false } }
    const found = await this.#looks.compare(table, state.after, lookRows(), { isSweep: true, ...polled })
    if (found.last === null) {
      this.#see(table, found)
      this.#end(table)
    }
    await this.#rest(found, beganMs)
  }

  /** At the full speed of both sides: until it has ended, an outage hides the table. */
  async #fill(table: CopiedTable, after: string | null): Promise<void> {
    const { check, pageRows } = this.#parts
    this.#begin(table, after)
    const pages: CopyPage[] = [this.#looks.page(table, after, pageRows())]
    try {
      for (let page = pages.shift(); page !== undefined; page = pages.shift()) {
        await this.#looks.fill(table, page, (last) => pages.push(this.#looks.page(table, last, pageRows())))
        check()
        // One call at a time.
        await pages[0]?.rows
        await this.#pollAll()
      }
    } finally {
      for (const { rows, look } of pages) {
        await rows.catch(() => {})
        look.end()
      }
    }
    this.#end(table)
  }

  #begin({ name }: CopiedTable, after: string | null): void {
    if (after === null)
      this.#parts.passes.set(name, { doubt: doubtOf(this.#parts.copy, name), id: idOfTime(this.#parts.clock.wallMs()) })
  }

  #end({ name }: CopiedTable): void {
    const pass = this.#parts.passes.get(name)
    if (pass !== undefined) endDoubt(this.#parts.copy, name, pass.doubt)
    this.#parts.passes.delete(name)
  }

  /** After a look, in proportion to what it has cost the server. */
  async #rest({ rows, comparedMs }: Looked, beganMs: number): Promise<void> {
    const { clock, rate } = this.#parts
    await this.#pause(sweepPauseMs(rows, comparedMs, clock.now() - beganMs - comparedMs, rate()))
  }

  /** What is to be verified does not wait for its end. */
  async #pause(ms: number): Promise<void> {
    const { clock, wait } = this.#parts
    const endMs = clock.now() + ms
    while (clock.now() < endMs) {
      if (await wait(endMs - clock.now())) await this.#verifyAll()
    }
  }

  #isWhole(name: string): boolean {
    const { copy } = this.#parts
    const state = copy.state(name)
    return state?.isSwept === true && state.isVerified && state.polled !== null && doubtOf(copy, name) === null
  }

  #noteWhole({ name }: CopiedTable): void {
    if (!this.#incomplete.has(name) || !this.#isWhole(name)) return
    this.#incomplete.delete(name)
    const { rows = 0, bytes = 0 } = this.#parts.copy.state(name) ?? {}
    const tookMs = this.#parts.clock.now() - this.#beganMs
    this.#parts.observe({ type: 'copy.completed', collection: name, rows, bytes, tookMs })
  }
}

import type { Problem } from '../config/problem.ts'
import type { Clock } from '../database/store/clock.ts'
import type { Store } from '../database/store/store.ts'
import type { Copy } from '../driver/facet/copy.ts'
import type { CopiedTable, Feed } from '../driver/facet/feed.ts'
import type { CopySink } from './copy-sink.ts'
import { doubt } from './doubts.ts'
import { KnownProblems } from './known-problems.ts'
import type { CopyObservation } from './observation.ts'
import type { CopyPair, WantedTable } from './pair.ts'
import { Positions } from './positions.ts'
import type { LeftOut } from './problems.ts'
import { CopyRun, type CopySettings } from './run.ts'
import { WriteThrough } from './write-through.ts'

/** What `Copier` works with. */
export interface CopierParts {
  readonly clock: Clock
  /** In [0, 1), for jitter. */
  readonly random: () => number
  settings(): CopySettings
  /** The tables that are to be copied from this primary into this fallback; from memory. */
  wanted(pair: StorePair): readonly WantedTable[]
  /** Whether a table is to be copied whenever a fallback is open next to this primary. */
  isWanted(primary: Store, table: string): boolean
  /** Units of work that have begun so far. */
  units(): number
  /** Resolves when what the last outage changed in the copy is marked. Rejects with what the driver classifies. */
  settled(fallback: Store): Promise<void>
  observe(seen: CopyObservation): void
}

/** A primary that serves and the fallback next to it, both of which can copy. */
export interface StorePair extends CopyPair {
  readonly primary: Store
  readonly fallback: Store
  readonly feed: Feed
}

/** What the copy is to know of the state of the connection. */
export interface CopySituation {
  /** What serves, and the open fallback next to it; null: nothing is copied. */
  readonly pair: StorePair | null
  /** Whether the pair is to be copied now: nothing waits in the journal, the settings ask for it. */
  readonly mayRun: boolean
  /** Of the fallback that is open; null: none is. */
  readonly copy: Copy | null
}

interface Running {
  readonly pair: StorePair
  readonly run: CopyRun
  readonly controller: AbortController
}

/** Keeps the primary's rows in the fallback: at most one run at a time, and what the data API writes. */
export class Copier {
  readonly #parts: CopierParts
  readonly #through: WriteThrough
  readonly #problems: KnownProblems
  /** By identity and target. */
  readonly #positions = new Map<string, Positions>()
  #left: readonly LeftOut[] = []
  #pair: StorePair | null = null
  /** Of the fallback that is open. */
  #copy: Copy | null = null
  #running: Running | null = null
  /** The end of the last run. */
  #ended: Promise<void> = Promise.resolve()

  constructor(parts: CopierParts) {
    this.#parts = parts
    this.#problems = new KnownProblems((seen) => parts.observe(seen))
    this.#through = new WriteThrough({
      clock: parts.clock,
      isWanted: (primary, table) => parts.isWanted(primary, table),
      applied: (collection, rows, isUnverified) => {
        parts.observe({ type: 'copy.written-through', collection, rows })
        if (isUnverified) this.#running?.run.wake()
      },
      failed: (fault) => this.#running?.run.refused(fault),
    })
  }

  get sink(): CopySink {
    return this.#through
  }

  get problems(): readonly Problem[] {
    return this.#problems.all
  }

  /** Why a table is left out for its size; null: it is not, as far as is known. */
  leftOut(table: string): LeftOut | null {
    return this.#left.find(({ name }) => name === table) ?? null
  }

  /** True while the disk has no room for the copy. */
  get isStopped(): boolean {
    return this.#problems.has('stopped')
  }

  /** To be called with each change of the state, before anything is read from the fallback. */
  changed({ pair, mayRun, copy }: CopySituation): void {
    // A fallback that opens only after the primary was lost must know, too, what was missed before.
    if (!isSame(pair, this.#pair) || copy !== this.#copy) this.#lead(pair, copy)
    const wanted = mayRun ? pair : null
    if (isSame(wanted, this.#running?.pair ?? null)) return
    this.#stop()
    if (wanted !== null) this.#start(wanted)
  }

  /** Settings or tables may have changed. */
  wake(): void {
    this.#running?.run.wake()
  }

  /** The primary of this label was set back: nothing of the copy of these tables counts from now on. Rejects like `settled`. */
  async reset(copy: Copy, tables: readonly string[], label: string): Promise<void> {
    for (const table of tables) doubt(copy, table)
    this.#stop()
    this.#positions.clear()
    this.#parts.observe({ type: 'copy.reset', label })
    await this.#ended
    await copy.reset()
  }

  /** Resolves when no run is under way any more. Never rejects. */
  close(): Promise<void> {
    this.changed({ pair: null, mayRun: false, copy: null })
    return this.#ended
  }

  #stop(): void {
    this.#running?.controller.abort(new Error('The copying ends.'))
    this.#running = null
  }

  #lead(pair: StorePair | null, copy: Copy | null): void {
    const before = this.#pair
    this.#pair = pair
    this.#copy = copy
    // What the primary that has served answers late still goes into the copy of the fallback that took its place.
    if (pair === null && before !== null && before.copy === copy) this.#through.leave()
    else this.#through.lead(pair === null ? null : { ...pair, tables: this.#tablesOf(pair) }, copy)
  }

  /** Those that the file has: until a run decides again. */
  #tablesOf(pair: StorePair): ReadonlyMap<string, CopiedTable> {
    const source = pair.copy.source()
    if (source?.identity !== pair.source.identity || source.target !== pair.source.target) return new Map()
    const tables = this.#parts.wanted(pair).map(({ table }) => table)
    return new Map(tables.filter(({ name }) => pair.copy.state(name) !== null).map((table) => [table.name, table]))
  }

  #start(pair: StorePair): void {
    const { clock, random, settings, units, observe } = this.#parts
    const controller = new AbortController()
    const run = new CopyRun(
      pair,
      {
        ...{ clock, random, settings, units, observe, problems: this.#problems },
        wanted: () => this.#parts.wanted(pair),
        look: (table) => this.#through.look(table),
        chose: (tables, left) => this.#chose(pair, tables, left),
        stop: (isStopped) => this.#through.stop(isStopped),
        settled: () => this.#parts.settled(pair.fallback),
        positions: this.#positionsOf(pair),
      },
      controller.signal,
    )
    this.#running = { pair, run, controller }
    // Two runs must never write one copy.
    this.#ended = this.#ended.then(() => run.run())
  }

  #chose(pair: StorePair, tables: readonly CopiedTable[], left: readonly LeftOut[]): void {
    this.#left = left
    if (!isSame(pair, this.#pair)) return
    this.#through.lead({ ...pair, tables: new Map(tables.map((table) => [table.name, table])) }, pair.copy)
  }

  #positionsOf({ source, copy }: StorePair): Positions {
    const name = `${source.identity} ${source.target}`
    const of = copy.source()
    const kept = of?.identity === source.identity && of.target === source.target ? copy.position() : null
    const known = this.#positions.get(name) ?? new Positions(() => this.#parts.clock.now(), kept)
    this.#positions.set(name, known)
    return known
  }
}

function isSame(one: StorePair | null, other: StorePair | null): boolean {
  if (one === null || other === null) return one === other
  return (
    one.primary === other.primary &&
    one.copy === other.copy &&
    one.source.identity === other.source.identity &&
    one.source.target === other.source.target
  )
}

import { faultOf } from '../database/machine/faults.ts'
import type { Clock } from '../database/store/clock.ts'
import type { Store } from '../database/store/store.ts'
import type { Copy, CopyChange, CopyOutcome } from '../driver/facet/copy.ts'
import type { CopiedTable, FedRow, Feed } from '../driver/facet/feed.ts'
import type { Image } from '../driver/facet/image.ts'
import type { Fault } from '../driver/fault.ts'
import type { CopySink } from './copy-sink.ts'
import { doubt } from './doubts.ts'
import { type OpenLook, TouchedRows } from './touched-rows.ts'

/** Between the answer of a write and its row in the copy. */
const flushMs = 20

/** The most writes that wait, and the most bytes of their images; beyond, they are dropped and their tables are in doubt. */
const waitingMax = 5_000
const waitingMaxBytes = 16 * 1024 * 1024

/** As many writes wait without an image: below, no byte of them needs to be counted. */
const uncountedMax = 256

/** The column by which late writes are told from newer ones. */
const newerBy = 'version'

/** From which primary writes go through into which copy. */
export interface WriteRoute {
  readonly primary: Store
  readonly feed: Pick<Feed, 'versionOf'>
  readonly fallback: Pick<Store, 'driver'>
  readonly copy: Copy
  /** Those that are copied, by name. */
  readonly tables: ReadonlyMap<string, CopiedTable>
}

/** What `WriteThrough` works with. */
export interface WriteThroughParts {
  readonly clock: Clock
  /** Whether the rows of this table are copied whenever a fallback is open. */
  isWanted(primary: Store, table: string): boolean
  /** Writes of this table are in the copy. `isUnverified`: some of its rows are to be looked at once more. */
  applied(table: string, rows: number, isUnverified: boolean): void
  /** The copy could not be written. */
  failed(fault: Fault): void
}

/** One write; `image` null: the row was removed. */
interface Write {
  readonly id: string
  readonly image: (() => Image) | null
  readonly version: string | null
}

/** By table. */
type Batch = Map<string, Write[]>

/**
 * Puts what the data API has written into the primary into the copy, a moment after the answer, and at once when the primary
 * stops serving. A write that the copy misses puts its table in doubt: it is not whole until it was swept again.
 */
export class WriteThrough implements CopySink {
  readonly #parts: WriteThroughParts
  readonly #touched: TouchedRows
  #route: WriteRoute | null = null
  /** The copy that answers if the primary is lost now. */
  #copy: Copy | null = null
  /** Tables of which writes were missed while no copy was open. */
  readonly #missed = new Set<string>()
  #isServing = false
  #isStopped = false
  #waiting: Batch = new Map()
  #count = 0
  #bytes = 0
  /** What is being written into the copy at the moment. */
  #inFlight: Batch | null = null
  #cancel: (() => void) | null = null

  constructor(parts: WriteThroughParts) {
    this.#parts = parts
    this.#touched = new TouchedRows(() => parts.clock.now())
  }

  /** The route from now on; null: there is none. `copy`: of the fallback that is open; null: none is. */
  lead(route: WriteRoute | null, copy: Copy | null): void {
    // What waits is of the primary that has answered it.
    if (this.#route !== null && (route?.copy !== this.#route.copy || route.primary !== this.#route.primary))
      this.leave()
    this.#route = route
    this.#copy = copy
    this.#isServing = route !== null
    if (copy === null) return
    for (const table of this.#missed) doubt(copy, table)
    this.#missed.clear()
  }

  /** The primary stops serving: what waits is applied before this returns, and what is answered late as it comes. */
  leave(): void {
    this.#isServing = false
    this.#cancel?.()
    this.#cancel = null
    // Half of it may be there already; nothing is written twice.
    const inFlight = this.#inFlight
    this.#inFlight = null
    if (inFlight !== null) this.#applyNow(inFlight)
    this.#applyNow(this.#take())
  }

  /** While stopped, writes are missed. */
  stop(isStopped: boolean): void {
    this.#isStopped = isStopped
  }

  /** To be called before the primary is asked for rows of a table. */
  look(table: string): OpenLook {
    return this.#touched.look(table)
  }

  isCopied(primary: Store, table: string): boolean {
    const route = this.#route
    if (route !== null && route.primary === primary) return route.tables.has(table)
    return this.#parts.isWanted(primary, table)
  }

  wrote(primary: Store, table: string, id: string, image: () => Image, version: string | null): void {
    this.#touched.changed(table, id)
    this.#add(primary, table, { id, image, version })
  }

  removed(primary: Store, table: string, id: string): void {
    this.#touched.removed(table, id)
    this.#add(primary, table, { id, image: null, version: null })
  }

  #add(primary: Store, table: string, write: Write): void {
    if (this.#route?.primary !== primary || this.#isStopped || !this.#keep(table, write)) this.#miss(table)
    else if (!this.#isServing) this.#applyNow(this.#take())
    else if (this.#inFlight === null) this.#flushSoon()
  }

  /** False: too much waits. */
  #keep(table: string, write: Write): boolean {
    let kept = write
    if (this.#count >= uncountedMax && write.image !== null) {
      const image = write.image()
      this.#bytes += sizeOf(image)
      kept = { ...write, image: () => image }
    }
    if (this.#count >= waitingMax || this.#bytes > waitingMaxBytes) return false
    const writes = this.#waiting.get(table)
    if (writes === undefined) this.#waiting.set(table, [kept])
    else writes.push(kept)
    this.#count += 1
    return true
  }

  #take(): Batch {
    const taken = this.#waiting
    this.#waiting = new Map()
    this.#count = 0
    this.#bytes = 0
    return taken
  }

  /** A moment later, so that a stream of writes shares transactions: one costs as much as 50 rows. */
  #flushSoon(): void {
    this.#cancel ??= this.#parts.clock.wait(flushMs, () => void this.#flush())
  }

  /** Never rejects. */
  async #flush(): Promise<void> {
    this.#cancel = null
    const batch = this.#take()
    this.#inFlight = batch
    for (const [name, writes] of batch) {
      await this.#apply(name, writes)
      // All of it was applied at once meanwhile, and the route may be another one by now.
      if (this.#inFlight !== batch) return
    }
    this.#inFlight = null
    if (this.#count > 0 && this.#isServing) this.#flushSoon()
  }

  async #apply(name: string, writes: readonly Write[]): Promise<void> {
    const { route, table } = this.#routeOf(name)
    if (route === null) {
      this.#miss(name)
      return
    }
    try {
      const change = this.#changeOf(route, table, writes)
      this.#report(name, change, await route.copy.apply(table, change))
    } catch (error) {
      this.#fail(route, name, error)
    }
  }

  #applyNow(batch: Batch): void {
    for (const [name, writes] of batch) {
      const { route, table } = this.#routeOf(name)
      if (route === null) {
        this.#miss(name)
        continue
      }
      try {
        const change = this.#changeOf(route, table, writes)
        this.#report(name, change, route.copy.applyNow(table, change))
      } catch (error) {
        this.#fail(route, name, error)
      }
    }
  }

  #routeOf(
    name: string,
  ): { readonly route: WriteRoute; readonly table: CopiedTable } | { readonly route: null; readonly table: null } {
    const table = this.#route?.tables.get(name)
    return this.#route === null || table === undefined ? { route: null, table: null } : { route: this.#route, table }
  }

  /** The last write of each row: answers come in any order. */
  #changeOf({ feed }: WriteRoute, table: CopiedTable, writes: readonly Write[]): CopyChange {
    const rows = new Map<string, FedRow>()
    const removed = new Set<string>()
    for (const { id, image: imageOf, version } of writes) {
      if (imageOf === null) removed.add(id)
      if (imageOf === null || this.#touched.isRemoved(table.name, id)) continue
      const image = imageOf()
      const known = rows.get(id)
      if (known !== undefined && Number(known.image[newerBy]) > Number(image[newerBy])) continue
      rows.set(id, { key: id, image, version: version ?? feed.versionOf?.(table, image) ?? '' })
    }
    return { rows: [...rows.values()], removed: [...removed], newerBy }
  }

  #report(name: string, change: CopyChange, outcome: CopyOutcome): void {
    const isUnknown = change.rows.some(({ version }) => version === '')
    const isUnverified = isUnknown || outcome.waiting > 0 || outcome.refused.length > 0
    this.#parts.applied(name, change.rows.length + change.removed.length, isUnverified)
  }

  #fail({ fallback }: WriteRoute, name: string, error: unknown): void {
    this.#miss(name)
    this.#parts.failed(faultOf(fallback.driver, error, 'statement'))
  }

  #miss(table: string): void {
    if (this.#copy === null) this.#missed.add(table)
    else doubt(this.#copy, table)
  }
}

function sizeOf(image: Image): number {
  let bytes = 0
  for (const value of Object.values(image)) bytes += value?.length ?? 0
  return bytes
}

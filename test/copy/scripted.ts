import { Copier, type StorePair } from '../../src/copy/copier.ts'
import type { CopyObservation } from '../../src/copy/observation.ts'
import type { WantedTable } from '../../src/copy/pair.ts'
import type { CopySettings } from '../../src/copy/run.ts'
import type { Store } from '../../src/database/store/store.ts'
import type { Copy, CopyChange, CopyOutcome, CopySource, CopyState } from '../../src/driver/facet/copy.ts'
import type { CopiedTable, FedRow, Feed, FeedConnection, RowDigest, TableSize } from '../../src/driver/facet/feed.ts'
import type { Image } from '../../src/driver/facet/image.ts'
import { FaultError } from '../../src/driver/fault.ts'
import { markOf } from '../../src/driver/kit/primary/row-mark.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { faultLike } from '../support/scripted-driver.ts'
import { ScriptedJournal } from '../support/scripted-journal.ts'

/** The time of `FakeClock` at its start. */
export const startMs = 1_700_000_000_000

/** A UUIDv7 of that time, and the number in it. */
export function idAt(ms: number, number: number = 0): string {
  const hex = Math.floor(ms).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`
}

export function tableOf(name: string): CopiedTable {
  const columns = ['id', 'text', 'version'].map((column) => ({ name: column, kind: 'text' as const }))
  return { name, key: { name: 'id', kind: 'text' }, keyOrder: 'uuid', columns }
}

export function wantedOf(name: string, more: Partial<WantedTable> = {}): WantedTable {
  return { table: tableOf(name), setting: name, isAlways: false, misfit: () => null, ...more }
}

/** A row of the primary; its version is `text`, unless it is given. */
export function rowOf(key: string, text: string, version: string = text): FedRow {
  return { key, version, image: { id: key, text, version: '1' } }
}

/** A primary in memory. Each call is in `calls`, as a word and a table. */
export class ScriptedFeed implements Feed {
  readonly tables: Map<string, SortedRows> = new Map()
  readonly calls: string[] = []
  readonly sizes: Map<string, TableSize | null> = new Map()
  at: bigint | null = null
  open = 0
  evicted = 0
  /** Called before each answer. */
  before: (call: string) => Promise<void> | void = () => {}
  /** Called when the versions were read, before they are given. */
  onTheWay: () => Promise<void> | void = () => {}

  versionOf(_table: CopiedTable, image: Image): string | null {
    return image.text ?? null
  }

  of(table: string): SortedRows {
    const rows = this.tables.get(table) ?? new SortedRows()
    this.tables.set(table, rows)
    return rows
  }

  put(table: string, ...rows: readonly FedRow[]): void {
    for (const row of rows) this.of(table).set(row.key, row)
  }

  behind(table: string, after: string | null, limit: number = Number.POSITIVE_INFINITY): readonly FedRow[] {
    return this.of(table).between(after, null, limit)
  }

  async connect(): Promise<FeedConnection> {
    await this.#call('connect')
    this.open += 1
    let isOpen = true
    const closed = Promise.withResolvers<never>()
    closed.promise.catch(() => {})
    const close = (): void => {
      if (isOpen) this.open -= 1
      isOpen = false
      closed.reject(new FaultError(faultLike('lost')))
    }
    const call = (text: string): Promise<void> => Promise.race([closed.promise, this.#call(text)])
    return {
      position: async () => {
        await call('position')
        return this.at
      },
      size: async ({ name }) => {
        await call(`size ${name}`)
        const size = this.sizes.get(name)
        return size === undefined ? { rows: 1, bytes: 1, columns: ['id', 'text', 'version'] } : size
      },
      digest: async (_identity, { name }, after, limit) => {
        await call(`digest ${name}`)
        const rows = this.behind(name, after, limit)
        return { ...digestOf(rows), last: rows.at(-1)?.key ?? null }
      },
      versions: async (_identity, { name }, after, last) => {
        await call(`versions ${name}`)
        const rows = this.of(name).between(after, last)
        await this.onTheWay()
        return new Map(rows.map(({ key, version }) => [key, version]))
      },
      rows: async (_identity, { name }, keys) => {
        await call(`rows ${name} ${keys.length}`)
        const rows = keys.flatMap((key) => this.of(name).get(key) ?? [])
        return { looked: keys.length, rows }
      },
      page: async (_identity, { name }, after, limit) => {
        await call(`page ${name}`)
        return this.behind(name, after, limit)
      },
      evict: () => {
        this.evicted += 1
        close()
      },
      close: async () => close(),
    }
  }

  /** Since the last call of this. */
  take(): readonly string[] {
    return this.calls.splice(0)
  }

  async #call(call: string): Promise<void> {
    this.calls.push(call)
    await this.before(call)
  }
}

/** Rows by key, in the order of their keys when they are asked for, and what is to be known of all of them. */
export class SortedRows extends Map<string, FedRow> {
  bytes = 0
  readonly unverified: Set<string> = new Set()
  #sorted: readonly FedRow[] | null = null

  override set(key: string, row: FedRow): this {
    this.#forget(key)
    this.bytes += row.image.text?.length ?? 0
    if (row.version === '') this.unverified.add(key)
    return super.set(key, row)
  }

  override delete(key: string): boolean {
    this.#forget(key)
    return super.delete(key)
  }

  override clear(): void {
    for (const key of this.keys()) this.#forget(key)
    super.clear()
  }

  between(after: string | null, last: string | null, limit: number = Number.POSITIVE_INFINITY): readonly FedRow[] {
    this.#sorted ??= [...this.values()].sort((one, other) => (one.key < other.key ? -1 : 1))
    const from = after === null ? 0 : this.#upTo(after)
    return this.#sorted.slice(from, Math.min(from + limit, last === null ? Number.POSITIVE_INFINITY : this.#upTo(last)))
  }

  #forget(key: string): void {
    this.#sorted = null
    this.bytes -= this.get(key)?.image.text?.length ?? 0
    this.unverified.delete(key)
  }

  /** How many keys are not greater. */
  #upTo(key: string): number {
    let [low, high] = [0, this.size]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sorted?.[middle]?.key ?? '') <= key) low = middle + 1
      else high = middle
    }
    return low
  }
}

interface CopiedRows {
  readonly rows: SortedRows
  state: Omit<CopyState, 'rows' | 'bytes' | 'isVerified'>
}

/** A copy in memory. Rows on which entries wait are in `waiting`, those that it cannot hold in `refusing`. */
export class ScriptedCopy implements Copy {
  readonly tables: Map<string, CopiedRows> = new Map()
  readonly waiting: Set<string> = new Set()
  readonly refusing: Set<string> = new Set()
  readonly calls: string[] = []
  from: CopySource | null = null
  kept: bigint | null = null
  room = true
  /** Called before each write. */
  before: (call: string) => Promise<void> | void = () => {}

  source(): CopySource | null {
    return this.from
  }

  state(table: string): CopyState | null {
    const found = this.tables.get(table)
    if (found === undefined) return null
    const { size, bytes, unverified } = found.rows
    return { ...found.state, isVerified: unverified.size === 0, rows: size, bytes }
  }

  async begin(source: CopySource, tables: readonly CopiedTable[]): Promise<void> {
    await this.#call(`begin ${tables.map(({ name }) => name).join(' ')}`)
    const isSame = this.from?.identity === source.identity && this.from.target === source.target
    const names = new Set(tables.map(({ name }) => name))
    for (const name of [...this.tables.keys()]) if (!isSame || !names.has(name)) this.tables.delete(name)
    for (const name of names)
      if (!this.tables.has(name)) this.tables.set(name, { rows: new SortedRows(), state: nothing })
    if (!isSame) this.kept = null
    this.from = source
  }

  async reset(): Promise<void> {
    await this.#call('reset')
    this.tables.clear()
    this.from = null
    this.kept = null
  }

  position(): bigint | null {
    return this.kept
  }

  async keepPosition(position: bigint): Promise<void> {
    this.kept = position
  }

  async settle(tables: readonly CopiedTable[]): Promise<void> {
    await this.#call(`settle ${tables.map(({ name }) => name).join(' ')}`)
  }

  digest(table: string, after: string | null, last: string | null): RowDigest {
    return digestOf(this.#between(table, after, last))
  }

  versions(table: string, after: string | null, last: string | null): ReadonlyMap<string, string> {
    return new Map(this.#between(table, after, last).map(({ key, version }) => [key, version]))
  }

  unverified(table: string, limit: number): readonly string[] {
    return [...(this.tables.get(table)?.rows.unverified ?? [])].slice(0, limit)
  }

  async apply(table: CopiedTable, change: CopyChange): Promise<CopyOutcome> {
    await this.#call(`apply ${table.name} ${change.rows.length} ${change.removed.length}`)
    return this.#apply(table, change)
  }

  applyNow(table: CopiedTable, change: CopyChange): CopyOutcome {
    void this.#call(`applyNow ${table.name} ${change.rows.length} ${change.removed.length}`)
    return this.#apply(table, change)
  }

  async giveWay(): Promise<boolean> {
    return false
  }

  ownRows(): string {
    return 'true'
  }

  hasRoom(): boolean {
    return this.room
  }

  take(): readonly string[] {
    return this.calls.splice(0)
  }

  textOf(table: string, key: string): string | null | undefined {
    return this.tables.get(table)?.rows.get(key)?.image.text
  }

  #apply({ name }: CopiedTable, change: CopyChange): CopyOutcome {
    const copied = this.tables.get(name)
    if (copied === undefined) return { written: 0, removed: 0, waiting: 0, refused: [] }
    const { rows: kept } = copied
    let [written, removed, waiting] = [0, 0, 0]
    const refused: { key: string; why: string }[] = []
    for (const key of change.removed) {
      if (change.isNewer?.(key) === true) continue
      if (kept.delete(key)) removed += 1
    }
    for (const row of change.rows) {
      const before = kept.get(row.key)
      if (change.isNewer?.(row.key) === true) continue
      if (this.waiting.has(row.key)) {
        kept.set(row.key, { ...(before ?? row), version: '' })
        waiting += 1
        continue
      }
      if (this.refusing.has(row.key)) {
        kept.set(row.key, { ...row, version: '' })
        refused.push({ key: row.key, why: 'it is too long' })
        continue
      }
      const column = change.newerBy
      if (column !== undefined && before !== undefined && Number(before.image[column]) >= Number(row.image[column]))
        continue
      kept.set(row.key, row)
      written += 1
    }
    const { look, next, polled } = change
    const { state } = copied
    copied.state = {
      isSwept: state.isSwept || next?.isWhole === true,
      columns: state.columns,
      after: next === undefined ? state.after : next.after,
      asOfMs: look === undefined ? state.asOfMs : look.atMs,
      polled: polled ?? state.polled,
    }
    return { written, removed, waiting, refused }
  }

  #between(table: string, after: string | null, last: string | null): readonly FedRow[] {
    return this.tables.get(table)?.rows.between(after, last) ?? []
  }

  #call(call: string): Promise<void> | void {
    this.calls.push(call)
    return this.before(call)
  }
}

const nothing = { isSwept: false, columns: [], after: null, asOfMs: null, polled: null }

/** A row is hashed once. */
const marks = new WeakMap<FedRow, ReturnType<typeof markOf>>()

function digestOf(rows: readonly FedRow[]): RowDigest {
  let [high, low] = [0, 0]
  for (const row of rows) {
    const mark = marks.get(row) ?? markOf(row.key, row.version)
    marks.set(row, mark)
    high += mark.high
    low += mark.low
  }
  return { count: rows.length, high, low }
}

/** A copier between a scripted primary and a scripted copy, on a clock that stands still. */
export class CopyRig {
  readonly clock: FakeClock = new FakeClock()
  readonly feed: ScriptedFeed = new ScriptedFeed()
  readonly copy: ScriptedCopy
  readonly seen: CopyObservation[] = []
  readonly copier: Copier
  wanted: readonly WantedTable[] = [wantedOf('notes')]
  settings: CopySettings = { maxBytes: 1_000_000, rate: 5_000, idleMs: 60_000 }
  units = 0
  settled: () => Promise<void> = async () => {}
  pair: StorePair

  /** `copy`: what an earlier copier has left. */
  constructor(copy: ScriptedCopy = new ScriptedCopy()) {
    this.copy = copy
    this.pair = this.pairOf()
    this.copier = new Copier({
      clock: this.clock,
      random: () => 0,
      settings: () => this.settings,
      wanted: () => this.wanted,
      isWanted: () => true,
      units: () => this.units,
      settled: () => this.settled(),
      observe: (seen) => this.seen.push(seen),
    })
  }

  pairOf(source: Partial<CopySource> = {}): StorePair {
    const { feed, copy } = this
    return {
      primary: storeOf('primary', feed, null),
      feed,
      fallback: storeOf('fallback', null, copy),
      copy,
      source: { identity: 'one', target: 'here', ...source },
    }
  }

  /** The primary serves, and nothing waits in the journal. */
  start(): void {
    this.copier.changed({ pair: this.pair, mayRun: true, copy: this.copy })
  }

  /** The primary is lost, and the fallback serves. */
  lose(): void {
    this.copier.changed({ pair: null, mayRun: false, copy: this.copy })
  }

  /** Lets time pass while somebody asks for something. */
  async use(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1_000) {
      this.units += 1
      await this.clock.advance(Math.min(1_000, left))
    }
  }

  of<T extends CopyObservation['type']>(type: T): readonly Extract<CopyObservation, { type: T }>[] {
    return this.seen.filter((one): one is Extract<CopyObservation, { type: T }> => one.type === type)
  }
}

/** As much of a store as the copy uses. */
function storeOf(label: string, feed: Feed | null, copy: Copy | null): Store {
  const driver = { name: label, classify: (cause: unknown) => faultLike('statement', { cause }) }
  const journal = Object.assign(new ScriptedJournal(), { identity: 'one' })
  // Nothing else of a store is asked for.
  return { role: label, label, driver, feed, copy, journal } as unknown as Store
}

import { faultOf } from '../../database/machine/faults.ts'
import type { Store } from '../../database/store/store.ts'
import type { Image } from '../../driver/facet/image.ts'
import type { Entry } from '../../driver/facet/journal.ts'
import type { Refusal, Replay } from '../../driver/facet/replay.ts'
import { FaultError } from '../../driver/fault.ts'
import { matchesImage } from '../canonical.ts'
import { judge, type PrimaryRows, rowId, type TableColumns, type TablesByName, type Write } from '../judge.ts'
import { lockRows, transactionOf } from '../locking.ts'
import { attemptColumn, merge } from '../merge.ts'
import { CountOff, writeInOrder } from '../order/layers.ts'
import {
  type Conflict,
  type ConflictEntry,
  type ConflictOutline,
  ConflictRows,
  isUuid,
  rowsOf,
  type SettledAs,
} from './conflict-rows.ts'

/** How often a transaction is tried that met another one. */
const triesMax = 5

/** The outcome of settling a conflict. */
export type Settling =
  | { readonly is: 'settled'; readonly as: SettledAs }
  /** Nothing was changed. */
  | { readonly is: 'settled-before'; readonly as: SettledAs }
  /** There is no such conflict. */
  | { readonly is: 'absent' }
  /** An older open conflict on one of its rows is to be settled first. */
  | { readonly is: 'blocked'; readonly by: string }
  /** A row has changed since it was shown: show it again. */
  | { readonly is: 'moved' }
  /** Applied again, it conflicts still: with these reasons. */
  | { readonly is: 'conflicting'; readonly conflict: Conflict }
  /** The primary refuses the rows. */
  | { readonly is: 'refused'; readonly refusal: Refusal; readonly code: string }

/** The parked transactions of a primary. Rejects with a `FaultError` when the database fails; each method may be repeated. */
export class Conflicts {
  readonly #store: Store
  readonly #replay: Replay
  readonly #tables: TablesByName
  readonly #rows: ConflictRows

  constructor(store: Store, replay: Replay, tables: TablesByName) {
    this.#store = store
    this.#replay = replay
    this.#tables = tables
    this.#rows = new ConflictRows(store)
  }

  /** The primary, for people and logs. */
  get label(): string {
    return this.#store.label
  }

  /** How many are open. */
  async count(): Promise<number> {
    return await this.#guarded(() => this.#rows.countOpen())
  }

  /** The open ones, or those that are settled, oldest first; those behind the local transaction `after`. */
  async list(
    limit: number,
    after: string | null = null,
    state: 'open' | 'settled' = 'open',
  ): Promise<readonly Conflict<ConflictOutline>[]> {
    return await this.#guarded(() => this.#rows.list(state, limit, after))
  }

  /** One with the rows as they are in the primary now, which count as shown; null: there is none. */
  async show(attempt: string): Promise<Conflict | null> {
    const shown = await this.#locked(attempt, async (conflict, rows) => {
      const now = withRows(conflict, rows)
      if (conflict.settledAs === null) await this.#rows.found(attempt, changed(conflict, now))
      return conflict.settledAs === null ? now : conflict
    })
    return 'refusal' in shown ? await this.#unread(attempt) : shown.value
  }

  /** Settles one: `theirs` leaves the primary as it is, `ours` writes what the transaction left on the fallback. */
  async take(attempt: string, side: 'ours' | 'theirs'): Promise<Settling> {
    return await this.#settled(attempt, async (conflict, rows) => {
      if (hasMoved(conflict, rows, this.#tables)) return { is: 'moved' }
      if (side === 'ours') {
        const writes = this.#overwriting(conflict, rows)
        if ('is' in writes) return writes
        await writeInOrder(this.#replay, writes, this.#tables, () => {})
      }
      await this.#rows.settle(attempt, side)
      return { is: 'settled', as: side }
    })
  }

  /** Applies the transaction if that is possible by now. */
  async retry(attempt: string): Promise<Settling> {
    return await this.#settled(attempt, async (conflict, rows) => {
      const transaction = {
        id: conflict.transaction,
        entries: conflict.entries.map((entry) => entryOf(conflict, entry)),
      }
      const [verdict] = judge([transaction], rows, this.#tables)
      if (verdict?.is === 'parked') {
        const reasons = new Map(verdict.parked.map(({ position, reason }) => [position, reason]))
        const now = withRows(conflict, rows)
        const entries = now.entries.map((entry) => ({ ...entry, reason: reasons.get(entry.position) ?? entry.reason }))
        const known = { ...conflict, entries }
        await this.#rows.found(attempt, changed(conflict, known))
        return { is: 'conflicting', conflict: known }
      }
      await writeInOrder(this.#replay, verdict?.writes ?? [], this.#tables, () => {})
      await this.#rows.settle(attempt, 'retried', verdict?.settled)
      return { is: 'settled', as: 'retried' }
    })
  }

  async #settled(
    attempt: string,
    settle: (conflict: Conflict, rows: PrimaryRows) => Promise<Settling>,
  ): Promise<Settling> {
    const outcome = await this.#locked(attempt, async (conflict, rows): Promise<Settling> => {
      if (conflict.settledAs !== null) return { is: 'settled-before', as: conflict.settledAs }
      const by = await this.#rows.older(conflict)
      return by === null ? await settle(conflict, rows) : { is: 'blocked', by }
    })
    if ('refusal' in outcome) return { is: 'refused', ...outcome }
    return outcome.value ?? { is: 'absent' }
  }

  /** Locks the conflict and its rows in one transaction; a null value: there is no such conflict. */
  async #locked<R>(
    attempt: string,
    work: (conflict: Conflict, rows: PrimaryRows) => Promise<R>,
  ): Promise<{ readonly value: R | null } | { readonly refusal: Refusal; readonly code: string }> {
    if (!isUuid(attempt)) return { value: null }
    for (let tries = 1; ; tries += 1) {
      try {
        const value = await this.#transaction(async () => {
          const conflict = await this.#rows.lock(attempt)
          if (conflict === null) return null
          return await work(conflict, await lockRows(this.#replay, this.#tables, rowsOf(conflict)))
        })
        return { value }
      } catch (error) {
        if (error instanceof CountOff && tries >= triesMax) return { refusal: 'refused', code: 'WRITE_DISCARDED' }
        const { kind, code } = faultOf(this.#store.driver, error, 'statement')
        const refusal = this.#replay.refusalOf(error)
        if (refusal !== null) return { refusal, code }
        const isMet = error instanceof CountOff || kind === 'transient'
        if (!isMet || tries >= triesMax) throw new FaultError(faultOf(this.#store.driver, error, 'commit'))
      }
    }
  }

  /** As it was parked: the primary refuses to look for its rows. */
  async #unread(attempt: string): Promise<Conflict | null> {
    return await this.#guarded(() => this.#transaction(() => this.#rows.lock(attempt)))
  }

  async #transaction<R>(work: () => Promise<R>): Promise<R> {
    return await transactionOf(this.#store, this.#replay, work)
  }

  async #guarded<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work()
    } catch (error) {
      throw new FaultError(faultOf(this.#store.driver, error, 'statement'))
    }
  }

  /**
   * What turns the rows of the primary into those that the transaction left. Where a collection merges, into those with its
   * own changes: later ones may have been merged already.
   */
  #overwriting(conflict: Conflict, rows: PrimaryRows): readonly Write[] | Settling {
    const last = new Map(conflict.entries.map((entry) => [rowId(entry.collection, entry.row), entry] as const))
    const first = new Map(conflict.entries.toReversed().map((entry) => [rowId(entry.collection, entry.row), entry]))
    const writes: Write[] = []
    for (const entry of last.values()) {
      const known = this.#tables.get(entry.collection)
      if (known === undefined) return { is: 'refused', refusal: 'table-missing', code: 'TABLE_UNKNOWN' }
      const stray = Object.entries(entry.ours ?? {}).find(([name, value]) => value !== null && !known.columns.has(name))
      if (stray !== undefined) return { is: 'refused', refusal: 'column-missing', code: 'COLUMN_UNKNOWN' }
      const found = rows.get(entry.collection, entry.row)
      if (found === null && entry.ours === null) continue
      const operation = entry.ours === null ? 'delete' : found === null ? 'insert' : 'update'
      const old = first.get(rowId(entry.collection, entry.row))?.old ?? null
      const image = oursOver(conflict.attempt, old, entry.ours, found, known)
      const base = found?.[attemptColumn] ?? null
      writes.push({ entry: entryOf(conflict, entry), operation, base, image })
    }
    // Removals first: a unique key that is given up is free for another row.
    return writes.sort((one, other) => orderOf[one.operation] - orderOf[other.operation])
  }
}

/** Ours in the columns of the primary. */
function oursOver(
  attempt: string,
  old: Image | null,
  ours: Image | null,
  found: Image | null,
  { columns, rules }: TableColumns,
): Image | null {
  if (ours === null) return null
  if (rules.policy === 'merge' && old !== null && found !== null) {
    const merged = merge({ base: old, ours, theirs: found }, attempt, columns, rules, true)
    if (merged !== null) return { id: found.id ?? null, ...merged }
  }
  return Object.fromEntries(Object.entries(ours).filter(([name]) => columns.has(name)))
}

const orderOf: Readonly<Record<Entry['operation'], number>> = { delete: 0, update: 1, insert: 2 }

function entryOf({ attempt, transaction }: Conflict, entry: ConflictEntry): Entry {
  return {
    sequence: entry.position,
    transaction,
    attempt,
    table: entry.collection,
    key: entry.row,
    operation: entry.operation,
    // What the old row named, exactly: the column `base` holds nothing but ids.
    base: entry.old?.[attemptColumn] ?? null,
    old: entry.old,
    new: entry.ours,
  }
}

function withRows(conflict: Conflict, rows: PrimaryRows): Conflict {
  const entries = conflict.entries.map((entry) => ({ ...entry, theirs: rows.get(entry.collection, entry.row) }))
  return { ...conflict, entries }
}

/** The entries of `now` that are not as they were. */
function changed(before: Conflict, now: Conflict): readonly ConflictEntry[] {
  return now.entries.filter((entry, at) => JSON.stringify(entry) !== JSON.stringify(before.entries[at]))
}

function hasMoved({ entries }: Conflict, rows: PrimaryRows, tables: TablesByName): boolean {
  return entries.some(({ collection, row, theirs }) => {
    const columns = tables.get(collection)?.columns
    const found = rows.get(collection, row)
    if (columns === undefined) return false
    if (found === null || theirs === null) return found !== theirs
    const isSame = (one: Image, other: Image): boolean => matchesImage(columns, one, other)
    return !isSame(theirs, found) || !isSame(found, theirs)
  })
}

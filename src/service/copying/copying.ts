import type { TableReports } from '../../collection/table/tables.ts'
import type { Problem } from '../../config/problem.ts'
import type { Settings } from '../../config/settings.ts'
import { Copier, type CopySituation, type StorePair } from '../../copy/copier.ts'
import type { CopySink } from '../../copy/copy-sink.ts'
import type { WantedTable } from '../../copy/pair.ts'
import { roundBytes } from '../../copy/problems.ts'
import { copyTargetOf } from '../../copy/whole-copy.ts'
import { heldStores, type State } from '../../database/machine/state.ts'
import { systemClock } from '../../database/store/clock.ts'
import type { Store } from '../../database/store/store.ts'
import type { Supervisor } from '../../database/supervisor/supervisor.ts'
import type { CopiedTable } from '../../driver/facet/feed.ts'
import type { Observation } from '../../observe/observation.ts'
import type { ActiveConfig } from '../active-config.ts'
import { identityIn } from '../primary-identity.ts'
import { isReadable, wantedTables } from './copied-tables.ts'

/** What `Copying` works with. Functions where a reload replaces what is behind them. */
export interface CopyingParts {
  readonly active: () => ActiveConfig
  readonly supervisor: () => Supervisor
  readonly tables: TableReports
  /** The tables of the application's own entities that are copied, too. */
  readonly entityTables: (primary: Store) => readonly CopiedTable[]
  readonly observe: (seen: Observation) => void
}

/** The copy of the service: what is copied, from where to where, and when. */
export class Copying {
  readonly #parts: CopyingParts
  readonly #copier: Copier
  /** By fallback: the end of its last outage, in which its copy is told what has changed. */
  readonly #settled = new WeakMap<Store, Promise<void>>()
  /** Fallbacks whose copy is not wanted, and is being dropped. */
  readonly #dropped = new WeakSet<Store>()
  /** Counts what tells one outage from the next. */
  #outages = 0

  constructor(parts: CopyingParts) {
    this.#parts = parts
    this.#copier = new Copier({
      clock: systemClock,
      random: Math.random,
      settings: () => {
        const { maxBytes, rate, idleS } = this.#settings
        return { maxBytes, rate, idleMs: idleS * 1000 }
      },
      wanted: (pair) => this.#wanted(pair.primary, pair.fallback),
      isWanted: (primary, table) => this.#isWanted(primary, table),
      units: () => parts.supervisor().gate.entered,
      settled: (fallback) => this.#settled.get(fallback) ?? this.returned(fallback),
      observe: (seen) => parts.observe(seen),
    })
  }

  get sink(): CopySink {
    return this.#copier.sink
  }

  get problems(): readonly Problem[] {
    return this.#copier.problems
  }

  /** To be called with each change of the connection's state, before anything is read from the fallback. Never throws. */
  changed(state: State<Store>): void {
    try {
      if (state.name === 'FALLBACK_CONNECTED') {
        this.#settled.delete(state.store)
        this.#outages += 1
      }
      this.#copier.changed(this.#situation(state))
    } catch (error) {
      this.#defect(error)
    }
  }

  /** To be called when settings have changed. */
  reloaded(): void {
    this.changed(this.#parts.supervisor().state)
    this.#copier.wake()
  }

  /** To be called with each observation of the service: a primary that went back is copied again. */
  observe(seen: Observation): void {
    if (seen.type !== 'journal.went-back') return
    const { fallback } = this.#parts.supervisor()
    if (fallback === null || fallback.copy === null) return
    const names = this.#parts.active().collections.map(({ name }) => name)
    void this.#copier
      .reset(fallback.copy, names, seen.label)
      .then(() => this.changed(this.#parts.supervisor().state))
      .catch((error: unknown) => this.#defect(error))
  }

  /** To be called after the journal was drained: what was carried is marked in the copy, or leaves the fallback. */
  returned(fallback: Store): Promise<void> {
    const doing = this.#return(fallback)
    this.#settled.set(fallback, doing)
    // Tried again before anything is copied.
    doing.catch(() => this.#settled.delete(fallback))
    return doing
  }

  /** Why a table is not copied, as a clause; null where nothing keeps it from being. */
  whyNot(collection: string): string | null {
    const { active, supervisor, tables } = this.#parts
    const { config, state, fallback } = supervisor()
    if (!config.declared) return 'no primary is declared'
    if (this.#settings.mode === 'off') return 'COPY is off'
    const declared = active().collections.find(({ name }) => name === collection)
    if (declared?.copy === false) return 'its declaration says "copy": false'
    if (fallback === null) return 'no fallback is open'
    if (fallback.copy === null) return 'the driver of the fallback keeps no copies'
    const primary = state.name === 'PRIMARY_CONNECTED' ? state.store : null
    if (primary !== null && primary.feed === null) return 'the driver of the primary feeds no copies'
    if (primary !== null && identityIn(supervisor(), primary) === undefined)
      return "Holdfast's own tables in the primary are not usable"
    const stores = primary === null ? [fallback] : [primary, fallback]
    if (!isReadable(tables, stores, collection)) return 'its table is not usable'
    const left = this.#copier.leftOut(collection)
    if (left !== null)
      return `it takes ${roundBytes(left.bytes)}, and COPY_MAX_BYTES is ${roundBytes(this.#settings.maxBytes)}`
    return this.#copier.isStopped ? 'the disk is full' : null
  }

  /** Resolves when nothing is copied any more. Never rejects. */
  close(): Promise<void> {
    return this.#copier.close()
  }

  get #settings(): Settings['copies'] {
    return this.#parts.active().found.resolved.settings.copies
  }

  #situation(state: State<Store>): CopySituation {
    const supervisor = this.#parts.supervisor()
    const fallback = supervisor.config.declared ? heldStores(state).find(({ role }) => role === 'fallback') : undefined
    const copy = fallback?.copy ?? null
    if (fallback === undefined || copy === null) return { pair: null, mayRun: false, copy: null }
    if (this.#settings.mode === 'off') {
      this.#drop(fallback)
      return { pair: null, mayRun: false, copy }
    }
    const pair = this.#pairOf(state, fallback)
    const mayRun =
      pair !== null &&
      state.name === 'PRIMARY_CONNECTED' &&
      state.carrying.step === 'none' &&
      fallback.journal?.identity === pair.source.identity
    return { pair, mayRun, copy }
  }

  /** Null: the primary does not serve, or one of the two cannot copy. */
  #pairOf(state: State<Store>, fallback: Store): StorePair | null {
    if (state.name !== 'PRIMARY_CONNECTED') return null
    const supervisor = this.#parts.supervisor()
    const { store: primary } = state
    const [identity, target] = [identityIn(supervisor, primary), copyTargetOf(supervisor.config)]
    const [{ feed }, { copy }] = [primary, fallback]
    if (identity === undefined || target === null || feed === null || copy === null) return null
    return { primary, feed, fallback, copy, source: { identity, target } }
  }

  /** Rows that were copied under other settings are not shown, either. */
  #drop(fallback: Store): void {
    const { copy } = fallback
    if (copy === null || copy.source() === null || this.#dropped.has(fallback)) return
    this.#dropped.add(fallback)
    void copy
      .reset()
      .catch((error: unknown) => this.#defect(error))
      .finally(() => this.#dropped.delete(fallback))
  }

  async #return(fallback: Store): Promise<void> {
    const { collections } = this.#parts.active()
    const copied = this.#copiedIn(fallback)
    const outages = this.#outages
    if (copied.length > 0) await fallback.copy?.settle(copied)
    // The next outage may have been carried, too, and is not marked yet: what follows at its end is for both.
    if (outages !== this.#outages) return
    const names = new Set(copied.map(({ name }) => name))
    // Last: with it the outage has ended, and what it has changed is no longer told apart.
    await fallback.journal?.removeCarried(collections.map(({ name }) => name).filter((name) => !names.has(name)))
  }

  /** The tables that this fallback has a copy of, from the primary that serves. */
  #copiedIn(fallback: Store): readonly CopiedTable[] {
    const { state } = this.#parts.supervisor()
    const pair = this.#settings.mode === 'off' ? null : this.#pairOf(state, fallback)
    const source = pair?.copy.source() ?? null
    if (pair === null || source?.identity !== pair.source.identity || source.target !== pair.source.target) return []
    const wanted = this.#wanted(pair.primary, fallback).map(({ table }) => table)
    return wanted.filter(({ name }) => pair.copy.state(name) !== null)
  }

  #wanted(primary: Store, fallback: Store): readonly WantedTable[] {
    const { active, tables, entityTables } = this.#parts
    const isUsable = (name: string): boolean => isReadable(tables, [primary, fallback], name)
    return wantedTables(active().collections, entityTables(primary), isUsable)
  }

  /** Whether what is written into this table of the primary is missed by a fallback that is not open yet. */
  #isWanted({ feed }: Store, table: string): boolean {
    const { active, supervisor } = this.#parts
    const { config, settings } = supervisor()
    if (feed === null || config.fallback === null || !settings.fallbackEnabled || this.#settings.mode === 'off')
      return false
    return active().served.get(table)?.collection.copy !== false
  }

  #defect(error: unknown): void {
    this.#parts.observe({ type: 'service.defect', where: 'the copy', error })
  }
}

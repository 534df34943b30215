import type { Problem } from '../../config/problem.ts'
import type { State } from '../../database/machine/state.ts'
import type { Clock } from '../../database/store/clock.ts'
import type { Store } from '../../database/store/store.ts'
import type { Journal } from '../../driver/facet/journal.ts'
import type { Standing } from '../../driver/facet/standing.ts'
import type { JournalObservation } from '../observation.ts'
import { primaryBackProblem, shownRowsMax } from '../problems.ts'
import { type AcknowledgedWrite, AcknowledgedWrites } from './acknowledged-writes.ts'
import { type LastWrite, missingWrites, type SearchedSpan } from './missing-writes.ts'
import { type BackReason, backReason, hasGrown, isSame } from './standing-change.ts'

/** The most reports that are kept, and shown until the process ends: what was lost stays lost. */
const problemsMax = 5

/** How often what a primary says is kept in the fallback's file. */
const keepMs = 10_000

/** Replication is never further behind for long: only what was acknowledged in this time before the end is looked for. */
const lostMs = 60_000

/** A look may take so long: what was acknowledged meanwhile may lie behind the position that it found. */
const lookMs = 1_000

/** Where all members accept writes, one may still be busy with what another has acknowledged. */
const catchUpMs = 2_000

/** What `PrimaryPast` works with. */
export interface PastParts {
  readonly clock: Clock
  /** What rows of a primary show of their last writes, by id; null: the table cannot be read. Rejects with what the driver classifies. */
  find(primary: Store, table: string, ids: readonly string[]): Promise<ReadonlyMap<string, LastWrite> | null>
  /** The journal of the fallback that is open, and addressed to this primary; null: there is none. */
  journalFor(primary: Store): Journal | null
  /** What was carried to the primary that serves has to be carried again. */
  carryAgain(): void
  observe(seen: JournalObservation): void
}

/** What is known of one primary, by whatever host it was reached. */
interface KnownPrimary {
  readonly standing: Standing
  /** When it said so, in milliseconds since 1970. */
  readonly atMs: number
  /** When it served last, as far as is known. */
  servedAtMs: number
  /** The standing has changed, and what was acknowledged before was not looked for, because that failed. */
  isUnsearched: boolean
  /** It went back, and its journal was not carried again yet. */
  isBack: boolean
  /** What an earlier process has kept was compared. */
  isKeptCompared: boolean
  keptAtMs: number
}

/**
 * What a primary was seen to be and to have, so that an older state of it, or one that lacks what it has acknowledged, is
 * noticed whenever it is opened, and while it serves.
 */
export class PrimaryPast {
  readonly acknowledged: AcknowledgedWrites
  readonly #parts: PastParts
  readonly #known = new Map<string, KnownPrimary>()
  readonly #opened = new WeakSet<Store>()
  #problems: readonly Problem[] = []
  #serving: Store | null = null
  /** The search that counts; one of a store that was left since does not. */
  #search: { readonly primary: Store } | null = null

  constructor(parts: PastParts) {
    this.#parts = parts
    this.acknowledged = new AcknowledgedWrites(() => parts.clock.wallMs())
  }

  /** What primaries have lost while this process ran, newest first. */
  get problems(): readonly Problem[] {
    return this.#problems
  }

  /** To be called when a primary was opened, before it serves. Never rejects. */
  async opened(primary: Store): Promise<void> {
    const { standing } = primary.facts
    if (standing === undefined || this.#opened.has(primary)) return
    this.#opened.add(primary)
    const compared = this.#compare(primary, standing, true)
    if (standing.timeline !== null) await compared
  }

  /** To be called with what the primary that serves says of itself at a look. */
  stood(primary: Store, standing: Standing): void {
    // A host that has become a standby is no primary that could have gone back; it is about to be left.
    if (!standing.isWritable || this.#search?.primary === primary) return
    void this.#compare(primary, standing, false).then(() => this.#keep(primary, standing))
    this.#change(primary, { servedAtMs: this.#parts.clock.wallMs() })
  }

  /** To be called with each change of the connection's state. */
  changed(state: State<Store>): void {
    const before = this.#serving
    this.#serving = state.name === 'PRIMARY_CONNECTED' ? state.store : null
    if (before !== null && before !== this.#serving) this.#change(before, { servedAtMs: this.#parts.clock.wallMs() })
  }

  /**
   * To be called when a journal is addressed to the primary: compares what was kept in its file. Resolves with whether the
   * journal has to be carried again, until `carried`.
   */
  async met(journal: Journal, primary: Store): Promise<boolean> {
    const known = this.#known.get(primary.target.id)
    if (known === undefined) return false
    const { standing, isKeptCompared } = known
    const kept = isKeptCompared ? null : journal.standing()
    const reason = kept === null ? null : backReason(kept, standing, true)
    // Together with a report of this process it says nothing new.
    if (reason !== null && !known.isBack) this.#report(primary, reason, [])
    if (reason !== null) this.#change(primary, { isBack: true })
    // Not waited for: a transaction of an application may hold the writer for long, and a later look keeps it, too.
    journal.keepStanding(standing).catch(() => {})
    this.#change(primary, { isKeptCompared: true })
    return this.isBack(primary)
  }

  /** Whether `met` is to be called again for this primary. */
  isBack(primary: Store): boolean {
    return this.#known.get(primary.target.id)?.isBack ?? false
  }

  /** To be called when the journal waits again. */
  carried(primary: Store): void {
    this.#change(primary, { isBack: false })
  }

  /** Never rejects. `isOpening`: of the store, else a look at it. */
  async #compare(primary: Store, standing: Standing, isOpening: boolean): Promise<void> {
    const { id } = primary.target
    const atMs = this.#parts.clock.wallMs()
    const before = this.#known.get(id)
    const known: KnownPrimary = { ...(before ?? { ...unknownPast, servedAtMs: atMs }), standing, atMs }
    this.#known.set(id, known)
    if (before === undefined || (!before.isUnsearched && isSame(before.standing, standing, isOpening))) return
    known.isUnsearched = true
    const reason = backReason(before.standing, standing, false)
    const search = { primary }
    this.#search = search
    const isWhole = !before.isUnsearched && hasGrown(before.standing, standing)
    const span: SearchedSpan = {
      sinceMs: isWhole ? before.atMs - lookMs : before.servedAtMs - lostMs,
      // Between two looks another server may have answered behind the same address; a store that opens begins with one.
      servedUntilMs: isOpening ? Number.POSITIVE_INFINITY : before.atMs,
    }
    // A primary that fails is noticed elsewhere, and what it lacks is looked for at the next opening.
    const missing = await this.#missing(primary, standing, span).catch(() => null)
    const isLast = this.#search === search
    if (isLast) this.#search = null
    if (isLast && missing !== null) this.#change(primary, { isUnsearched: false })
    const lost = isLast ? (missing ?? []) : []
    if (reason === null && lost.length === 0) return
    this.acknowledged.forget(lost)
    this.#change(primary, { isBack: true })
    this.#report(primary, reason, lost)
    this.#parts.carryAgain()
  }

  #change(
    { target }: Store,
    change: Partial<Pick<KnownPrimary, 'servedAtMs' | 'isUnsearched' | 'isBack' | 'isKeptCompared' | 'keptAtMs'>>,
  ): void {
    const known = this.#known.get(target.id)
    if (known !== undefined) Object.assign(known, change)
  }

  async #missing(primary: Store, { timeline }: Standing, span: SearchedSpan): Promise<readonly AcknowledgedWrite[]> {
    const { clock, find } = this.#parts
    const look = async (writes: readonly AcknowledgedWrite[]): Promise<readonly AcknowledgedWrite[]> =>
      await missingWrites(writes, (table, ids) => find(primary, table, ids), span)
    const missing = await look(this.acknowledged.newestFirst(primary.target.id))
    if (missing.length === 0 || timeline !== null) return missing
    await new Promise<void>((resolve) => void clock.wait(catchUpMs, resolve))
    return await look(missing)
  }

  #report({ label }: Store, reason: BackReason | null, missing: readonly AcknowledgedWrite[]): void {
    const rows = missing.slice(0, shownRowsMax).map(({ table, id }) => `${table}/${id}`)
    const problem = primaryBackProblem(label, reason, missing.length, rows)
    this.#problems = [problem, ...this.#problems].slice(0, problemsMax)
    const counts = new Map<string, number>()
    for (const { table } of missing) counts.set(table, (counts.get(table) ?? 0) + 1)
    this.#parts.observe({ type: 'primary.went-back', label, reason, counts, rows, problem })
  }

  /** Now and then, so that the next process has it, too. */
  #keep(primary: Store, standing: Standing): void {
    const known = this.#known.get(primary.target.id)
    const journal = this.#parts.journalFor(primary)
    const now = this.#parts.clock.now()
    // What is not carried again yet would not be noticed after a crash.
    if (known === undefined || journal === null || known.isBack || !known.isKeptCompared) return
    if (now - known.keptAtMs < keepMs) return
    known.keptAtMs = now
    // It is tried again with a later look.
    journal.keepStanding(standing).catch(() => {})
  }
}

const unknownPast = {
  isUnsearched: false,
  isBack: false,
  isKeptCompared: false,
  keptAtMs: Number.NEGATIVE_INFINITY,
} as const

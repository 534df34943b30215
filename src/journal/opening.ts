import type { Problem } from '../config/problem.ts'
import type { Store } from '../database/store/store.ts'
import type { Journal } from '../driver/facet/journal.ts'
import type { FaultError } from '../driver/fault.ts'
import { faultError } from '../driver/kit/read-error.ts'
import { ConflictRows } from './conflict/conflict-rows.ts'
import type { JournalObservation } from './observation.ts'
import { OwnRows } from './own-rows.ts'
import type { PrimaryPast } from './past/primary-past.ts'
import { elsewhereProblems, wentBackProblem } from './problems.ts'
import { ofJournal } from './read-ahead.ts'

/** What is done once for a journaled store and a primary that meet, before anything is carried. */
export class Openings {
  readonly #observe: (seen: JournalObservation) => void
  readonly #identityOf: (primary: Store) => string | undefined
  readonly #past: PrimaryPast | null
  readonly #met = new WeakMap<Store, WeakMap<Store, readonly Problem[]>>()

  constructor(
    observe: (seen: JournalObservation) => void,
    identityOf: (primary: Store) => string | undefined = ({ facts }) => facts.identity,
    past: PrimaryPast | null = null,
  ) {
    this.#observe = observe
    this.#identityOf = identityOf
    this.#past = past
  }

  /**
   * Addresses the journal to the primary, and has it carried again when the primary went back: when it lacks what was carried
   * last, or its past says so. Rejects with a `FaultError`, or what the driver says; then it may be called again.
   */
  async meet(from: Store, journal: Journal, to: Store): Promise<void> {
    const identity = this.#identityOf(to)
    if (identity === undefined) throw noIdentity(to.label)
    // Another database may have taken the place of the one that met the journal.
    const isKnown = journal.identity === identity && this.#met.get(from)?.has(to) === true
    if (isKnown && this.#past?.isBack(to) !== true) return
    if (journal.identity !== identity) await ofJournal(from.driver, journal.address(identity, to.label))
    const own = new OwnRows(to)
    const problem = await this.#wentBack(from, journal, to, own)
    const known = this.#met.get(from) ?? new WeakMap<Store, readonly Problem[]>()
    known.set(to, problem === null ? [] : [problem])
    this.#met.set(from, known)
    for (const elsewhere of elsewhereProblems(journal, from.facts.path)) {
      this.#observe({ type: 'journal.elsewhere', label: from.label, problem: elsewhere })
    }
    this.#observe({ type: 'conflicts.counted', label: to.label, open: await new ConflictRows(to).countOpen() })
  }

  /** What is wrong with the journal, and with the primary as the journal knows it. From memory. */
  problems(from: Store, to: Store | null): readonly Problem[] {
    if (from.journal === null) return []
    const met = to === null ? [] : (this.#met.get(from)?.get(to) ?? [])
    return [...met, ...elsewhereProblems(from.journal, from.facts.path)]
  }

  async #wentBack({ driver }: Store, journal: Journal, to: Store, own: OwnRows): Promise<Problem | null> {
    const { label } = to
    const isBack = this.#past !== null && (await ofJournal(driver, this.#past.met(journal, to)))
    if (!isBack && !(await lacksLast(journal, own))) return null
    const entries = await ofJournal(driver, journal.carryAgain())
    const problem = wentBackProblem(label, entries)
    this.#observe({ type: 'journal.went-back', label, entries, problem })
    this.#past?.carried(to)
    // Without entries it says no more than the problem of what has shown that the primary went back.
    return isBack && entries === 0 ? null : problem
  }
}

/** Whether the primary lacks the last local transaction that was carried to it. */
async function lacksLast(journal: Journal, own: OwnRows): Promise<boolean> {
  const last = journal.lastCarried()
  if (last === null) return false
  const { watermark } = await own.identity()
  // Claims below the watermark are deleted: their absence says nothing.
  if (watermark !== null && last.transaction.toLowerCase() < watermark) return false
  return !(await own.isClaimed(last.attempt))
}

function noIdentity(label: string): FaultError {
  const summary = `Holdfast's own tables in ${label} are not usable, so that nothing can be carried to it.`
  const hint = 'GET /status, with the admin token, has the SQL that creates them.'
  return faultError('configuration', 'OWN_TABLES_MISSING', summary, hint)
}

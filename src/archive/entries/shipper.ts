import type { Problem } from '../../config/problem.ts'
import type { Clock } from '../../database/store/clock.ts'
import type { Journal } from '../../driver/facet/journal.ts'
import { HoldfastError } from '../../errors.ts'
import type { ArchiveState } from '../archive-state.ts'
import { keepsTooMuchProblem, lagProblem, notFencingProblem } from '../problems.ts'
import type { ArchiveTarget } from '../target/target.ts'
import { EntryConfirmations } from './entry-confirmations.ts'
import { type PackedEntries, packAddress } from './format.ts'
import { gatherEntries, objectBytes } from './gather.ts'
import { type HeldObject, HeldObjects } from './held.ts'
import type { EntriesObservation } from './observation.ts'
import { entriesFailure } from './problems.ts'

/** From this many seconds on a lag is a problem. */
const lagMaxS = 60

/** Pauses after failures. */
const firstPauseMs = 1_000
const longestPauseMs = 30_000

/** What ships the entries of a journal. */
export interface EntriesShipperParts {
  readonly target: ArchiveTarget
  readonly journal: Journal
  /** A UUIDv7 of this process. */
  readonly process: string
  settings(): { readonly intervalS: number }
  readonly clock: Clock
  observe(seen: EntriesObservation): void
}

/**
 * Keeps the entries of a journal that wait in the archive, in the folder of this process, until they are carried. One object is
 * on its way at a time; the next one serves all that committed meanwhile. Without new entries nothing is asked of the target.
 */
export class EntriesShipper {
  readonly #parts: EntriesShipperParts
  readonly #held = new HeldObjects()
  readonly #ending = new AbortController()
  readonly #confirmations = new EntryConfirmations()
  /** What waits up to here is in the archive. */
  #stored = 0
  #running: Promise<void> | null = null
  /** A pass is to follow the one at hand. */
  #isAsked = false
  #cancel: () => void = () => {}
  #failure: Problem | null = null
  #undeleted: Problem | null = null
  /** Where the address of early entries is. */
  #addressKey: string | null = null
  #pauseMs = 0
  /** When everything was last seen to be in the archive. */
  #cleanAtMs: number
  #last: ArchiveState['last'] = null
  #storedBytes = 0
  #storedObjects = 0
  #failures = 0

  constructor(parts: EntriesShipperParts) {
    this.#parts = parts
    this.#cleanAtMs = parts.clock.now()
  }

  start(): void {
    this.#wake()
  }

  /** From memory, and a read of the journal's last sequence. */
  get state(): ArchiveState {
    const { label } = this.#parts.target
    const { lagS } = this
    return {
      label,
      phase: this.#failure !== null ? 'waiting' : this.#storedObjects === 0 ? 'idle' : 'shipping',
      lagS,
      last: this.#last,
      storedBytes: this.#storedBytes,
      storedObjects: this.#storedObjects,
      failures: this.#failures,
      ...{ spoolBytes: 0, snapshotAtMs: null, drill: null, restore: null },
      problems: this.#problems(lagS),
    }
  }

  /** Whether `confirmed` may be expected to resolve soon. */
  get canConfirm(): boolean {
    return this.#failure === null && !this.#ending.signal.aborted && this.#isLasting
  }

  /** Entries need no copy to build on. */
  get isPreparing(): boolean {
    return false
  }

  /** Resolves when each entry that was committed before this call is in the archive, or was carried. Rejects with ARCHIVE_UNCONFIRMED. */
  async confirmed(signal?: AbortSignal): Promise<void> {
    const last = this.#parts.journal.lastSequence()
    if (last <= this.#stored) return
    const ends = AbortSignal.any([this.#ending.signal, ...(signal === undefined ? [] : [signal])])
    const confirmed = this.#confirmations.of(last, ends)
    this.#wake()
    await confirmed
    if (!this.#isLasting) throw new HoldfastError('ARCHIVE_UNCONFIRMED')
  }

  /** Ships what is left. Never rejects. */
  async close(withinMs: number): Promise<void> {
    const stop = this.#parts.clock.wait(withinMs, () => this.#ending.abort())
    while (!this.#ending.signal.aborted && this.#failure === null && this.#hasWork()) {
      this.#wake()
      await this.#running
    }
    stop()
    this.#ending.abort()
    this.#cancel()
    await this.#running
  }

  /** False: what it has stored may be in the cache of a network's file system alone. Known after the first object. */
  get #isLasting(): boolean {
    return this.#parts.target.isFencing !== false
  }

  #isBehind(): boolean {
    // Then the file may be closed.
    if (this.#ending.signal.aborted) return false
    return this.#parts.journal.lastSequence() > this.#stored
  }

  /** How old the oldest entry is that is not in the archive, in seconds. */
  get lagS(): number {
    if (!this.#isBehind()) return 0
    return (this.#parts.clock.now() - this.#cleanAtMs) / 1_000
  }

  #problems(lagS: number): readonly Problem[] {
    const late = lagS > lagMaxS ? lagProblem(lagS) : null
    const unsafe = this.#isLasting ? null : notFencingProblem(this.#parts.target.label)
    return [this.#failure, late, this.#undeleted, unsafe].filter((one) => one !== null)
  }

  /** Begins a pass, or has one follow the pass at hand. */
  #wake(): void {
    if (this.#ending.signal.aborted) return
    this.#isAsked = true
    this.#running ??= this.#passes().finally(() => {
      this.#running = null
      this.#schedule()
    })
  }

  async #passes(): Promise<void> {
    this.#cancel()
    // All that is asked for in this turn is served by one object.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#isAsked && !this.#ending.signal.aborted) {
      this.#isAsked = false
      try {
        await this.#pass()
        this.#passed()
      } catch (error) {
        this.#failed(error)
        return
      }
    }
  }

  #schedule(): void {
    if (this.#ending.signal.aborted) return
    const { clock, settings } = this.#parts
    const ms = this.#failure === null ? settings().intervalS * 1_000 : this.#pauseMs
    this.#cancel = clock.wait(ms, () => {
      if (this.#failure !== null || this.#hasWork()) this.#wake()
      else this.#schedule()
    })
  }

  /** Whether a pass would have anything to do. Never throws: where the file cannot be read, the pass says so. */
  #hasWork(): boolean {
    try {
      return this.#looks()
    } catch {
      return true
    }
  }

  #looks(): boolean {
    const { journal, clock } = this.#parts
    if (this.#isBehind() || this.#isUncovered()) return true
    this.#cleanAtMs = clock.now()
    if (this.#held.count === 0) return false
    if (this.#held.done(journal.identity, journal.firstWaiting()).length > 0 && this.#undeleted === null) return true
    return this.#held.unaddressed !== null && journal.identity !== null
  }

  /** An entry waits that was forgotten: the primary went back, and what it had is carried again. */
  #isUncovered(): boolean {
    const { journal } = this.#parts
    const waiting = journal.firstWaiting()
    return waiting !== null && waiting <= this.#stored && !this.#held.has(journal.identity, waiting)
  }

  async #pass(): Promise<void> {
    await this.#address()
    await this.#forget()
    if (this.#isUncovered()) this.#stored = (this.#parts.journal.firstWaiting() ?? 1) - 1
    for (;;) {
      const { clock, journal } = this.#parts
      const [atMs, last] = [clock.now(), journal.lastSequence()]
      const objects = await this.#next(this.#stored, Number.POSITIVE_INFINITY)
      if (objects.length === 0) {
        this.#cleanAtMs = atMs
        this.#reached(last)
        break
      }
      for (const object of objects) await this.#put(object)
      this.#reached(objects.at(-1)?.head.last ?? 0)
    }
    await this.#merge()
  }

  /** As `gatherEntries`. */
  async #next(after: number, last: number): Promise<readonly PackedEntries[]> {
    const { journal, process, clock } = this.#parts
    return await gatherEntries(journal, { process, at: new Date(clock.wallMs()) }, after, last)
  }

  async #put({ key, head, body }: PackedEntries): Promise<void> {
    const { target, clock } = this.#parts
    // Where it exists an earlier try has stored it: the name stands for its content.
    await target.putNew(key, body, this.#ending.signal)
    const { identity, first, last, whole } = head
    this.#held.add({ key, identity, first, last, whole, bytes: body.byteLength })
    this.#last = { key, atMs: clock.wallMs() }
    this.#storedBytes += body.byteLength
    this.#storedObjects += 1
  }

  #reached(sequence: number): void {
    this.#stored = Math.max(this.#stored, sequence)
    this.#confirmations.reached(this.#stored)
  }

  /** Says for which primary the first entries are, once that is known. */
  async #address(): Promise<void> {
    const { target, journal, process } = this.#parts
    const { unaddressed } = this.#held
    if (unaddressed === null || journal.identity === null) return
    // The journal's address may be another one by now.
    const portion = await journal.synced(unaddressed.first - 1, 1)
    const isThere = portion !== null && (portion.entries[0]?.sequence ?? 0) <= unaddressed.last
    if (!isThere) return this.#held.addressed(journal.identity)
    if (portion.identity === null) return
    const { key, body } = packAddress(process, portion.identity, portion.label)
    await target.put(key, body, this.#ending.signal)
    this.#addressKey = key
    this.#held.addressed(portion.identity)
  }

  /** Removes the objects of which everything was carried. */
  async #forget(): Promise<void> {
    const { journal, target } = this.#parts
    await this.#remove(this.#held.done(journal.identity, journal.firstWaiting()))
    if (this.#held.count > 0 || this.#addressKey === null) return
    await target.remove(this.#addressKey, this.#ending.signal)
    this.#addressKey = null
  }

  async #merge(): Promise<void> {
    if (this.#undeleted !== null) return
    const run = this.#held.toMerge(objectBytes)
    const [first, last] = [run?.[0], run?.at(-1)]
    if (run === null || first === undefined || last === undefined) return
    const objects = await this.#next(first.first - 1, last.last)
    for (const object of objects) await this.#put(object)
    const end = objects.at(-1)?.head.last ?? last.last
    const made = new Set(objects.map(({ key }) => key))
    await this.#remove(run.filter((one) => !made.has(one.key) && one.last <= end))
  }

  /** A right that is missing is said; it holds nothing up, since what stays is carried again without effect. */
  async #remove(objects: readonly HeldObject[]): Promise<void> {
    const { target } = this.#parts
    for (const object of objects) {
      try {
        await target.remove(object.key, this.#ending.signal)
      } catch (error) {
        this.#ending.signal.throwIfAborted()
        this.#undeleted = keepsTooMuchProblem(target.label, error)
        return
      }
      this.#undeleted = null
      this.#held.remove(object)
    }
  }

  #passed(): void {
    if (this.#failure !== null) this.#parts.observe({ type: 'entries.resumed', label: this.#parts.target.label })
    this.#failure = null
    this.#pauseMs = 0
  }

  #failed(error: unknown): void {
    if (this.#ending.signal.aborted) return
    this.#failures += 1
    const { target, observe } = this.#parts
    const isFirst = this.#failure === null
    const problem = entriesFailure(target.label, error)
    this.#failure = problem
    this.#pauseMs = Math.min(longestPauseMs, Math.max(firstPauseMs, this.#pauseMs * 2))
    if (isFirst) observe({ type: 'entries.failed', label: target.label, problem, error })
  }
}

import { faultOf } from '../database/machine/faults.ts'
import { backoffMs } from '../database/machine/policy.ts'
import type { Clock } from '../database/store/clock.ts'
import { statementTimeoutCode } from '../database/work/failure.ts'
import type { CopiedTable, FedRow, FeedConnection } from '../driver/facet/feed.ts'
import type { Fault } from '../driver/fault.ts'
import type { KnownProblems } from './known-problems.ts'
import { Looks } from './looks.ts'
import type { CopyObservation } from './observation.ts'
import { lookRowsMax, lookRowsOf } from './pace.ts'
import { CopyFault, type CopyPair, doneBy, type WantedTable } from './pair.ts'
import { CopyPlan } from './plan.ts'
import type { Positions } from './positions.ts'
import { type LeftOut, refusedProblem, stoppedProblem, unfitProblem } from './problems.ts'
import { CopyRounds, type Pass } from './rounds.ts'
import type { OpenLook } from './touched-rows.ts'

/** Between two tries of a copy that its disk or its file refuses. */
const stoppedMs = 30_000

/** The longest pause before the primary is asked again. */
const backoffCapMs = 30_000

/** While there is nothing to do, requests are looked for so often. */
const idleLookMs = 1_000

/** Answers of the primary that come too late, or are too large, are halved so often. */
const divisorMax = 64

/** How problems of rows begin that the file cannot hold; the name of the table follows. */
const refusedIn = 'refused '

const tooSlowCodes: ReadonlySet<string> = new Set([statementTimeoutCode, 'ANSWER_TOO_LARGE'])

const noRoom: Fault = {
  kind: 'disk-full',
  code: 'COPY_NO_ROOM',
  summary: 'Too little of the disk is free.',
  hint: 'Free space under DATA_DIR.',
  ambiguous: false,
  cause: null,
}

/** The settings of the copy. */
export interface CopySettings {
  readonly maxBytes: number
  readonly rate: number
  readonly idleMs: number
}

/** What a run works with. */
export interface RunParts {
  readonly clock: Clock
  /** In [0, 1), for jitter. */
  readonly random: () => number
  readonly problems: KnownProblems
  settings(): CopySettings
  wanted(): readonly WantedTable[]
  /** Units of work that have begun so far. */
  units(): number
  look(table: string): OpenLook
  /** These tables are copied from now on, and others left out for their size. */
  chose(tables: readonly CopiedTable[], left: readonly LeftOut[]): void
  /** Whether the copy is not to be written. */
  stop(isStopped: boolean): void
  /** Resolves when what the last outage changed is marked. Rejects with what the fallback's driver classifies. */
  settled(): Promise<void>
  /** Positions of the primary; kept beyond this run. */
  readonly positions: Positions
  observe(seen: CopyObservation): void
}

/** The copying from one primary into one fallback, until its signal aborts. */
export class CopyRun {
  readonly #pair: CopyPair
  readonly #parts: RunParts
  readonly #signal: AbortSignal
  readonly #plan: CopyPlan
  readonly #passes = new Map<string, Pass>()
  #wake: () => void = () => {}
  #isWoken = false
  #fault: Fault | null = null
  #failures = 0
  #divisor = 1
  #units = -1
  #usedAtMs = 0

  constructor(pair: CopyPair, parts: RunParts, signal: AbortSignal) {
    this.#pair = pair
    this.#parts = parts
    this.#signal = signal
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    const { clock, problems } = parts
    this.#plan = new CopyPlan({
      ...{ clock, pair, problems },
      wanted: () => parts.wanted(),
      maxBytes: () => parts.settings().maxBytes,
    })
  }

  /** Resolves soon after the signal aborts. Never rejects. */
  async run(): Promise<void> {
    this.#usedAtMs = this.#parts.clock.now()
    while (!this.#signal.aborted) {
      try {
        await this.#session()
        this.#failures = 0
        await this.#idle()
      } catch (error) {
        if (!this.#signal.aborted) await this.#failed(error)
      }
    }
    this.#parts.stop(false)
  }

  /** There may be something to verify, or to be decided. */
  wake(): void {
    this.#isWoken = true
    this.#wake()
  }

  /** The copy could not be written by what writes through. */
  refused(fault: Fault): void {
    if (fault.kind !== 'disk-full') return
    this.#fault = fault
    this.wake()
  }

  /** Ends when everything is copied and nobody asks for anything. */
  async #session(): Promise<void> {
    this.#check()
    this.#parts.stop(false)
    await doneBy(this.#pair, 'fallback', this.#parts.settled())
    const connection = await doneBy(this.#pair, 'primary', this.#pair.feed.connect(this.#signal))
    const evict = (): void => connection.evict()
    this.#signal.addEventListener('abort', evict, { once: true })
    try {
      await this.#rounds(connection)
      await connection.close()
    } finally {
      this.#signal.removeEventListener('abort', evict)
      evict()
    }
  }

  async #rounds(connection: FeedConnection): Promise<void> {
    const looks = this.#looks(connection)
    for (let rounds: CopyRounds | null = null; rounds === null || !this.#isIdle; ) {
      this.#check()
      try {
        if (rounds === null) await this.#comparePosition(looks)
        if (rounds === null || this.#plan.isDue) rounds = await this.#decided(connection, looks)
        this.#parts.problems.set('stopped', null)
        await rounds.round()
        this.#endRefusals()
        this.#failures = 0
      } catch (error) {
        if (!(error instanceof SetBack)) throw error
        rounds = null
      }
    }
  }

  async #decided(connection: FeedConnection, looks: Looks): Promise<CopyRounds> {
    const { clock, settings, observe, chose, problems } = this.#parts
    const isChanged = await this.#plan.decide(connection)
    const tables = this.#plan.chosen.map(({ table }) => table)
    const names = tables.map(({ name }) => name)
    problems.keep((name) => !name.startsWith('row ') || names.includes(name.slice('row '.length)))
    chose(tables, this.#plan.left)
    if (isChanged) observe({ type: 'copy.began', label: this.#pair.primary.label, tables: names })
    return new CopyRounds(looks, tables, {
      ...{ clock, observe, copy: this.#pair.copy, passes: this.#passes },
      rate: () => settings().rate,
      lookRows: () => Math.ceil(lookRowsOf(settings().rate) / this.#divisor),
      pageRows: () => Math.ceil(lookRowsMax / this.#divisor),
      check: () => this.#check(),
      wait: (ms) => this.#wait(ms),
      polling: () => this.#comparePosition(looks),
      refused: (fault, retryMs) => this.#report(fault, retryMs),
    })
  }

  #looks(connection: FeedConnection): Looks {
    const { clock, observe, look } = this.#parts
    return new Looks({
      ...{ clock, observe, look, connection, pair: this.#pair },
      check: () => this.#check(),
      fetched: (table, rows) => this.#compareRows(table, rows),
      refused: (table, [first]) => {
        if (first !== undefined) this.#nameRefused(table, first.key, first.why)
      },
    })
  }

  /** A primary that was set back has other rows: nothing of the copy is shown from then on. */
  async #comparePosition(looks: Looks): Promise<void> {
    const { positions, observe } = this.#parts
    const { copy } = this.#pair
    const before = positions.promised
    if (!positions.wentBack(await looks.position())) {
      const { promised } = positions
      if (promised !== null && promised !== before) await doneBy(this.#pair, 'fallback', copy.keepPosition(promised))
      return
    }
    observe({ type: 'copy.reset', label: this.#pair.primary.label })
    await doneBy(this.#pair, 'fallback', copy.reset())
    // Only now: a reset that failed, as on a full disk, is tried again.
    positions.forget()
    throw new SetBack()
  }

  /** Until one was found, each row is compared with its declaration: the first names the table. */
  #compareRows(table: CopiedTable, rows: readonly FedRow[]): void {
    const wanted = this.#plan.chosen.find((one) => one.table.name === table.name)
    if (wanted === undefined || this.#parts.problems.has(`row ${table.name}`)) return
    for (const { key, image } of rows) {
      const why = wanted.misfit(image)
      if (why === null) continue
      this.#nameRow(table, key, why)
      return
    }
  }

  #nameRow({ name }: CopiedTable, key: string, why: string): void {
    const wanted = this.#plan.chosen.find(({ table }) => table.name === name)
    if (wanted !== undefined && !this.#parts.problems.has(`row ${name}`))
      this.#parts.problems.set(`row ${name}`, unfitProblem(wanted.setting, name, key, why))
  }

  /** It hides its whole table, so it is named whatever else is known of the table. */
  #nameRefused({ name }: CopiedTable, key: string, why: string): void {
    const wanted = this.#plan.chosen.find(({ table }) => table.name === name)
    if (wanted !== undefined)
      this.#parts.problems.set(`${refusedIn}${name}`, refusedProblem(wanted.setting, name, key, why))
  }

  #endRefusals(): void {
    const { copy } = this.#pair
    this.#parts.problems.keep(
      (name) => !name.startsWith(refusedIn) || copy.state(name.slice(refusedIn.length))?.isVerified === false,
    )
  }

  /** Waits until the next try. */
  async #failed(error: unknown): Promise<void> {
    const { driver } = this.#pair.fallback
    const known = error instanceof CopyFault ? error : new CopyFault('fallback', faultOf(driver, error, 'statement'))
    const { at, fault } = known
    if (tooSlowCodes.has(fault.code)) this.#divisor = Math.min(divisorMax, 2 * this.#divisor)
    const isStopped = at === 'fallback' && fault.kind === 'disk-full'
    if (isStopped) {
      this.#parts.stop(true)
      this.#parts.problems.set('stopped', stoppedProblem(fault))
    }
    const pauseMs = isStopped ? stoppedMs : backoffMs(this.#failures, this.#parts.random(), backoffCapMs)
    this.#failures += 1
    if (!isStopped) this.#report(known, pauseMs)
    const endMs = this.#parts.clock.now() + pauseMs
    while (!this.#signal.aborted && this.#parts.clock.now() < endMs) await this.#sleep(endMs - this.#parts.clock.now())
  }

  #report({ at, fault }: CopyFault, retryMs: number): void {
    this.#parts.observe({ type: 'copy.failed', at, label: this.#pair[at].label, fault, retryMs })
  }

  /** Between two rounds each table has been copied, but for those that cannot be read. */
  get #isIdle(): boolean {
    return this.#plan.chosen.length === 0 || !this.#isUsed()
  }

  /** Whether anybody has asked for anything within COPY_IDLE. */
  #isUsed(): boolean {
    const { clock, units, settings } = this.#parts
    const now = units()
    if (now !== this.#units) this.#usedAtMs = clock.now()
    this.#units = now
    return clock.now() - this.#usedAtMs < settings().idleMs
  }

  /** Until there is something to do, and somebody to do it for: a primary that sleeps when idle is left asleep. */
  async #idle(): Promise<void> {
    while (!this.#signal.aborted) {
      await this.#sleep(idleLookMs)
      if (this.#isUsed() && (this.#plan.chosen.length > 0 || this.#plan.isDue)) return
    }
  }

  #check(): void {
    this.#signal.throwIfAborted()
    const fault = this.#fault ?? (this.#pair.copy.hasRoom() ? null : noRoom)
    this.#fault = null
    if (fault !== null) throw new CopyFault('fallback', fault)
  }

  async #wait(ms: number): Promise<boolean> {
    if (!this.#isWoken) await this.#sleep(ms)
    this.#check()
    const isWoken = this.#isWoken
    this.#isWoken = false
    return isWoken
  }

  /** Also ends when the run is woken, or is to end. */
  #sleep(ms: number): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.wait(ms, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }
}

/** The primary was set back, and the copy was dropped: it begins again. */
class SetBack extends Error {}

import type { Clock } from '../database/store/clock.ts'
import type { CopiedTable, FeedConnection, TableSize } from '../driver/facet/feed.ts'
import { chooseTables } from './choice.ts'
import type { KnownProblems } from './known-problems.ts'
import { type CopyPair, doneBy, type WantedTable } from './pair.ts'
import { type LeftOut, leftOutProblem, tooLargeProblem } from './problems.ts'

/** Sizes change, so that the choice is made again. */
const againMs = 3_600_000

/** What a plan works with. */
export interface PlanParts {
  readonly clock: Clock
  readonly pair: CopyPair
  readonly problems: KnownProblems
  wanted(): readonly WantedTable[]
  maxBytes(): number
}

/** Which tables are copied, by their sizes in the primary. */
export class CopyPlan {
  readonly #parts: PlanParts
  /** What tables took when they were found to be too large: what a server knows of sizes may be old. */
  readonly #learnt = new Map<string, number>()
  #chosen: readonly WantedTable[] = []
  #left: readonly LeftOut[] = []
  #decidedAt = Number.NEGATIVE_INFINITY
  #wanted: readonly WantedTable[] = []
  #maxBytes = -1

  constructor(parts: PlanParts) {
    this.#parts = parts
  }

  get chosen(): readonly WantedTable[] {
    return this.#chosen
  }

  /** What is left out for its size. */
  get left(): readonly LeftOut[] {
    return this.#left
  }

  /** Whether the choice is to be made again: other tables, another limit, a copy that outgrew it, or an hour has passed. */
  get isDue(): boolean {
    const { clock, maxBytes } = this.#parts
    return clock.now() - this.#decidedAt >= againMs || this.#isChanged() || this.#copiedBytes() > maxBytes()
  }

  /** Makes the choice and has the copy begin with it. True: other tables than before are copied. Rejects with a `CopyFault`. */
  async decide(connection: FeedConnection): Promise<boolean> {
    const { clock, pair, maxBytes, problems } = this.#parts
    const [wantedNow, most] = [this.#parts.wanted(), maxBytes()]
    const sized: { readonly wanted: WantedTable; readonly bytes: number }[] = []
    for (const wanted of wantedNow) {
      const size = await doneBy(pair, 'primary', connection.size(wanted.table))
      if (size === null) continue
      this.#compareColumns(wanted, size)
      sized.push({ wanted, bytes: this.#bytesOf(wanted.table, size) })
    }
    const { chosen, left, sum } = chooseTables(
      sized.map(({ wanted: { table, isAlways }, bytes }) => {
        return { name: table.name, isAlways, bytes, isCopied: pair.copy.state(table.name) !== null }
      }),
      most,
    )
    for (const { name, bytes } of left) this.#learnt.set(name, bytes)
    this.#left = left
    problems.set('size', left.length === 0 ? null : tooLargeProblem(left, sum, most))
    const before = namesOf(this.#chosen)
    this.#chosen = sized.map(({ wanted }) => wanted).filter(({ table }) => chosen.has(table.name))
    const tables = this.#chosen.map(({ table }) => table)
    await doneBy(pair, 'fallback', pair.copy.begin(pair.source, tables))
    this.#decidedAt = clock.now()
    this.#wanted = wantedNow
    this.#maxBytes = most
    return before !== namesOf(this.#chosen)
  }

  #bytesOf({ name }: CopiedTable, size: TableSize): number {
    return Math.max(size.bytes, this.#parts.pair.copy.state(name)?.bytes ?? 0, this.#learnt.get(name) ?? 0)
  }

  /** Of the tables that the limit counts. */
  #copiedBytes(): number {
    const { copy } = this.#parts.pair
    let bytes = 0
    for (const { table, isAlways } of this.#chosen) if (!isAlways) bytes += copy.state(table.name)?.bytes ?? 0
    return bytes
  }

  #compareColumns({ table, setting }: WantedTable, { columns }: TableSize): void {
    const known = new Set(table.columns.map(({ name }) => name))
    const others = columns.filter((name) => !known.has(name))
    const problem = others.length === 0 ? null : leftOutProblem(setting, table.name, others)
    this.#parts.problems.set(`columns ${table.name}`, problem)
  }

  /** Other tables are wanted than at the last choice, or another limit holds. Each declaration has a table of its own. */
  #isChanged(): boolean {
    const now = this.#parts.wanted()
    const isSame = (one: WantedTable, at: number): boolean =>
      one.table === this.#wanted[at]?.table && one.isAlways === this.#wanted[at]?.isAlways
    return now.length !== this.#wanted.length || !now.every(isSame) || this.#parts.maxBytes() !== this.#maxBytes
  }
}

function namesOf(tables: readonly WantedTable[]): string {
  return tables.map(({ table }) => table.name).join(' ')
}

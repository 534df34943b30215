import type {
  CopiedTable,
  Copy,
  CopyChange,
  CopyOutcome,
  CopySource,
  CopyState,
  Image,
  RowDigest,
} from '../../../src/driver/kit/driver-kit.ts'
import { isBusy } from '../faults.ts'
import type { Handle } from '../handle.ts'
import type { JournalRoom } from '../journal/room.ts'
import { unsyncedOn } from '../journal/unsynced.ts'
import { nextTurn, type OwnChanges, type RunAlone } from '../own-changes.ts'
import { removeCopied } from './leaving.ts'
import { CopyPass } from './pass.ts'
import { CopyReader, type CopyRecord, ownRowsOf } from './reader.ts'
import { settleTables } from './settling.ts'
import { StepSize } from './step-size.ts'
import { assertCopyable, declare, enter, hide, register, TableWriters, tableIn } from './tables-of-copy.ts'

const label = 'rows of the copy'

/** What a copy needs of the file that it is in. */
export interface CopyGround {
  readonly hot: Handle
  readonly changes: OwnChanges
  readonly room: JournalRoom
  /** To be called after commits, which nothing syncs. `isMuch`: carrying them into the file is worth a thread. */
  committed(isMuch: boolean): void
}

/** A change of so many rows is a part of a first copy, or of much that has changed. */
const muchRows = 1_000

/** What is known of a file, from its last commit. */
interface Known {
  readonly source: CopySource | null
  readonly records: ReadonlyMap<string, CopyRecord>
}

const nothing: CopyOutcome = { written: 0, removed: 0, waiting: 0, refused: [] }
const noChange: CopyChange = { rows: [], removed: [] }
const noRows: RowDigest = { count: 0, high: 0, low: 0 }

/**
 * The copy in a file: rows in the tables of collections, and next to them their marks. It writes without waiting for the disk.
 * That loses nothing: a power cut takes back the newest commits of a WAL only, in their order, so what is left is the copy of a
 * moment earlier, whose digests say what is missing.
 */
export class FileCopy implements Copy {
  readonly #ground: CopyGround
  readonly #reader: CopyReader
  readonly #writers: TableWriters
  readonly #steps: StepSize = new StepSize()
  readonly #unsynced: RunAlone
  /** Null: something was committed since it was read. */
  #known: Known | null = null
  #lastKnown: Known = { source: null, records: new Map() }

  constructor(ground: CopyGround) {
    this.#ground = ground
    this.#reader = new CopyReader(ground.hot.native)
    this.#writers = new TableWriters(ground.hot.native)
    this.#unsynced = unsyncedOn(ground.hot)
  }

  source(): CopySource | null {
    return this.#read().source
  }

  state(table: string): CopyState | null {
    const record = this.#copied(table)
    return record === null ? null : this.#reader.stateOf(record)
  }

  async begin(source: CopySource, tables: readonly CopiedTable[]): Promise<void> {
    for (const table of tables) assertCopyable(table)
    const { hot, changes } = this.#ground
    await this.#changed(changes.change(label, () => declare(hot.native, source, tables)))
    // On the disk before anything is copied from it: nothing of another source may ever be taken for its rows.
    await changes.durable()
    await this.#leave()
    await this.#changed(changes.change(label, () => enter(hot.native, tables)))
  }

  async reset(): Promise<void> {
    const { hot, changes } = this.#ground
    await this.#changed(changes.change(label, () => hide(hot.native)))
    await changes.durable()
    await this.#leave()
  }

  position(): bigint | null {
    const kept = this.#reader.position()
    return kept === null ? null : BigInt(kept)
  }

  async keepPosition(position: bigint): Promise<void> {
    const { hot, changes } = this.#ground
    const keep = hot.native.prepare('update holdfast_copy_source set position = ?')
    await changes.change(label, () => keep.run(String(position)), this.#unsynced)
  }

  async settle(tables: readonly CopiedTable[]): Promise<void> {
    const { hot, changes } = this.#ground
    const { native } = hot
    await this.#changed(changes.change(label, () => register(native, tables)))
    const marksOf = (table: CopiedTable) => this.#writers.of(this.#recordOf(table), table).marks
    const ground = { native, changes, unsynced: this.#unsynced, steps: this.#steps, marksOf }
    await this.#changed(settleTables(ground, tables))
  }

  digest(table: string, after: string | null, last: string | null): RowDigest {
    const record = this.#copied(table)
    return record === null ? noRows : this.#reader.digest(record, after, last)
  }

  versions(table: string, after: string | null, last: string | null): ReadonlyMap<string, string> {
    const record = this.#copied(table)
    return record === null ? new Map() : this.#reader.versions(record, after, last)
  }

  unverified(table: string, limit: number): readonly string[] {
    const record = this.#copied(table)
    return record === null ? [] : this.#reader.unverified(record, limit)
  }

  async apply(table: CopiedTable, change: CopyChange): Promise<CopyOutcome> {
    const pass = this.#passOf(table, change)
    if (pass === null) return nothing
    let beganMs = 0
    const step = () => {
      beganMs = performance.now()
      return pass.portion(this.#steps.size, this.#steps.until())
    }
    for (;;) {
      const portion = await this.#changed(this.#ground.changes.change(label, step, this.#unsynced))
      if (change.rows.length >= muchRows) this.#ground.committed(true)
      this.#steps.note(portion.removals + portion.rows, beganMs)
      pass.moveOn(portion)
      if (pass.isDone) return pass.outcome
      await nextTurn()
    }
  }

  applyNow(table: CopiedTable, change: CopyChange): CopyOutcome {
    const pass = this.#passOf(table, change)
    if (pass === null) return nothing
    const all = () => pass.portion(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
    try {
      pass.moveOn(this.#ground.changes.changeNow(label, all, this.#unsynced))
    } finally {
      this.forget()
      this.#ground.committed(false)
    }
    return pass.outcome
  }

  async giveWay(table: string, image: Image): Promise<boolean> {
    // Rows that are out of sight and not removed yet are in the way, too.
    const record = this.#read().records.get(table)
    if (record === undefined) return false
    const pass = new CopyPass(this.#ground.hot.native, record, this.#writers.of(record, tableIn(record)), noChange)
    return await this.#changed(this.#ground.changes.change(label, () => pass.giveWay(image), this.#unsynced))
  }

  ownRows(table: string): string {
    return ownRowsOf(table, this.#read().records.get(table)?.keyName ?? 'id')
  }

  hasRoom(): boolean {
    return this.#ground.room.hasMore()
  }

  /** What is known is to be read again: something was committed. */
  forget(): void {
    this.#known = null
  }

  /** Removes what is out of sight. */
  async #leave(): Promise<void> {
    const { hot, changes } = this.#ground
    for (const record of this.#read().records.values()) {
      if (!record.isLeaving) continue
      await this.#changed(changes.inSteps(label, () => removeCopied(hot.native, record, this.#steps), this.#unsynced))
    }
  }

  async #changed<R>(change: Promise<R>): Promise<R> {
    try {
      return await change
    } finally {
      this.forget()
      this.#ground.committed(false)
    }
  }

  /** Null: the table is not copied. */
  #passOf(table: CopiedTable, change: CopyChange): CopyPass | null {
    const record = this.#copied(table.name)
    if (record === null) return null
    return new CopyPass(this.#ground.hot.native, record, this.#writers.of(record, table), change)
  }

  #copied(table: string): CopyRecord | null {
    const record = this.#read().records.get(table)
    return record === undefined || record.isLeaving ? null : record
  }

  #recordOf({ name }: CopiedTable): CopyRecord {
    const record = this.#read().records.get(name)
    if (record === undefined) throw new Error(`unreachable: "${name}" was registered`)
    return record
  }

  #read(): Known {
    if (this.#known !== null) return this.#known
    try {
      const records = new Map(this.#reader.records().map((record) => [record.name, record]))
      this.#known = { source: this.#reader.source(), records }
      this.#lastKnown = this.#known
    } catch (error) {
      // Without a WAL a commit locks readers out for a moment.
      if (!isBusy(error)) throw error
    }
    return this.#lastKnown
  }
}

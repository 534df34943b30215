import type {
  Entry,
  ImageTable,
  Journal,
  JournalCounts,
  JournalPortion,
  KeptStanding,
  RowHistory,
  RunStatement,
} from '../../../src/driver/kit/driver-kit.ts'
import { whileBusy } from '../busy.ts'
import type { FileCopy } from '../copy/copy.ts'
import { removeMarks } from '../copy/marks.ts'
import { hasTable } from '../copy/reader.ts'
import { isBusy } from '../faults.ts'
import type { Handle } from '../handle.ts'
import type { OwnChanges, RunAlone } from '../own-changes.ts'
import type { Writer } from '../writer.ts'
import type { Author, JournalGate } from './author.ts'
import { quote, quoteText } from './quote.ts'
import { elsewhereIn, JournalReader } from './reader.ts'
import { readLife } from './tables.ts'
import { triggerChanges } from './triggers.ts'
import { unsyncedOn } from './unsynced.ts'

/** Entries or rows that one transaction of ours changes: the event loop stands still for as long as it takes. */
const stepMax = 500

/** Address by address, as the index has them. */
const settleCarried = `update holdfast_life set settled = coalesce((select max((
  select max(sequence) from holdfast_journal where address = number and carried_at is not null)) from holdfast_address), 0)`

const notWhole = `update holdfast_copy set is_swept = 0, after = null, polled = null
  where name in (select value from json_each(?))`

/** What a journal needs of the file that it is in. */
export interface JournalGround {
  readonly hot: Handle
  readonly writer: Writer
  readonly changes: OwnChanges
  readonly copy: Pick<FileCopy, 'forget'>
  readonly limitMs: number
  readonly gate: JournalGate
  /** Of the handle of EntityManager transactions. */
  readonly ownAuthor: Author
}

/**
 * The journal of a file, in the file. Its bookkeeping runs on the hot handle, in transactions of its own, which a read-only
 * store carries out, too.
 */
export class FileJournal implements Journal {
  readonly fileId: string
  readonly #ground: JournalGround
  readonly #reader: JournalReader
  readonly #unsynced: RunAlone
  #counts: JournalCounts

  /** @throws what the client throws. */
  constructor(ground: JournalGround) {
    this.#ground = ground
    const life = readLife(ground.hot.native)
    if (life === null) throw new Error('unreachable: the file got its life when it was checked')
    this.fileId = life.id
    this.#reader = new JournalReader(ground.hot)
    this.#unsynced = unsyncedOn(ground.hot)
    this.#counts = this.#reader.counts()
  }

  get identity(): string | null {
    return this.#reader.address.identity
  }

  async address(identity: string, label: string): Promise<void> {
    const { address } = this.#reader
    if (address.identity === identity && address.label === label) return
    await this.#ground.changes.change('the address of the journal', () => this.#address(identity, label))
    await this.#ground.changes.durable()
  }

  async triggerChanges(table: ImageTable, run: RunStatement): Promise<readonly string[]> {
    return await triggerChanges(table, run)
  }

  serve(isServing: boolean): void {
    this.#ground.gate.isServing = isServing
  }

  async rest(signal: AbortSignal): Promise<void> {
    const permit = await this.#ground.writer.take('the switch to the primary', null, signal)
    this.serve(false)
    permit.release()
  }

  begun(attempt: string): void {
    this.#ground.ownAuthor.begin(attempt)
  }

  setLimit(bytes: number): void {
    this.#ground.gate.limitBytes = bytes
  }

  counts(): JournalCounts {
    try {
      this.#counts = this.#reader.counts()
    } catch (error) {
      // Without a WAL a commit locks readers out for a moment.
      if (!isBusy(error)) throw error
    }
    return this.#counts
  }

  history(table: string, key: string): RowHistory {
    return this.#reader.history(table, key)
  }

  mayWait(table: string): boolean {
    return this.#reader.mayWait(table)
  }

  async waiting(after: number, limit: number): Promise<readonly Entry[]> {
    return await whileBusy(() => this.#reader.waiting(after, limit), this.#ground.limitMs)
  }

  lastSequence(): number {
    return this.#reader.lastSequence()
  }

  firstWaiting(): number | null {
    return this.#reader.firstWaiting()
  }

  async synced(after: number, maxBytes: number): Promise<JournalPortion | null> {
    const { limitMs, changes } = this.#ground
    const last = await whileBusy(() => this.#reader.lastSequence(), limitMs)
    // What is read below was committed before this sync began.
    await changes.durable()
    return await whileBusy(() => this.#reader.portion(after, last, maxBytes), limitMs)
  }

  async carried(sequences: readonly number[]): Promise<void> {
    const mark = 'update holdfast_journal set carried_at = ? where carried_at is null and sequence in '
    for (let at = 0; at < sequences.length; at += stepMax) {
      const step = JSON.stringify(sequences.slice(at, at + stepMax))
      // Claims decide what is carried; a mark that a power cut takes back costs a second look at its entry.
      await this.#ground.changes.change(
        'carried entries',
        () => this.#run(`${mark} (select value from json_each(?))`, [Date.now(), step]),
        this.#unsynced,
      )
    }
  }

  lastCarried(): { readonly attempt: string; readonly transaction: string } | null {
    return this.#reader.lastCarried()
  }

  async carryAgain(): Promise<number> {
    const again = `update holdfast_journal set carried_at = null where sequence in (select sequence from holdfast_journal
      where address = (select address from holdfast_life) and carried_at is not null order by sequence limit ${stepMax})`
    return await this.#ground.changes.inSteps('entries to carry again', () => this.#run(again, []))
  }

  standing(): KeptStanding | null {
    return this.#reader.standing()
  }

  async keepStanding({ cluster, timeline, position }: KeptStanding): Promise<void> {
    const keep = `insert or replace into holdfast_standing (address, cluster, timeline, position)
      select address, ?, ?, ? from holdfast_life`
    await this.#ground.changes.change(
      'what the primary is',
      () => this.#run(keep, [cluster, timeline, position === null ? null : String(position)]),
      this.#unsynced,
    )
  }

  async removeCarried(tables: readonly string[]): Promise<void> {
    // What was deleted and carried is the primary's business from now on: somebody may have made it again. What waits is of
    // the next outage, which may have begun meanwhile.
    await this.#ground.changes.change('the end of an outage', () => {
      this.#run(settleCarried, [])
      // Whatever copy of them there is, rows of it go now.
      this.#run(notWhole, [JSON.stringify(tables)])
    })
    this.#ground.copy.forget()
    for (const table of tables)
      await this.#ground.changes.walk<string>('carried rows', (last) => this.#remove(table, last ?? ''))
    this.#ground.copy.forget()
  }

  async prune(beforeMs: number): Promise<void> {
    for (const { number } of this.#reader.addresses()) {
      await this.#ground.changes.inSteps('old entries', () => {
        const old = this.#reader.oldest(number, stepMax)
        const first = old.findIndex(({ carriedAt }) => carriedAt >= beforeMs)
        const gone = first < 0 ? old : old.slice(0, first)
        const sequences = JSON.stringify(gone.map(({ sequence }) => sequence))
        if (gone.length > 0)
          this.#run('delete from holdfast_journal where sequence in (select value from json_each(?))', [sequences])
        return gone.length
      })
    }
  }

  elsewhere(): ReturnType<Journal['elsewhere']> {
    return elsewhereIn(this.#reader)
  }

  /** A step of `removeCarried`; gives the last id that it looked at. */
  #remove(table: string, after: string): string | null {
    const { native } = this.#ground.hot
    if (this.#ground.gate.isServing || !hasTable(native, table)) return null
    const ids = this.#reader.ids(table, after, stepMax)
    const step = JSON.stringify(ids)
    const gone = `select value from json_each(?) as one where not exists (select 1 from holdfast_journal
      indexed by holdfast_journal_row where row_id = one.value and table_name = ${quoteText(table)} and carried_at is null)`
    this.#run(`delete from ${quote(table)} where id in (${gone})`, [step])
    removeMarks(native, table, gone, step)
    return ids.at(-1) ?? null
  }

  #address(identity: string, label: string): void {
    const { number, identity: before } = this.#reader.address
    const known = this.#reader.addresses().find((one) => one.identity === identity)
    // What was written before any primary was reached is for the first one.
    if (known === undefined && before === null)
      this.#run('update holdfast_address set identity = ? where number = ?', [identity, number])
    else if (known === undefined) this.#run('insert into holdfast_address (identity) values (?)', [identity])
    this.#run('update holdfast_life set address = (select number from holdfast_address where identity = ?)', [identity])
    this.#run('update holdfast_address set label = ? where identity = ?', [label, identity])
  }

  #run(sql: string, values: readonly unknown[]): number {
    return this.#ground.hot.native.prepare(sql).run(...values).changes
  }
}

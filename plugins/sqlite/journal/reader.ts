import type Database from 'better-sqlite3'
import type {
  Entry,
  Image,
  Journal,
  JournalCounts,
  JournalPortion,
  KeptStanding,
  RowHistory,
} from '../../../src/driver/kit/driver-kit.ts'
import type { Handle } from '../handle.ts'
import { quote } from './quote.ts'

/** As many waiting entries are looked through for one of a table: about a millisecond. */
const lookedThrough = 10_000

/** About the bytes of images that one answer holds in memory. */
const answerBytes = 16 * 1024 * 1024

/** A primary that entries are addressed to; without an identity, the first one that is reached. */
export interface JournalAddress {
  readonly number: number
  readonly identity: string | null
  readonly label: string | null
  /** What waits for it. */
  readonly transactions: number
  readonly entries: number
  readonly bytes: number
}

interface StandingRow {
  readonly cluster: string | null
  readonly timeline: number | null
  readonly position: string | null
}

interface EntryRow {
  readonly sequence: number
  readonly transaction_id: string
  readonly attempt: string
  readonly table_name: string
  readonly row_id: string
  readonly operation: Entry['operation']
  readonly base: string | null
  readonly old_image: string | null
  readonly new_image: string | null
  readonly bytes: number
}

const entryColumns =
  'sequence, transaction_id, attempt, table_name, row_id, operation, base, old_image, new_image, bytes'
const current = '(select address from holdfast_life)'
const isWaiting = `carried_at is null and address = ${current}`
const firstWaiting = `(select min(sequence) from holdfast_journal where ${isWaiting})`
/** Of this outage: what was carried before the service returned to the primary says nothing of the rows there now. */
const isOfNow = '(carried_at is null or sequence > (select settled from holdfast_life))'
/** SQLite would rather read all that waits. */
const ofRow = 'holdfast_journal indexed by holdfast_journal_row where row_id = ? and table_name = ?'

/** Reads a journal on the hot handle: what is committed. Each method is a few indexed reads, but for the entries themselves. */
export class JournalReader {
  readonly #native: Database.Database
  readonly #address: Database.Statement<unknown[], JournalAddress>
  readonly #sums: Database.Statement<unknown[], { bytes: number; entries: number }>
  readonly #oldest: Database.Statement<unknown[], { id: string }>
  readonly #last: Database.Statement<unknown[], { sequence: number | null }>
  readonly #firstWaiting: Database.Statement<unknown[], { sequence: number | null }>
  readonly #isWaiting: Database.Statement<unknown[], unknown>
  readonly #someWaiting: Database.Statement<unknown[], unknown>
  readonly #lastChange: Database.Statement<unknown[], { operation: string }>
  readonly #hasReplaced: Database.Statement<unknown[], unknown>

  constructor({ native }: Handle) {
    this.#native = native
    this.#address = native.prepare(`select * from holdfast_address where number = ${current}`)
    this.#sums = native.prepare('select total(bytes) as bytes, total(entries) as entries from holdfast_address')
    this.#oldest = native.prepare(
      `select transaction_id as id from holdfast_journal where ${isWaiting} order by sequence limit 1`,
    )
    this.#last = native.prepare('select max(sequence) as sequence from holdfast_journal')
    this.#firstWaiting = native.prepare(`select ${firstWaiting} as sequence`)
    this.#isWaiting = native.prepare(`select 1 from ${ofRow} and ${isWaiting} and sequence >= ${firstWaiting} limit 1`)
    this.#someWaiting = native.prepare(
      `select 1 from (select table_name from holdfast_journal where ${isWaiting} order by sequence limit ${lookedThrough})
       where table_name = ? limit 1`,
    )
    this.#lastChange = native.prepare(`select operation from ${ofRow} and ${isOfNow} order by sequence desc limit 1`)
    this.#hasReplaced = native.prepare(`select 1 from ${ofRow} and base = ? and ${isOfNow} limit 1`)
  }

  /** The primary that changes are addressed to now. */
  get address(): JournalAddress {
    const found = this.#address.get()
    if (found === undefined) throw new Error('unreachable: a journal always has an address')
    return found
  }

  addresses(): readonly JournalAddress[] {
    return this.#native.prepare<unknown[], JournalAddress>('select * from holdfast_address order by number').all()
  }

  counts(): JournalCounts {
    const { transactions, entries } = this.address
    const { bytes = 0, entries: all = 0 } = this.#sums.get() ?? {}
    const oldest = entries === 0 ? undefined : this.#oldest.get()
    const oldestMs = oldest === undefined ? null : timeOf(oldest.id)
    return { transactions, entries, bytes, elsewhere: all - entries, oldestMs }
  }

  history(table: string, key: string): RowHistory {
    return {
      isWaiting: this.#isWaiting.get(key, table) !== undefined,
      isDeleted: this.#lastChange.get(key, table)?.operation === 'delete',
      replaced: { has: (attempt) => this.#hasReplaced.get(key, table, attempt) !== undefined },
    }
  }

  mayWait(table: string): boolean {
    return this.address.entries > lookedThrough || this.#someWaiting.get(table) !== undefined
  }

  waiting(after: number, limit: number): readonly Entry[] {
    const found = this.#native.prepare<unknown[], EntryRow>(
      `select ${entryColumns} from holdfast_journal where ${isWaiting} and sequence > ? order by sequence`,
    )
    const entries: Entry[] = []
    let bytes = 0
    for (const row of found.iterate(after)) {
      const isEnough = entries.length >= limit || bytes >= answerBytes
      // A transaction is applied whole, so it is read whole.
      if (isEnough && entries.at(-1)?.transaction !== row.transaction_id) break
      entries.push(entryOf(row))
      bytes += row.bytes
    }
    return entries
  }

  /** Of the last entry that was committed; 0 without any. */
  lastSequence(): number {
    return this.#last.get()?.sequence ?? 0
  }

  firstWaiting(): number | null {
    return this.#firstWaiting.get()?.sequence ?? null
  }

  /** Entries behind `after` and up to `last` that wait for one address, whole transactions, about `maxBytes`. */
  portion(after: number, last: number, maxBytes: number): JournalPortion | null {
    const { first, others } = this.#nextWaiting(after)
    if (first === undefined || first.sequence > last) return null
    const { number, identity, label } = first.address
    const found = this.#native.prepare<unknown[], EntryRow>(
      `select ${entryColumns} from holdfast_journal
       where address = ? and carried_at is null and sequence > ? and sequence <= ? order by sequence`,
    )
    const entries: Entry[] = []
    let bytes = 0
    // What waits for another address in between is given first.
    for (const row of found.iterate(number, after, Math.min(last, others))) {
      if (bytes >= maxBytes && entries.at(-1)?.transaction !== row.transaction_id) break
      entries.push(entryOf(row))
      bytes += row.bytes
    }
    return { identity, label, entries }
  }

  /** The address whose next waiting entry comes first, and where the first one of the others is. */
  #nextWaiting(after: number): {
    readonly first: { readonly sequence: number; readonly address: JournalAddress } | undefined
    readonly others: number
  } {
    const next = this.#native.prepare<unknown[], { sequence: number | null }>(
      'select min(sequence) as sequence from holdfast_journal where address = ? and carried_at is null and sequence > ?',
    )
    const found = this.addresses().flatMap((address) => {
      const sequence = address.entries === 0 ? null : (next.get(address.number, after)?.sequence ?? null)
      return sequence === null ? [] : [{ sequence, address }]
    })
    const [first, second] = found.sort((one, other) => one.sequence - other.sequence)
    return { first, others: second === undefined ? Number.MAX_SAFE_INTEGER : second.sequence }
  }

  /** The attempt and the transaction of the last entry that was carried to the addressed primary. */
  lastCarried(): { readonly attempt: string; readonly transaction: string } | null {
    const found = this.#native.prepare<unknown[], { attempt: string; transaction: string }>(
      `select attempt, transaction_id as "transaction" from holdfast_journal
       where carried_at is not null and address = ${current} order by sequence desc limit 1`,
    )
    return found.get() ?? null
  }

  /** What the addressed primary was last seen to be; null: nothing was kept. */
  standing(): KeptStanding | null {
    const found = this.#native.prepare<unknown[], StandingRow>(
      `select cluster, timeline, position from holdfast_standing where address = ${current}`,
    )
    const row = found.get()
    if (row === undefined) return null
    return { ...row, position: row.position === null ? null : BigInt(row.position) }
  }

  /** The first entries that were carried to an address, and when. */
  oldest(address: number, limit: number): readonly { readonly sequence: number; readonly carriedAt: number }[] {
    return this.#native
      .prepare<unknown[], { sequence: number; carriedAt: number }>(
        `select sequence, carried_at as carriedAt from holdfast_journal
         where address = ? and carried_at is not null order by sequence limit ?`,
      )
      .all(address, limit)
  }

  /** Ids behind `after` in the table, in order. */
  ids(table: string, after: string, limit: number): readonly string[] {
    const sql = `select id from ${quote(table)} where id > ? order by id limit ?`
    return this.#native.prepare<unknown[], string>(sql).pluck().all(after, limit)
  }
}

/** Other primaries that something waits for. */
export function elsewhereIn(reader: JournalReader): ReturnType<Journal['elsewhere']> {
  const { number: own } = reader.address
  return reader.addresses().flatMap(({ number, identity, label, entries }) => {
    return number === own || identity === null || entries === 0 ? [] : [{ identity, label, entries }]
  })
}

function entryOf(row: EntryRow): Entry {
  return {
    sequence: row.sequence,
    transaction: row.transaction_id,
    attempt: row.attempt,
    table: row.table_name,
    key: row.row_id,
    operation: row.operation,
    base: row.base,
    old: imageOf(row.old_image),
    new: imageOf(row.new_image),
  }
}

/** The triggers write nothing but texts and nulls. */
function imageOf(text: string | null): Image | null {
  return text === null ? null : JSON.parse(text)
}

/** The time in a UUIDv7. */
function timeOf(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
}

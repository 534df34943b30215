import type { AuditLine, ParkedLine } from '../stage/audit.ts'
import type { CommitTime } from '../stage/audit-watch.ts'
import type { JournalLine } from '../stage/fallback-file.ts'
import { isApplication, judgeReadings } from './copy-judge.ts'
import type { History, WriteRecord } from './history.ts'

/** What is known at the end of a history. */
export interface Evidence {
  readonly history: History
  readonly audit: readonly AuditLine[]
  readonly parked: readonly ParkedLine[]
  /** Entries of every journal that could be read. */
  readonly journal: readonly JournalLine[]
  /** When changes of the audit were committed, by their sequence, as far as that is known. */
  readonly times: ReadonlyMap<number, CommitTime>
}

/** What may not happen to a write, or be answered from a copy, and did. */
export type Wrong =
  | 'lost'
  | 'doubled'
  | 'laid over'
  | 'half'
  | 'refused and applied'
  | 'late'
  | 'stale'
  | 'unheard of'
  | 'missing'
  | 'contradiction'

/** A broken promise, with what shows it. */
export interface Violation {
  readonly wrong: Wrong
  readonly what: string
  readonly evidence: readonly string[]
}

/** The judgement on a history. */
export interface Verdict {
  readonly acknowledged: number
  readonly applied: number
  readonly parked: number
  readonly unknown: number
  readonly refused: number
  /** Answers from whole copies. */
  readonly copied: number
  readonly violations: readonly Violation[]
}

/** Two clocks of one machine, read one after the other. */
const clockMs = 20

/** Judges every write, and every answer from a copy. */
export function judge(evidence: Evidence): Verdict {
  const verdict = judgeWrites(evidence)
  return { ...verdict, violations: [...verdict.violations, ...judgeReadings(evidence)] }
}

/** Judges every write by its attempt: what the primary's audit says became of it, against what its client was told. */
export function judgeWrites(evidence: Evidence): Verdict {
  const found = new Findings(evidence)
  for (const write of evidence.history.writes) {
    if (write.operation === 'remove') found.judgeRemoval(write)
    else found.judgeWrite(write)
  }
  found.judgeRemovedRows()
  found.judgeBases()
  const { writes, contradictions } = evidence.history
  const counted = (ending: WriteRecord['ending']): number => writes.filter((write) => write.ending === ending).length
  const told = contradictions.map((what): Violation => ({ wrong: 'contradiction', what, evidence: [] }))
  return {
    acknowledged: counted('acknowledged'),
    applied: found.applied,
    parked: found.parkedWrites,
    unknown: counted('unknown') + counted('pending'),
    refused: counted('refused'),
    copied: evidence.history.readings.length,
    violations: [...found.violations, ...told],
  }
}

class Findings {
  readonly violations: Violation[] = []
  applied = 0
  parkedWrites = 0
  readonly #evidence: Evidence
  readonly #byToken: ReadonlyMap<string | null, readonly AuditLine[]>
  readonly #byId: ReadonlyMap<string, readonly AuditLine[]>
  readonly #parkedByToken: ReadonlyMap<string | null, readonly ParkedLine[]>
  readonly #writes: ReadonlyMap<string, WriteRecord>

  constructor(evidence: Evidence) {
    this.#evidence = evidence
    this.#byToken = Map.groupBy(evidence.audit.filter(isApplication), ({ newToken }) => newToken)
    this.#byId = Map.groupBy(evidence.audit, ({ id }) => id)
    this.#parkedByToken = Map.groupBy(evidence.parked, ({ token }) => token)
    this.#writes = new Map(evidence.history.writes.map((write) => [write.token, write]))
  }

  /** A create, a change or a transaction: each row exactly once, or parked whole; never, or at most once. */
  judgeWrite(write: WriteRecord): void {
    const lines = this.#byToken.get(write.token) ?? []
    const parked = this.#parkedByToken.get(write.token) ?? []
    const rows = new Set(lines.map(({ id }) => id))
    const parkedRows = new Set(parked.map(({ id }) => id))
    for (const id of rows) {
      const times = lines.filter((line) => line.id === id).length
      if (times > 1) this.#violate('doubled', `${say(write)} was applied ${times} times to row ${id}`, write)
    }
    if (rows.size > 0) this.applied += 1
    if (parkedRows.size > 0) this.parkedWrites += 1
    const isOpen = parked.some(({ settledAs }) => settledAs === null)
    if (rows.size > 0 && isOpen) this.#violate('half', `${say(write)} is applied and parked`, write)
    if (![0, write.rows].includes(rows.size)) {
      this.#violate('half', `${say(write)}: ${rows.size} of ${write.rows} rows are applied`, write)
    }
    if (write.ending === 'refused' && rows.size + parkedRows.size > 0) {
      this.#violate('refused and applied', `${say(write)} was refused and is there`, write)
    }
    if (write.ending !== 'acknowledged' || write.side === 'local') return
    if (rows.size + parkedRows.size === 0 && !this.#mayBeLost(write))
      this.#violate('lost', `${say(write)} is neither applied nor parked`, write)
    for (const line of lines) if (!this.#judgeLine(write, line)) break
  }

  /** What was answered by the primary was in it by then, with the attempt that the answer named. True: that is so. */
  #judgeLine(write: WriteRecord, line: AuditLine): boolean {
    const before = this.violations.length
    if (write.attempt !== null && line.newAttempt !== write.attempt) {
      this.#violate('doubled', `${say(write)} was applied as attempt ${line.newAttempt}, too`, write)
    }
    if (write.base !== null && line.oldAttempt !== write.base) {
      this.#violate('laid over', `${say(write)} is for ${write.base} and was laid over ${line.oldAttempt}`, write)
    }
    if (
      write.side === 'fallback' &&
      write.seen !== null &&
      line.operation === 'update' &&
      line.oldAttempt !== write.seen
    ) {
      this.#violate('laid over', `${say(write)}, of the version ${write.seen}, was laid over ${line.oldAttempt}`, write)
    }
    if (write.side === 'primary' && line.atMs > (write.endedMs ?? 0) + clockMs) {
      this.#violate('late', `${say(write)} was applied after its answer`, write)
    }
    return this.violations.length === before
  }

  judgeRemoval(write: WriteRecord): void {
    const [id = ''] = write.ids
    if (this.#removals(id) > 0) this.applied += 1
    if (write.ending !== 'acknowledged' || write.side === 'local') return
    const isParked = this.#evidence.parked.some((line) => line.id === id && line.operation === 'delete')
    if (this.#removals(id) === 0 && !isParked && !this.#mayBeLost(write))
      this.#violate('lost', `${say(write)} is neither applied nor parked`, write)
  }

  /** A row is deleted by a service at most as often as clients asked for it, and no more often than it was there. */
  judgeRemovedRows(): void {
    const asked = this.#evidence.history.writes.filter(({ operation }) => operation === 'remove')
    const byId = Map.groupBy(asked, ({ ids: [id = ''] }) => id)
    for (const id of this.#byId.keys()) {
      const may = (byId.get(id) ?? []).filter(({ ending }) => ending !== 'refused')
      const [first] = may
      const times = this.#removals(id)
      // Business code deletes by transactions, whose writes are not removals.
      if (first !== undefined && times > may.length) {
        this.#violate('doubled', `row ${id} was deleted ${times} times for ${may.length} requests`, first)
      }
    }
  }

  /** No journaled change was laid over another version than the one that its client saw. */
  judgeBases(): void {
    for (const entry of this.#evidence.journal) {
      if (entry.operation === 'insert') continue
      const lines = this.#byId.get(entry.id) ?? []
      const at = lines.findIndex((line) => isEntry(line, entry))
      const line = lines[at]
      if (line === undefined) continue
      const write = entry.token === null ? undefined : this.#writes.get(entry.token)
      const what = `the entry ${entry.sequence} for row ${entry.id}`
      if (line.oldAttempt !== entry.base) {
        this.#violate('laid over', `${what}, made for ${entry.base}, was laid over ${line.oldAttempt}`, write, entry)
      }
      // A statement without an attempt leaves the old one in the row: whose change it was is known all the same.
      const before = lines[at - 1]
      const isForeign = before !== undefined && before.newAttempt === entry.base && !before.isService
      if (isForeign && before.newToken !== entry.oldToken) {
        this.#violate('laid over', `${what} was laid over a change of another client`, write, entry)
      }
    }
  }

  #mayBeLost({ client, durability }: WriteRecord): boolean {
    return durability === 'journal-ephemeral' && this.#evidence.history.emptied.has(client)
  }

  #removals(id: string): number {
    return (this.#byId.get(id) ?? []).filter(({ operation, isService }) => operation === 'delete' && isService).length
  }

  #violate(wrong: Wrong, what: string, write: WriteRecord | undefined, entry?: JournalLine): void {
    const ids = new Set([...(write?.ids ?? []), ...(entry === undefined ? [] : [entry.id])])
    for (const line of this.#byToken.get(write?.token ?? null) ?? []) ids.add(line.id)
    const { audit, parked, journal, history } = this.#evidence
    const mine = history.writes.filter((one) => one === write || one.ids.some((id) => ids.has(id)))
    const evidence = [
      ...mine.map((one) => `history ${JSON.stringify(one)}`),
      ...audit.filter(({ id }) => ids.has(id)).map((one) => `audit ${JSON.stringify(one)}`),
      ...parked.filter(({ id }) => ids.has(id)).map((one) => `parked ${JSON.stringify(one)}`),
      ...journal.filter(({ id }) => ids.has(id)).map((one) => `journal ${JSON.stringify(one)}`),
    ]
    this.violations.push({ wrong, what, evidence })
  }
}

/** Whether this line of the audit is what a journal's entry became. */
function isEntry(line: AuditLine, { operation, base, newAttempt, token }: JournalLine): boolean {
  if (!line.isService || line.operation !== operation) return false
  return operation === 'delete' ? line.oldAttempt === base : line.newAttempt === newAttempt && line.newToken === token
}

function say(write: WriteRecord): string {
  return `${write.operation} ${write.token} (${write.ending}, ${write.said}, ${write.side})`
}

import { idOfTime } from '../../../src/driver/kit/draw-id.ts'
import type { AuditLine } from '../stage/audit.ts'
import type { Evidence, Violation, Wrong } from './checker.ts'
import type { CopyReading, WriteRecord } from './history.ts'

/** Two clocks of one machine, read one after the other. */
const clockMs = 20

/** So much later than an answer no id is of a row that should be in it. */
const laterMs = 60_000

/** Violations of which all is shown that concerns them. */
const shownMax = 50

type ShownRow = CopyReading['rows'][number]

/**
 * Judges what fallbacks have answered from whole copies, by when the primary committed what: nothing that was replaced before
 * `Holdfast-As-Of`, or that never was; everything that was there by then; and of the data API's own writes, all that the
 * same process had acknowledged.
 */
export function judgeReadings(evidence: Evidence): readonly Violation[] {
  const judge = new ReadingJudge(evidence)
  for (const reading of evidence.history.readings) judge.judge(reading)
  return judge.violations
}

/** Whether a change brings another version of a row, or ends it. */
export function isVersion(line: AuditLine): boolean {
  return line.operation === 'delete' || isApplication(line)
}

/** Whether a change of the audit brings a new version of a row, and not only touches it. */
export function isApplication({ operation, oldAttempt, newAttempt, oldToken, newToken }: AuditLine): boolean {
  return operation === 'insert' || (operation === 'update' && (oldAttempt !== newAttempt || oldToken !== newToken))
}

class ReadingJudge {
  readonly violations: Violation[] = []
  readonly #evidence: Evidence
  readonly #lines: ReadonlyMap<string, readonly AuditLine[]>
  /** In the order of lists. */
  readonly #ids: readonly string[]
  readonly #writes: ReadonlyMap<string | null, WriteRecord>
  readonly #removals: ReadonlyMap<string | undefined, readonly WriteRecord[]>
  /** Versions that a fallback has made itself, and rows that one has deleted. */
  readonly #made: ReadonlySet<string>
  readonly #gone: ReadonlySet<string>

  constructor(evidence: Evidence) {
    this.#evidence = evidence
    const { audit, journal, history } = evidence
    this.#lines = Map.groupBy(audit.filter(isVersion), ({ id }) => id)
    this.#ids = [...this.#lines.keys()].sort()
    this.#writes = new Map(history.writes.map((write) => [write.token, write]))
    const removals = history.writes.filter(({ operation, ending }) => operation === 'remove' && ending !== 'refused')
    this.#removals = Map.groupBy(removals, ({ ids: [id] }) => id)
    this.#made = new Set(journal.map(({ id, token }) => `${id} ${token}`))
    const elsewhere = removals.filter(({ side }) => side !== 'primary').map(({ ids: [id = ''] }) => id)
    this.#gone = new Set([...journal.filter((one) => one.operation === 'delete').map(({ id }) => id), ...elsewhere])
  }

  judge(reading: CopyReading): void {
    for (const row of reading.rows) this.#judgeRow(reading, row)
    const shown = new Set(reading.rows.map(({ id }) => id))
    for (const id of this.#idsOf(reading)) if (!shown.has(id)) this.#judgeAbsence(reading, id)
  }

  /** A token may stand in several versions: one of them must be right. */
  #judgeRow(reading: CopyReading, row: ShownRow): void {
    const lines = this.#lines.get(row.id) ?? []
    const isMade = this.#made.has(`${row.id} ${row.token}`)
    const isIt = ({ operation, newToken, newAttempt }: AuditLine): boolean =>
      operation !== 'delete' && newToken === row.token && (row.attempt === null || newAttempt === row.attempt)
    const found = lines.flatMap((line, at) => (isIt(line) ? [this.#defectOf(reading, lines, at, isMade)] : []))
    if (found.length === 0 && !isMade) this.#violate('unheard of', 'which the primary never had', reading, row.id)
    const [first] = found
    if (first && found.every((defect) => defect !== null)) this.#violate(first[0], first[1], reading, row.id)
  }

  #defectOf(
    reading: CopyReading,
    lines: readonly AuditLine[],
    at: number,
    isMade: boolean,
  ): readonly [Wrong, string] | null {
    const time = this.#timeOf(lines[at])
    // A version of the fallback itself comes to the primary later.
    if (isMade && (time === undefined || time.byMs > reading.sentMs)) return null
    if (time !== undefined && time.afterMs > reading.receivedMs) return ['unheard of', 'before it was committed']
    const later = lines.slice(at + 1)
    const next = this.#timeOf(later[0])
    if (next !== undefined && next.byMs < reading.asOfMs - clockMs)
      return ['stale', `although it was replaced ${Math.round(reading.asOfMs - next.byMs)} ms before the copy's age`]
    return later.some((line) => this.#isKnownTo(reading, line)) ? ['stale', 'older than its own writes'] : null
  }

  /** Whether the process that answered has made this change of the primary itself, and acknowledged it before. */
  #isKnownTo({ client, sentMs }: CopyReading, { id, operation, newToken }: AuditLine): boolean {
    const writes = operation === 'delete' ? (this.#removals.get(id) ?? []) : [this.#writes.get(newToken)]
    return writes.some(
      (write) =>
        write !== undefined &&
        write.client === client &&
        write.operation !== 'transaction' &&
        write.ending === 'acknowledged' &&
        write.side === 'primary' &&
        (write.endedMs ?? sentMs) < sentMs,
    )
  }

  #judgeAbsence(reading: CopyReading, id: string): void {
    if (this.#gone.has(id)) return
    const lines = this.#lines.get(id) ?? []
    const at = lines.findLastIndex(({ operation }) => operation === 'insert')
    const inserted = lines[at]
    if (inserted === undefined) return
    const mayBeGone = lines.slice(at).some((line) => {
      return line.operation === 'delete' && (this.#timeOf(line)?.afterMs ?? 0) <= reading.receivedMs
    })
    if (mayBeGone) return
    const byMs = this.#timeOf(inserted)?.byMs ?? Number.POSITIVE_INFINITY
    if (byMs < reading.asOfMs - clockMs || this.#isKnownTo(reading, inserted))
      this.#violate('missing', 'although it was there', reading, id)
  }

  #timeOf(line: AuditLine | undefined): { readonly afterMs: number; readonly byMs: number } | undefined {
    return line === undefined ? undefined : this.#evidence.times.get(line.sequence)
  }

  /** But for those that were made after the answer, of which there are many. */
  #idsOf({ without, receivedMs }: CopyReading): readonly string[] {
    if (without === null) return []
    if ('id' in without) return [without.id]
    const first = without.above === null ? 0 : this.#placeOf(without.above)
    const later = Math.max(first, this.#placeOf(idOfTime(receivedMs + laterMs)))
    const others = Math.max(later, this.#placeOf(idOfTime(Date.now() + laterMs)))
    return [...this.#ids.slice(first, later), ...this.#ids.slice(others)]
  }

  /** The place of the first id above this one. */
  #placeOf(id: string): number {
    let [low, high] = [0, this.#ids.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ids[middle] ?? '') > id) high = middle
      else low = middle + 1
    }
    return low
  }

  #violate(wrong: Wrong, why: string, reading: CopyReading, id: string): void {
    const { client, asOfMs, sentMs, receivedMs, rows, without } = reading
    const row = rows.find((one) => one.id === id)
    const what =
      row === undefined ? `row ${id} is not in an answer of ${client}` : `row ${id} reads ${row.token} from ${client}`
    if (this.violations.length >= shownMax) {
      this.violations.push({ wrong, what: `${what}, ${why}`, evidence: [] })
      return
    }
    const audit = this.#evidence.audit.filter((line) => line.id === id)
    const writes = this.#evidence.history.writes.filter(({ ids }) => ids.includes(id))
    const journal = this.#evidence.journal.filter((line) => line.id === id)
    this.violations.push({
      wrong,
      what: `${what}, ${why}`,
      evidence: [
        `reading ${JSON.stringify({ client, asOfMs, sentMs, receivedMs, row, without })}`,
        ...writes.map((write) => `history ${JSON.stringify(write)}`),
        ...audit.map((line) => `audit ${JSON.stringify({ ...line, ...this.#timeOf(line) })}`),
        ...journal.map((line) => `journal ${JSON.stringify(line)}`),
      ],
    })
  }
}

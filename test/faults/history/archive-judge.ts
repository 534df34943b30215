import type { WriteRecord } from './history.ts'

/** A row as it is read after a start. */
export interface ReadRow {
  readonly id: string
  readonly token: string
}

/** What a look at the rows is judged by. */
export interface LookOptions {
  /** True: the disk was emptied before, so that the rows are those of the archive. False: the file was still there. */
  readonly isRestored: boolean
  /** True: the process before had the time to send all of it, and said nothing else. */
  readonly isShipped?: boolean
  /** When another process took over from a client's, by name; what it answered later is its own loss, unless it said `archived`. */
  readonly replaced?: ReadonlyMap<string, number>
}

/** What can be wrong with restored rows. */
export type RestoreWrong =
  | 'lost'
  /** What came later is there, and this is not. */
  | 'hole'
  /** It was answered before the lag that an answer named. */
  | 'older than the lag'
  | 'half'
  | 'refused and there'
  /** It was gone after an earlier restore. */
  | 'came back'
  | 'unheard of'

/** One thing that must not be. */
export interface RestoreViolation {
  readonly wrong: RestoreWrong
  readonly what: string
}

/** Whether a write is in the rows; `either`: its row was removed, which looks the same. */
type Presence = 'in' | 'out' | 'either'

/** Headers round to a tenth of a second. */
const roundingMs = 60

/**
 * Judges the rows that a process shows after a start by all that clients were told before. Rows have one writer each, which sends
 * one request at a time; what is missing after a restore may never come back.
 */
export class ArchiveJudge {
  readonly #gone = new Set<WriteRecord>()
  readonly #restored = new Set<WriteRecord>()
  readonly #removedIds = new Set<string>()

  /** Writes that were answered with success and are not in the archive any more; of no use to later looks. */
  get gone(): number {
    return [...this.#gone].filter(({ ending }) => ending === 'acknowledged').length
  }

  /** To be called with all writes so far, in the order in which they began, none of them pending. */
  look(
    writes: readonly WriteRecord[],
    rows: readonly ReadRow[],
    { isRestored, isShipped = false, replaced = new Map() }: LookOptions,
  ): readonly RestoreViolation[] {
    const found: RestoreViolation[] = []
    const violate = (wrong: RestoreWrong, what: string): void => void found.push({ wrong, what })
    const presence = this.#presences(writes, rows, violate)
    const inWrites = writes.filter((write) => presence.get(write) === 'in')
    const lastInMs = latestOf(inWrites, ({ beganMs }) => beganMs)
    const horizonMs = latestOf(writes, horizonOf)
    for (const write of writes) {
      const isOut = presence.get(write) === 'out'
      if (!isOut) continue
      const wasGone = this.#gone.has(write)
      const isOlder = (write.endedMs ?? Number.POSITIVE_INFINITY) < lastInMs
      const isReplaced = (write.endedMs ?? 0) > (replaced.get(write.client) ?? Number.POSITIVE_INFINITY)
      if (write.ending !== 'acknowledged') continue
      if (write.durability === 'archived' || (wasGone ? false : this.#restored.has(write) || isShipped || !isRestored))
        violate('lost', sentence(write))
      else if (wasGone || isReplaced) continue
      else if (isOlder) violate('hole', sentence(write))
      else if ((write.endedMs ?? 0) < horizonMs - roundingMs) violate('older than the lag', sentence(write))
    }
    this.#remember(writes, rows, presence, isRestored)
    return found
  }

  #presences(
    writes: readonly WriteRecord[],
    rows: readonly ReadRow[],
    violate: (wrong: RestoreWrong, what: string) => void,
  ): ReadonlyMap<WriteRecord, Presence> {
    const presence = new Map<WriteRecord, Presence>()
    const shownById = new Map(rows.map(({ id, token }) => [id, token]))
    const idsByToken = Map.groupBy(rows, ({ token }) => token)
    const byToken = new Map(writes.map((write) => [write.token, write]))
    const byRow = new Map<string, WriteRecord[]>()
    for (const write of writes) for (const id of write.ids) byRow.set(id, [...(byRow.get(id) ?? []), write])
    for (const { id, token } of rows) {
      const write = byToken.get(token)
      if (write === undefined) violate('unheard of', `row ${id} has ${token}`)
      else if (write.ending === 'refused') violate('refused and there', sentence(write))
      else if (this.#removedIds.has(id)) violate('came back', sentence(write))
      // Answered without a lag: there was no snapshot yet, and the one that a killed process had sent may arrive later.
      else if (this.#gone.has(write) && write.lagS !== null) violate('came back', sentence(write))
    }
    for (const write of writes) {
      const ids = write.ids.length > 0 ? write.ids : (idsByToken.get(write.token) ?? []).map(({ id }) => id)
      const each = ids.map((id) => placeOf(write, byRow.get(id) ?? [write], shownById.get(id)))
      const isCreate = write.operation === 'create' || write.operation === 'transaction'
      const isHalf = isCreate && new Set(each).size > 1 && !each.includes('either')
      const isShort = write.operation === 'transaction' && ids.length > 0 && ids.length !== write.rows
      if (isHalf || isShort) violate('half', `${sentence(write)}: ${ids.length} of ${write.rows} rows`)
      presence.set(write, each[0] ?? 'out')
    }
    return presence
  }

  /** What is missing now is gone for good: nobody can send it any more. */
  #remember(
    writes: readonly WriteRecord[],
    rows: readonly ReadRow[],
    presence: ReadonlyMap<WriteRecord, Presence>,
    isRestored: boolean,
  ): void {
    const shown = new Set(rows.map(({ id }) => id))
    for (const write of writes) {
      const is = presence.get(write)
      if (is === 'out') {
        this.#gone.add(write)
        this.#restored.delete(write)
      } else if (is === 'in' && isRestored) this.#restored.add(write)
      // A file that was kept may be lost yet, and its removal with it.
      if (isRestored && is === 'either' && write.operation === 'remove') {
        for (const id of write.ids) if (!shown.has(id)) this.#removedIds.add(id)
      }
    }
  }
}

/** Whether a row shows that a write came to it: all that its only writer sent before the shown one did, too. */
function placeOf(write: WriteRecord, ofRow: readonly WriteRecord[], shown: string | undefined): Presence {
  const applied = ofRow.filter(({ ending }) => ending !== 'refused')
  if (shown === undefined) return applied.some(({ operation }) => operation === 'remove') ? 'either' : 'out'
  const at = applied.findIndex(({ token }) => token === shown)
  const own = applied.indexOf(write)
  if (own < 0) return 'out'
  return own <= at ? 'in' : 'out'
}

/** Not by `Math.max(...)`: a history may have more writes than a call may have arguments. */
function latestOf(writes: readonly WriteRecord[], read: (write: WriteRecord) => number): number {
  return writes.reduce((latest, write) => Math.max(latest, read(write)), Number.NEGATIVE_INFINITY)
}

/** What was answered before this moment is in the archive, as the answer of this write said. */
function horizonOf({ ending, lagS, beganMs }: WriteRecord): number {
  return ending === 'acknowledged' && lagS !== null ? beganMs - lagS * 1_000 : Number.NEGATIVE_INFINITY
}

function sentence({ operation, token, client, ending, durability, lagS, beganMs, endedMs, said }: WriteRecord): string {
  const took = `${new Date(beganMs).toISOString()} to ${endedMs === null ? '?' : new Date(endedMs).toISOString()}`
  return `${operation} ${token} of ${client} (${ending} ${said}, ${durability}, lag ${lagS}, ${took})`
}

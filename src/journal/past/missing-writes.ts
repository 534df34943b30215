import type { AcknowledgedWrite } from './acknowledged-writes.ts'

/** Rows that are looked for at once. */
const partMax = 128

/** What a row of a primary shows of the last write of it. */
export interface LastWrite {
  readonly attempt: string
  readonly version: number
}

/** What the rows of these ids that are there show, by id; null: the table cannot be read. */
export type FindLastWrites = (table: string, ids: readonly string[]) => Promise<ReadonlyMap<string, LastWrite> | null>

/** Which writes are looked for; all in milliseconds since 1970. */
export interface SearchedSpan {
  /** What was acknowledged before is not, or is known to be there. */
  readonly sinceMs: number
  /** Writes that were acknowledged later may be of another server, and prove nothing. */
  readonly servedUntilMs: number
}

/**
 * Which of these acknowledged writes, newest first, a primary does not have. Whatever a cluster loses are the last writes
 * before a moment: all that was acknowledged before a write began that is there is there, too, and a row that is not was
 * deleted by somebody else. Rejects like `find`.
 */
export async function missingWrites(
  writes: readonly AcknowledgedWrite[],
  find: FindLastWrites,
  { sinceMs, servedUntilMs }: SearchedSpan,
): Promise<readonly AcknowledgedWrite[]> {
  const missing: AcknowledgedWrite[] = []
  let wholeUntilMs = sinceMs
  for (let from = 0; from < writes.length; from += partMax) {
    const part = writes.slice(from, from + partMax)
    if (part[0] !== undefined && part[0].atMs < wholeUntilMs) break
    const marks = await marksOf(part, find)
    for (const write of part) {
      const found = marks.get(write.table)
      if (found === undefined) continue
      const mark = found.get(write.id)
      if (isThere(write, mark)) {
        if (write.atMs <= servedUntilMs) wholeUntilMs = Math.max(wholeUntilMs, begunMs(write))
      } else if (isLost(write, mark)) missing.push(write)
    }
  }
  return missing.filter(({ atMs }) => atMs >= wholeUntilMs)
}

/** By table; those that cannot be read are left out. */
async function marksOf(
  part: readonly AcknowledgedWrite[],
  find: FindLastWrites,
): Promise<ReadonlyMap<string, ReadonlyMap<string, LastWrite>>> {
  const found = new Map<string, ReadonlyMap<string, LastWrite>>()
  for (const [table, writes] of Map.groupBy(part, (write) => write.table)) {
    const marks = await find(
      table,
      writes.map(({ id }) => id),
    )
    if (marks !== null) found.set(table, marks)
  }
  return found
}

function isThere({ attempt }: AcknowledgedWrite, mark: LastWrite | undefined): boolean {
  return attempt !== null && mark?.attempt === String(attempt)
}

/** A row with a later version may have been changed since, by anybody. */
function isLost({ attempt, version }: AcknowledgedWrite, mark: LastWrite | undefined): boolean {
  if (attempt === null) return mark !== undefined
  return mark === undefined || mark.version <= Number(version)
}

/** When the work began that has made the write; not known of an attempt that was derived. */
function begunMs({ attempt }: AcknowledgedWrite): number {
  const hex = String(attempt).replaceAll('-', '')
  return hex[12] === '7' ? Number.parseInt(hex.slice(0, 12), 16) : Number.NEGATIVE_INFINITY
}

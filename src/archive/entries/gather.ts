import type { Entry, Journal, JournalPortion } from '../../driver/facet/journal.ts'
import { lineOf, type PackedEntries, packEntries } from './format.ts'

/** Images of one read: the event loop stands still for as long as it takes. */
const portionBytes = 256 * 1_024

/** Images of one object; a local transaction beyond that is an object of its own. */
export const objectBytes: number = 1_024 * 1_024

/** Lines of one object: a local transaction beyond that is in several, since a target has a limit. */
const linesMax = 8 * objectBytes

/**
 * The next object behind `after`: entries that wait for one primary, of which the first is at most `last`. None: nothing waits
 * there. Several: a local transaction was too large for one, and none of them counts without the others. Rejects with what
 * the journal says.
 */
export async function gatherEntries(
  journal: Pick<Journal, 'fileId' | 'synced'>,
  by: { readonly process: string; readonly at: Date },
  after: number,
  last: number,
): Promise<readonly PackedEntries[]> {
  const lines: string[] = []
  const entries: Entry[] = []
  let made: JournalPortion | null = null
  for (let bytes = 0; bytes < objectBytes; ) {
    const portion = await journal.synced(entries.at(-1)?.sequence ?? after, portionBytes)
    if (portion === null || (made !== null && made.identity !== portion.identity)) break
    if ((portion.entries[0]?.sequence ?? 0) > last) break
    made ??= portion
    for (const entry of portion.entries) {
      const text = lineOf(entry)
      entries.push(entry)
      lines.push(text)
      bytes += text.length
    }
  }
  const from = { ...by, file: journal.fileId }
  return made === null ? [] : packed(from, { ...made, entries }, lines)
}

/** One object, or several where the lines are too many for one. */
function packed(
  from: Parameters<typeof packEntries>[0],
  portion: JournalPortion,
  lines: readonly string[],
): readonly PackedEntries[] {
  const ranges: { readonly from: number; readonly to: number }[] = []
  let [at, bytes] = [0, 0]
  for (const [index, line] of lines.entries()) {
    const length = Buffer.byteLength(line)
    if (bytes > 0 && bytes + length > linesMax) {
      ranges.push({ from: at, to: index })
      ;[at, bytes] = [index, 0]
    }
    bytes += length
  }
  ranges.push({ from: at, to: lines.length })
  const whole = portion.entries.at(-1)?.sequence ?? 0
  return ranges.map(({ from: first, to }, index) => {
    const some = { ...portion, entries: portion.entries.slice(first, to) }
    return packEntries(from, some, lines.slice(first, to), { part: index + 1, parts: ranges.length, whole })
  })
}

import type { Entry, Journal, JournalPortion } from '../../driver/facet/journal.ts'
import { linesOf, type PackedEntries, packEntries } from './format.ts'

/** Images of one read: the event loop stands still for as long as it takes. */
const portionBytes = 256 * 1_024

/** Images of one object; a local transaction beyond that is an object of its own. */
export const objectBytes: number = 1_024 * 1_024

/**
 * The next object behind `after`: entries that wait for one primary, of which the first is at most `last`. Null: nothing waits
 * there. Rejects with what the journal says.
 */
export async function gatherEntries(
  journal: Pick<Journal, 'fileId' | 'synced'>,
  by: { readonly process: string; readonly at: Date },
  after: number,
  last: number,
): Promise<PackedEntries | null> {
  const lines: string[] = []
  const entries: Entry[] = []
  let made: JournalPortion | null = null
  for (let bytes = 0; bytes < objectBytes; ) {
    const portion = await journal.synced(entries.at(-1)?.sequence ?? after, portionBytes)
    if (portion === null || (made !== null && made.identity !== portion.identity)) break
    if ((portion.entries[0]?.sequence ?? 0) > last) break
    made ??= portion
    entries.push(...portion.entries)
    const text = linesOf(portion.entries)
    lines.push(text)
    bytes += text.length
  }
  if (made === null) return null
  return packEntries({ ...by, file: journal.fileId }, { ...made, entries }, lines)
}

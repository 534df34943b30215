import type { Entry, JournalView } from '../../driver/facet/journal.ts'
import type { CommandContext } from '../command.ts'
import { table } from '../terminal.ts'
import { counted, line, type StoreCommandOptions, type StoreExit, timeOfId, withStores } from './command.ts'
import { CommandFailure } from './open.ts'

/** Entries that are read at once. */
const portionMax = 500

/** `holdfast journal list`: what waits in a journal. The service may go on meanwhile. */
export async function journalListCommand(
  context: CommandContext,
  options: StoreCommandOptions & { readonly file: string | null },
): Promise<StoreExit> {
  return await withStores(context, options, async (stores) => {
    const store = await stores.file(options.file, options.signal)
    const { journalView } = store
    if (journalView === null)
      throw new CommandFailure(2, `${store.label} has no journal.`, 'Name the file of a fallback.')
    const { transactions, entries, bytes } = journalView.counts()
    if (options.json) {
      const { fileId, identity } = journalView
      context.out(
        line({ event: 'journal', fileId, identity, transactions, entries, bytes, elsewhere: journalView.elsewhere() }),
      )
    }
    for await (const portion of portionsOf(journalView)) {
      options.signal.throwIfAborted()
      if (options.json) for (const entry of portion) context.out(line(outlineOf(entry)))
      else context.out(`${table(portion.map(cellsOf)).join('\n')}\n`)
    }
    if (!options.json) context.out(footer(journalView, entries, transactions))
    return 0
  })
}

async function* portionsOf(journal: JournalView): AsyncGenerator<readonly Entry[]> {
  for (let after = 0; ; ) {
    const portion = await journal.waiting(after, portionMax)
    const last = portion.at(-1)
    if (last === undefined) return
    yield portion
    after = last.sequence
  }
}

function outlineOf({ sequence, transaction, attempt, table: collection, key, operation }: Entry): object {
  return { event: 'entry', sequence, at: timeOfId(transaction), transaction, attempt, operation, collection, row: key }
}

function cellsOf({ transaction, operation, table: collection, key, attempt }: Entry): readonly string[] {
  return [timeOfId(transaction), operation, collection, key, attempt]
}

function footer(journal: JournalView, entries: number, transactions: number): string {
  const waiting =
    entries === 0
      ? 'Nothing waits to be carried to the primary.\n'
      : `${counted(entries, 'change')} in ${counted(transactions, 'transaction')} to be carried to the primary.\n`
  const elsewhere = journal.elsewhere().map(({ identity, label, entries: count }) => {
    return `${counted(count, 'change')} for another primary: ${label ?? 'unknown'} (${identity}).\n`
  })
  return [waiting, ...elsewhere].join('')
}

import { carryLocalRows } from '../../journal/local-store.ts'
import type { JournalObservation } from '../../journal/observation.ts'
import { Replayer } from '../../journal/replayer.ts'
import type { CommandContext } from '../command.ts'
import { counted, line, type StoreCommandOptions, type StoreExit, withStores } from './command.ts'
import { CommandFailure, type CommandPrimary, type CommandStores } from './open.ts'
import { ProgressLine } from './progress.ts'

/** The options of `holdfast replay`. */
export interface ReplayOptions extends StoreCommandOptions {
  /** Null: the configured fallback. */
  readonly file: string | null
  readonly allRows: boolean
}

/** `holdfast replay`: carries a journal, or all rows of a local store, to the primary. */
export async function replayCommand(context: CommandContext, options: ReplayOptions): Promise<StoreExit> {
  return await withStores(context, options, async (stores) => {
    const summary = { applied: 0, parked: 0 }
    const observe = (seen: JournalObservation): void => {
      if (seen.type === 'journal.carried') {
        summary.applied += seen.transactions
        summary.parked += seen.parked
      } else if ('problem' in seen && !options.json) {
        context.err(`holdfast: ${seen.problem.message} ${seen.problem.suggestion}\n`)
      }
    }
    const replayer = new Replayer({ tables: () => stores.tables, observe })
    const primary = await stores.primary(options.signal)
    const progress = new ProgressLine({ json: options.json, out: context.out, terminal: context.terminal })
    try {
      const carry = options.allRows ? carryRows : carryJournal
      await carry(stores, replayer, primary, options, progress)
    } finally {
      progress.end()
    }
    const { applied, parked } = summary
    if (options.json) context.out(line({ event: 'carried', label: primary.label, transactions: applied, parked }))
    else context.out(summaryText(primary.label, applied, parked))
    return 0
  })
}

async function carryJournal(
  stores: CommandStores,
  replayer: Replayer,
  primary: CommandPrimary,
  { file, signal }: ReplayOptions,
  progress: ProgressLine,
): Promise<void> {
  const from = await stores.file(file, signal)
  if (from.localRows !== null)
    throw new CommandFailure(2, `${from.label} is a local store.`, 'Add --all-rows to carry all of its rows.')
  if (from.journalView !== null && from.journal === null)
    throw new CommandFailure(3, 'Another process uses the file.', 'Stop it, or carry a copy of the file.')
  if (from.journal === null)
    throw new CommandFailure(2, `${from.label} has no journal.`, 'Name the file of a fallback.')
  await replayer.carry(from, primary, 0, signal, (done, left) => progress.update(done, left))
}

async function carryRows(
  stores: CommandStores,
  replayer: Replayer,
  primary: CommandPrimary,
  { file, signal }: ReplayOptions,
  progress: ProgressLine,
): Promise<void> {
  const from = await stores.file(file, signal)
  const { localRows } = from
  if (localRows === null)
    throw new CommandFailure(2, `${from.label} is not a local store.`, 'Name its file, or omit --all-rows.')
  const left = await carryLocalRows(replayer, localRows, primary, stores.tables, signal, (done) => {
    progress.update(done, null)
  })
  if (left.length === 0) return
  throw new CommandFailure(
    2,
    `${from.label} has rows of ${left.join(', ')}, which no collection declares; the others were carried.`,
    'Declare these collections, then run it again.',
  )
}

function summaryText(label: string, applied: number, parked: number): string {
  const text = `Carried ${counted(applied, 'transaction')} to ${label}`
  if (parked === 0) return `${text}.\n`
  return `${text}, and parked ${parked}: see "holdfast conflicts list".\n`
}

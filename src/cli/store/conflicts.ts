import type { Image } from '../../driver/facet/image.ts'
import type { Conflict, ConflictOutline } from '../../journal/conflict/conflict-rows.ts'
import { Conflicts, type Settling } from '../../journal/conflict/conflicts.ts'
import { settlingSentence } from '../../journal/conflict/settling-sentence.ts'
import { tablesByName } from '../../journal/judge.ts'
import type { CommandContext } from '../command.ts'
import { table } from '../terminal.ts'
import { counted, line, type StoreCommandOptions, type StoreExit, timeOfId, withStores } from './command.ts'

/** Conflicts that are read at once. */
const portionMax = 100

/** What `holdfast conflicts` is to do; the ids are attempts. */
export type ConflictsAction =
  | { readonly do: 'list'; readonly state: 'open' | 'settled' }
  | { readonly do: 'show'; readonly id: string }
  | { readonly do: 'take'; readonly side: 'ours' | 'theirs'; readonly id: string }
  | { readonly do: 'retry'; readonly id: string }

/** `holdfast conflicts`: shows and settles what is parked in the primary. */
export async function conflictsCommand(
  context: CommandContext,
  options: StoreCommandOptions & { readonly action: ConflictsAction },
): Promise<StoreExit> {
  return await withStores(context, options, async (stores) => {
    const { action, json, signal } = options
    const primary = await stores.primary(signal)
    const conflicts = new Conflicts(primary, primary.replay, tablesByName(stores.tables))
    switch (action.do) {
      case 'list':
        return await list(context, conflicts, action.state, json, signal)
      case 'show': {
        const found = await conflicts.show(action.id)
        if (found === null) return settled(context, json, action.id, { is: 'absent' })
        context.out(json ? line({ event: 'conflict', ...found }) : conflictText(found))
        return 0
      }
      case 'take':
        return settled(context, json, action.id, await conflicts.take(action.id, action.side))
      case 'retry':
        return settled(context, json, action.id, await conflicts.retry(action.id))
    }
  })
}

async function list(
  context: CommandContext,
  conflicts: Conflicts,
  state: 'open' | 'settled',
  json: boolean,
  signal: AbortSignal,
): Promise<StoreExit> {
  let count = 0
  for (let after: string | null = null; ; ) {
    signal.throwIfAborted()
    const portion: readonly Conflict<ConflictOutline>[] = await conflicts.list(portionMax, after, state)
    const last = portion.at(-1)
    if (last === undefined) break
    if (json) for (const one of portion) context.out(line({ event: 'conflict', ...one }))
    else context.out(`${table(portion.map(cellsOf), 40).join('\n')}\n`)
    count += portion.length
    after = last.transaction
  }
  if (!json) context.out(count === 0 ? `No conflict is ${state}.\n` : `${counted(count, `${state} conflict`)}.\n`)
  return 0
}

function cellsOf({ attempt, transaction, entries }: Conflict<ConflictOutline>): readonly string[] {
  const shown = entries.find(({ reason }) => reason !== 'with_transaction') ?? entries[0]
  const what = shown === undefined ? '' : `${shown.operation} of ${shown.collection} ${shown.row}`
  const settlings = [...new Set(entries.flatMap(({ settledAs }) => settledAs ?? []))]
  const more = entries.length === 1 ? '' : `and ${entries.length - 1} more`
  return [attempt, timeOfId(transaction), shown?.reason ?? '', ...settlings, what, more]
}

function conflictText({ attempt, transaction, source, settledAs, entries }: Conflict): string {
  const state = settledAs === null ? 'open' : `settled: ${settledAs}`
  const lines = [`${attempt}  ${timeOfId(transaction)}  ${state}`, `from the file ${source}`]
  for (const { position, operation, collection, row, reason, settledAs: as, old, ours, theirs } of entries) {
    const outcome = as === null || as === settledAs ? '' : `, settled: ${as}`
    lines.push('', `${position}. ${operation} of ${collection} ${row}: ${reason}${outcome}`)
    lines.push(...table([['', 'before', 'ours', 'theirs'], ...differences(old, ours, theirs)], 40))
  }
  return `${lines.join('\n')}\n`
}

/** The columns in which the three are not the same; the first row says which of them is no row at all. */
function differences(old: Image | null, ours: Image | null, theirs: Image | null): readonly string[][] {
  const images = [old, ours, theirs]
  const names = [...new Set(images.flatMap((image) => Object.keys(image ?? {})))]
  const rows = names
    .map((name) => [name, ...images.map((image) => cellOf(image, name))])
    .filter(([, first, ...rest]) => rest.some((cell) => cell !== first))
  return [['', ...images.map((image) => (image === null ? '(no row)' : ''))], ...rows].filter((cells) =>
    cells.some((cell) => cell !== ''),
  )
}

/** Control characters of a row must not reach the terminal. */
function cellOf(image: Image | null, name: string): string {
  if (image === null) return ''
  const value = image[name] ?? null
  return value === null ? 'NULL' : JSON.stringify(value.length > 200 ? `${value.slice(0, 200)}...` : value)
}

function settled(context: CommandContext, json: boolean, id: string, outcome: Settling): StoreExit {
  if (json) context.out(line({ event: 'settling', id, ...outcome }))
  else {
    const isDone = outcome.is === 'settled' || outcome.is === 'settled-before'
    const text = `${settlingSentence(outcome)}\n`
    if (isDone) context.out(text)
    else context.err(`holdfast: ${text}`)
  }
  if (outcome.is === 'absent') return 1
  return outcome.is === 'settled' || outcome.is === 'settled-before' ? 0 : 3
}

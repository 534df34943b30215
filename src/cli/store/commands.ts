import { durationsInMilliseconds, readQuantity } from '../../config/quantity.ts'
import type { Command, CommandContext, Given } from '../command.ts'
import type { ConflictsAction } from './conflicts.ts'

/** What is deleted unless `--older-than` says otherwise is older than this. */
const pruneMs = 30 * 86_400_000

/** The commands on databases. Their modules are loaded when they run: a start needs none of them. */
export const storeCommands: Readonly<Record<string, Command>> = {
  replay: {
    flags: ['json', 'all-rows'],
    words: (words) => (words.length > 1 ? '"replay" accepts one file' : null),
    run: async (given, context) => {
      const { replayCommand } = await import('./replay.ts')
      const [file = null] = given.words
      const allRows = given.flags.has('all-rows')
      return await replayCommand(context, { ...optionsOf(given, context), file, allRows })
    },
  },
  journal: {
    flags: ['json'],
    words: ([verb, , more]) =>
      verb === 'list' && more === undefined ? null : 'write "journal list", then perhaps a file',
    run: async (given, context) => {
      const { journalListCommand } = await import('./journal-list.ts')
      const [, file = null] = given.words
      return await journalListCommand(context, { ...optionsOf(given, context), file })
    },
  },
  conflicts: {
    flags: ['json'],
    words: (words) =>
      actionOf(words) === null
        ? 'write "conflicts" with "list", "list settled", "show ID", "take ours ID", "take theirs ID" or "retry ID"'
        : null,
    run: async (given, context) => {
      const { conflictsCommand } = await import('./conflicts.ts')
      const action = actionOf(given.words)
      if (action === null) throw new Error('unreachable: the words were read before')
      return await conflictsCommand(context, { ...optionsOf(given, context), action })
    },
  },
  prune: {
    flags: ['json', 'older-than'],
    run: async (given, context) => {
      const { pruneCommand } = await import('./prune.ts')
      const olderThanMs =
        given.olderThan === null ? pruneMs : readQuantity(given.olderThan.trim(), durationsInMilliseconds)
      const isTime = typeof olderThanMs === 'number' && /[a-z]$/i.test(given.olderThan ?? 'd')
      // No watermark lies before 1970.
      if (!isTime || olderThanMs < 0 || olderThanMs > Date.now()) {
        context.err('holdfast: "--older-than" is a time such as 12h or 90d. See "holdfast --help".\n')
        return 1
      }
      return await pruneCommand(context, { ...optionsOf(given, context), olderThanMs })
    },
  },
}

function optionsOf(
  { flags }: Given,
  context: CommandContext,
): { readonly json: boolean; readonly signal: AbortSignal } {
  return { json: flags.has('json'), signal: context.interrupted() }
}

/** Null: that is not an action. */
function actionOf(words: readonly string[]): ConflictsAction | null {
  const [verb, second, third] = words
  if (verb === 'list' && words.length === 1) return { do: 'list', state: 'open' }
  if (verb === 'list' && second === 'settled' && words.length === 2) return { do: 'list', state: second }
  if ((verb === 'show' || verb === 'retry') && second !== undefined && words.length === 2)
    return { do: verb, id: second }
  if (verb !== 'take' || (second !== 'ours' && second !== 'theirs') || third === undefined || words.length !== 3)
    return null
  return { do: 'take', side: second, id: third }
}

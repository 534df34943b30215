import type { Command } from '../command.ts'

/** A time with its zone: without one it would mean another moment on each machine. */
const timeForm = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?\s?(Z|[+-]\d\d:?\d\d)$/i

/** The commands on archives. Their modules are loaded when they run: a start needs none of them. */
export const archiveCommands: Readonly<Record<string, Command>> = {
  restore: {
    flags: ['json', 'at', 'to', 'lineage', 'dry-run'],
    run: async ({ flags, at, to, lineage }, context) => {
      const atMs = at === null ? null : timeForm.test(at.trim()) ? Date.parse(at.trim()) : Number.NaN
      if (Number.isNaN(atMs)) {
        context.err('holdfast: "--at" is a time with its zone, such as 2027-01-31T18:00:00Z. See "holdfast --help".\n')
        return 1
      }
      if (to?.trim() === '') {
        context.err('holdfast: "--to" is a folder. See "holdfast --help".\n')
        return 1
      }
      const { restoreCommand } = await import('./restore.ts')
      const options = { json: flags.has('json'), signal: context.interrupted() }
      return await restoreCommand(context, { ...options, atMs, to, lineage, isDry: flags.has('dry-run') })
    },
  },
  archive: {
    flags: ['json'],
    words: ([verb, more]) =>
      (verb === 'list' || verb === 'export') && more === undefined ? null : 'write "archive list" or "archive export"',
    run: async ({ flags, words: [verb] }, context) => {
      const options = { json: flags.has('json'), signal: context.interrupted() }
      if (verb === 'export') {
        const { archiveExportCommand } = await import('./export.ts')
        return await archiveExportCommand(context, options)
      }
      const { archiveListCommand } = await import('./list.ts')
      return await archiveListCommand(context, options)
    },
  },
}

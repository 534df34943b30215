import { pruneClaims } from '../../journal/claims.ts'
import type { CommandContext } from '../command.ts'
import { counted, line, type StoreCommandOptions, type StoreExit, withStores } from './command.ts'
import { ProgressLine } from './progress.ts'

/** `holdfast prune`: deletes what makes old files harmless; such a file is parked from then on, never applied. */
export async function pruneCommand(
  context: CommandContext,
  options: StoreCommandOptions & { readonly olderThanMs: number },
): Promise<StoreExit> {
  return await withStores(context, options, async (stores) => {
    const { json, olderThanMs, signal } = options
    const primary = await stores.primary(signal)
    const progress = new ProgressLine({ json, out: context.out, terminal: context.terminal })
    const now = Date.now()
    const deleted = await pruneClaims(primary, primary.attempts, now - olderThanMs, now, signal, (done) => {
      progress.update(done, null)
    }).finally(() => progress.end())
    const before = new Date(now - olderThanMs).toISOString()
    if (json) context.out(line({ event: 'pruned', label: primary.label, claims: deleted, before }))
    else context.out(`Deleted ${counted(deleted, 'claim')}. Changes from before ${before} are parked from now on.\n`)
    return 0
  })
}

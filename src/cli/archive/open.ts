import { FormatError } from '../../archive/format/format-error.ts'
import { readInventory } from '../../archive/restore/inventory.ts'
import type { Inventory } from '../../archive/restore/plan.ts'
import { archiveCredentials, openTarget } from '../../archive/target/config.ts'
import { type ArchiveTarget, TargetError } from '../../archive/target/target.ts'
import { systemClock } from '../../database/store/clock.ts'
import { type Resolution, resolveAll } from '../../service/resolve.ts'
import type { CommandContext } from '../command.ts'
import { guarded, type StoreCommandOptions, type StoreExit } from '../store/command.ts'
import { CommandFailure } from '../store/open.ts'

/** The archive of a command. */
export interface CommandArchive {
  readonly found: Resolution
  readonly target: ArchiveTarget
  /** What is there. Rejects with a `CommandFailure` where that is nothing. */
  inventory(): Promise<Inventory>
}

/** Runs a command on the archive that the settings name; prints why it cannot go on. */
export async function withArchive(
  context: CommandContext,
  options: StoreCommandOptions,
  work: (archive: CommandArchive) => Promise<StoreExit>,
): Promise<StoreExit> {
  return await guarded(context, options, async () => {
    const found = await resolveAll(context)
    const target = targetOf(found)
    const inventory = async (): Promise<Inventory> => {
      const read = await readInventory(target, options.signal)
      if (read === null)
        throw new CommandFailure(
          3,
          `Nothing was archived in ${target.label}.`,
          'Check the prefix or folder in ARCHIVE_URL.',
        )
      return read
    }
    try {
      return await work({ found, target, inventory })
    } catch (error) {
      options.signal.throwIfAborted()
      if (error instanceof TargetError) throw new CommandFailure(3, `${target.label}: ${error.message}`, error.hint)
      if (!(error instanceof FormatError)) throw error
      const hint = error.fault === 'newer' ? 'Use the release that wrote it.' : 'Restore it from a copy of the archive.'
      throw new CommandFailure(3, `${target.label}: ${error.message}`, hint)
    }
  })
}

function targetOf({ archive, resolved }: Resolution): ArchiveTarget {
  const wrong = archive.problems.find(({ severity }) => severity === 'error')
  if (wrong !== undefined) throw new CommandFailure(2, wrong.message, wrong.suggestion)
  if (archive.place === null) throw new CommandFailure(2, 'ARCHIVE_URL is not set.', 'Set it to the archive.')
  const tools = { clock: systemClock, random: Math.random }
  return openTarget(archive.place, () => archiveCredentials(resolved.settings), tools)
}

/** `3.2 MiB` for 3355443. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}

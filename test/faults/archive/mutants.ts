import { bundleProgram } from '../../support/bundle.ts'
import type { Mutant } from '../mutant/mutants.ts'
import type { Caught } from '../mutant/run.ts'
import { mutatedTree } from '../mutant/tree.ts'
import { withCleaning } from '../schedule/run.ts'
import { program } from '../stage/stage.ts'
import type { ArchiveKind } from './place.ts'
import { runArchiveSchedule } from './run.ts'
import { archiveSchedules } from './schedule/all.ts'

/** Each breaks one sentence of what is said of the archive. */
export const archiveMutants: readonly Mutant[] = [
  {
    name: 'a segment past the last sync',
    edits: [
      {
        file: 'plugins/sqlite/archive/source.ts',
        find: 'if (end !== cutter.framesCut()) await this.#durable()',
        replacement: '',
      },
    ],
    caughtBy: 'a power cut: what was not synced is not in the archive, and does not come back from it',
  },
  {
    name: 'a checkpoint before shipping',
    edits: [
      {
        file: 'plugins/sqlite/archive/source.ts',
        find: 'for (let cut = await this.#rest(); cut !== null; cut = await this.#rest()) rest.push(cut)',
        replacement: '',
      },
      {
        file: 'plugins/sqlite/archive/source.ts',
        find: 'cutMost: () => this.#keepAll(keep),',
        replacement: 'cutMost: async () => 0,',
      },
    ],
    caughtBy: 'the -wal is carried again and again under load: nothing is missing that was written in between',
  },
  {
    name: 'hole ignored',
    edits: [
      {
        file: 'src/archive/restore/plan.ts',
        find: 'if (dense === -1) {',
        replacement: 'if (dense !== -2) {',
      },
      {
        file: 'src/archive/restore/chain.ts',
        find: 'this.#last.hash !== null && head.previous !== this.#last.hash',
        replacement: 'false',
      },
    ],
    caughtBy: 'a segment is missing: what is before it is there, nothing behind it is, and it is named',
  },
  {
    name: 'fence ignored',
    edits: [
      {
        file: 'src/archive/ship/put-segment.ts',
        find: "return hash === segment.hash ? 'stored'",
        replacement: "return hash !== '' ? 'stored'",
      },
    ],
    caughtBy: 'a zombie after a restart: replaced, it never says archived again, and nothing of it is in the rows',
  },
  {
    name: 'leftover -wal',
    edits: [
      {
        file: 'plugins/sqlite/archive/rebuild.ts',
        find: 'if ((await lstat(path).catch(() => null)) === null) continue',
        replacement: 'if (path !== null) continue',
      },
    ],
    caughtBy: 'a -wal of another life lies where the file is to be: nothing of it is in the rows',
  },
]

/** Runs each mutant under its own schedule. */
export async function runArchiveMutants(
  kind: ArchiveKind,
  only: readonly string[],
  told: (caught: Caught) => void,
): Promise<readonly Caught[]> {
  const results: Caught[] = []
  for (const mutant of archiveMutants) {
    if (only.length > 0 && !only.includes(mutant.name)) continue
    const result = await runMutant(kind, mutant)
    results.push(result)
    told(result)
  }
  return results
}

async function runMutant(kind: ArchiveKind, mutant: Mutant): Promise<Caught> {
  const schedule = archiveSchedules.find(({ name }) => name === mutant.caughtBy)
  if (schedule === undefined) throw new Error(`There is no schedule "${mutant.caughtBy}".`)
  const said = await withCleaning(async (t) => {
    const entry = await bundleProgram(t, program, await mutatedTree(t, mutant))
    return await runArchiveSchedule(t, schedule, { entry }, kind).then(
      () => '',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
  })
  return { name: mutant.name, schedule: mutant.caughtBy, isCaught: said !== '', said }
}

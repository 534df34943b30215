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
export const archiveMutants: readonly Mutant[] = []

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

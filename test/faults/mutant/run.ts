import { bundleProgram } from '../../support/bundle.ts'
import type { Cleanup } from '../../support/temp.ts'
import { scheduleNamed } from '../schedule/all.ts'
import { runSchedule, withCleaning } from '../schedule/run.ts'
import { type FaultyServer, program, type ServerKind, startServer } from '../stage/stage.ts'
import { type Mutant, mutants } from './mutants.ts'
import { mutatedTree } from './tree.ts'

/** What became of a mutant. */
export interface Caught {
  readonly name: string
  readonly schedule: string
  readonly isCaught: boolean
  /** What the schedule said; empty when it noticed nothing. */
  readonly said: string
}

/** Runs each mutant under its own schedule. */
export async function runMutants(
  t: Cleanup,
  kind: ServerKind,
  only: readonly string[],
  told: (caught: Caught) => void,
): Promise<readonly Caught[]> {
  const server = await startServer(t, kind)
  const results: Caught[] = []
  for (const mutant of mutants) {
    if (only.length > 0 && !only.includes(mutant.name)) continue
    const result = await runMutant(kind, server, mutant)
    results.push(result)
    told(result)
  }
  return results
}

async function runMutant(kind: ServerKind, server: FaultyServer, mutant: Mutant): Promise<Caught> {
  const said = await withCleaning(async (t) => {
    const entry = await bundleProgram(t, program, await mutatedTree(t, mutant))
    return await runSchedule(t, scheduleNamed(mutant.caughtBy), { kind, entry, server }).then(
      () => '',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
  })
  return { name: mutant.name, schedule: mutant.caughtBy, isCaught: said !== '', said }
}

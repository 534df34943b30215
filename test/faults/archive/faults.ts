import { table } from '../../bench/statistics.ts'
import { bundleProgram } from '../../support/bundle.ts'
import type { FaultsOptions } from '../options.ts'
import { withCleaning } from '../schedule/run.ts'
import { program, type ServerKind } from '../stage/stage.ts'
import { type ArchiveOutcome, runArchiveHistory } from './archive-history.ts'
import { runArchiveMutants } from './mutants.ts'
import type { ArchiveKind } from './place.ts'
import { runArchiveSchedule, whyNotHere } from './run.ts'
import { archiveSchedules } from './schedule/all.ts'

/** Without a primary, before an archive. */
export type ArchiveFaultsOptions = FaultsOptions & { readonly on: ArchiveKind }

/** Whether it is an archive's target, not a primary. */
export function isArchive(on: ServerKind | ArchiveKind): on is ArchiveKind {
  return on === 's3' || on === 'folder'
}

/** `npm run faults -- --on s3`; true: nothing was wrong. */
export async function archiveHistory({ on, minutes, json, ...rest }: ArchiveFaultsOptions): Promise<boolean> {
  if (!json) console.log(`seed ${rest.seed}; ${minutes} min on ${on}`)
  const outcome = await withCleaning(async (t) => {
    const entry = await bundleProgram(t, program)
    return await runArchiveHistory(t, { entry }, on, { ...rest, seconds: minutes * 60 })
  })
  const { output, ...figures } = outcome
  if (json) console.log(JSON.stringify({ on, minutes, seed: rest.seed, ...figures }))
  else console.log(summary(outcome))
  return outcome.violations.length + outcome.failures.length === 0
}

/** `npm run faults -- --on s3 --schedules`; true: each ended as it had to. */
export async function archiveDirected({ on, only, json }: ArchiveFaultsOptions): Promise<boolean> {
  return await withCleaning(async (t) => {
    const entry = await bundleProgram(t, program)
    let isRight = true
    for (const schedule of archiveSchedules) {
      if (!schedule.on.includes(on) || (only.length > 0 && !only.includes(schedule.name))) continue
      const missing = whyNotHere(schedule)
      if (missing !== false) {
        if (json) console.log(JSON.stringify({ schedule: schedule.name, skipped: missing }))
        else console.log(`skipped ${schedule.name}: ${missing}`)
        continue
      }
      const beganMs = performance.now()
      const error = await withCleaning((own) => runArchiveSchedule(own, schedule, { entry }, on)).then(
        () => null,
        (failure: unknown) => (failure instanceof Error ? failure.message : String(failure)),
      )
      const tookMs = Math.round(performance.now() - beganMs)
      if (json) console.log(JSON.stringify({ schedule: schedule.name, error, tookMs }))
      else
        console.log(
          `${error === null ? 'ok' : 'FAILED'} ${schedule.name} (${tookMs} ms)${error === null ? '' : `\n${error}`}`,
        )
      isRight &&= error === null
    }
    return isRight
  })
}

/** `npm run faults -- --on s3 --mutants`; true: each was noticed. */
export async function archiveMutantRuns({ on, only, json }: ArchiveFaultsOptions): Promise<boolean> {
  const results = await runArchiveMutants(on, only, ({ name, schedule, isCaught, said }) => {
    if (json) console.log(JSON.stringify({ mutant: name, schedule, isCaught, said }))
    else console.log(`${isCaught ? 'caught' : 'MISSED'} ${name}, by "${schedule}"\n  ${said.split('\n')[0]}`)
  })
  return results.every(({ isCaught }) => isCaught)
}

function summary({
  rounds,
  acknowledged,
  archived,
  gone,
  unknown,
  refused,
  violations,
  failures,
}: ArchiveOutcome): string {
  const wrong = [...violations.map((one) => `${one.wrong}: ${one.what}`), ...failures]
  return [
    table([
      ['what', 'value'],
      ['rounds', String(rounds)],
      ['acknowledged', String(acknowledged)],
      ['of them archived', String(archived)],
      ['lost with a disk, as they may be', String(gone)],
      ['unknown', String(unknown)],
      ['refused', String(refused)],
    ]),
    '',
    wrong.length === 0 ? 'No violation.' : `Violations:\n${wrong.join('\n')}`,
  ].join('\n')
}

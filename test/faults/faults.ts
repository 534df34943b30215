/**
 * `npm run faults [-- --minutes 60 --seed 1 --on mysql --json]`: real processes on a private server behind proxies that
 * misbehave, under load, and afterwards everything that was acknowledged is looked for. `--on s3` and `--on folder`: processes
 * without a primary that are killed, and their disks emptied, before an archive. `--schedules` runs the directed
 * schedules, `--mutants` breaks the product on purpose and says which schedule noticed. Ends with 1 when anything was not as
 * it has to be, and says what.
 */
import { writeFileSync } from 'node:fs'
import { bundleProgram } from '../support/bundle.ts'
import { archiveDirected, archiveHistory, archiveMutantRuns, isArchive } from './archive/faults.ts'
import { runHistory } from './load/random-history.ts'
import { runMutants } from './mutant/run.ts'
import { type FaultsOptions, readOptions } from './options.ts'
import { schedules } from './schedule/all.ts'
import { runSchedule, withCleaning } from './schedule/run.ts'
import { program, type ServerKind, startServer } from './stage/stage.ts'
import { figuresOf, growthOf, isLeak, summary } from './summary.ts'

const options = readOptions(process.argv.slice(2))
const modes = { history, schedules: directed, mutants } as const
const archiveModes = { history: archiveHistory, schedules: archiveDirected, mutants: archiveMutantRuns } as const
const { on: asked } = options
const isRight = isArchive(asked)
  ? await archiveModes[options.mode]({ ...options, on: asked })
  : await modes[options.mode]({ ...options, on: asked })
process.exit(isRight ? 0 : 1)

/** With a primary. */
type ServerFaultsOptions = FaultsOptions & { readonly on: ServerKind }

async function history({ on, minutes, seed, everyS, json, log, ...rest }: ServerFaultsOptions): Promise<boolean> {
  const wanted = { ...rest, seed, seconds: minutes * 60, everyMs: everyS * 1_000, pace: 1, log }
  if (!json) console.log(`seed ${seed}; ${minutes} min on ${on}`)
  const outcome = await withCleaning(async (t) => {
    const [entry, server] = await Promise.all([bundleProgram(t, program), startServer(t, on)])
    return await runHistory(t, { kind: on, server, entry }, wanted)
  })
  const growth = growthOf(outcome.measured, wanted.seconds)
  for (const [at, text] of outcome.output.entries()) if (log !== null) writeFileSync(`${log}.${at + 1}`, text)
  const { violations } = outcome.verdict
  if (json)
    console.log(
      JSON.stringify({
        on,
        minutes,
        ...figuresOf(seed, outcome.verdict),
        growthMbPerHour: growth,
        evidence: violations,
      }),
    )
  else console.log(summary(wanted, outcome))
  return violations.length === 0 && !isLeak(growth)
}

async function directed({ on, only, json }: ServerFaultsOptions): Promise<boolean> {
  return await withCleaning(async (t) => {
    const [entry, server] = await Promise.all([bundleProgram(t, program), startServer(t, on)])
    const failed: string[] = []
    for (const schedule of schedules) {
      if (schedule.on !== undefined && !schedule.on.includes(on)) continue
      if (only.length > 0 && !only.includes(schedule.name)) continue
      const beganMs = performance.now()
      const error = await withCleaning((own) => runSchedule(own, schedule, { kind: on, entry, server })).then(
        () => null,
        (failure: unknown) => (failure instanceof Error ? failure.message : String(failure)),
      )
      const tookMs = Math.round(performance.now() - beganMs)
      if (json) console.log(JSON.stringify({ schedule: schedule.name, error, tookMs }))
      else
        console.log(
          `${error === null ? 'ok' : 'FAILED'} ${schedule.name} (${tookMs} ms)${error === null ? '' : `\n${error}`}`,
        )
      if (error !== null) failed.push(schedule.name)
    }
    return failed.length === 0
  })
}

async function mutants({ on, only, json }: ServerFaultsOptions): Promise<boolean> {
  const results = await withCleaning((t) =>
    runMutants(t, on, only, ({ name, schedule, isCaught, said }) => {
      if (json) console.log(JSON.stringify({ mutant: name, schedule, isCaught, said }))
      else console.log(`${isCaught ? 'caught' : 'MISSED'} ${name}, by "${schedule}"\n  ${said.split('\n')[0]}`)
    }),
  )
  return results.every(({ isCaught }) => isCaught)
}

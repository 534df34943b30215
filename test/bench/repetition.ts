import { type Postgres, startPostgres } from '../support/servers/postgres.ts'
import type { Cleanup } from '../support/temp.ts'
import { type Case, cases, collectionPath } from './cases.ts'
import type { Contestant } from './contestant.ts'
import { measureInTurn, type Sample, type Seeded, seed } from './measure.ts'
import { type BenchOptions, withCleanup } from './options.ts'
import { residentMb } from './process-meter.ts'

/** Starts one contestant on an empty database. */
export type Enter = (t: Cleanup, url?: string) => Promise<Contestant>

/** What one repetition measured of one contestant. */
export interface Measured {
  /** In the order of the cases. */
  readonly samples: readonly Sample[]
  /** Megabytes of memory after the first answer, and after all cases. */
  readonly idleMb: number
  readonly loadedMb: number
}

/** The cases that the options name. */
export function wantedCases({ only }: Pick<BenchOptions, 'only'>): readonly Case[] {
  return cases.filter(({ name }) => only.length === 0 || only.includes(name))
}

/**
 * Measures all contestants in turn, as often as the options say; gives what each repetition measured of each contestant.
 *
 * Each repetition starts all of them as new processes on new databases, because what V8 decides in one process moves its
 * speed by some percent from the next: more measurements of the same processes would not show it.
 */
export async function repeat(
  t: Cleanup,
  options: BenchOptions,
  enters: readonly Enter[],
): Promise<readonly (readonly Measured[])[]> {
  const settings = ['fsync = on', 'shared_buffers = 128MB', 'max_connections = 100']
  const server = options.on === 'postgresql' ? await startPostgres(t, { settings }) : null
  const repetitions: (readonly Measured[])[] = []
  for (let at = 0; at < options.repeat; at += 1) {
    const turned = <T>(list: readonly T[]) => (at % 2 === 0 ? list : list.toReversed())
    const measured = await withCleanup((scope) => repeatOnce(scope, options, turned(enters), server))
    repetitions.push(turned(measured))
    if (options.repeat > 1) process.stderr.write(`repetition ${at + 1} of ${options.repeat}\n`)
  }
  return repetitions
}

async function repeatOnce(
  t: Cleanup,
  options: BenchOptions,
  enters: readonly Enter[],
  server: Postgres | null,
): Promise<readonly Measured[]> {
  const contestants: Seeded[] = []
  const idleMb: number[] = []
  for (const enter of enters) {
    const one = await enter(t, server?.url(await server.createDatabase()))
    await (await fetch(`http://127.0.0.1:${one.port}${collectionPath}`)).text()
    idleMb.push(residentMb(one.running.pid))
    contestants.push(await seed(one, options.rows))
  }
  const samples: (readonly Sample[])[] = []
  for (const one of wantedCases(options)) {
    await measureInTurn(one, contestants, options.warmUpSeconds)
    samples.push(await measureInTurn(one, contestants, options.seconds))
  }
  return contestants.map(({ running: { pid } }, at) => ({
    samples: samples.flatMap((all) => all[at] ?? []), // Each case has a sample of each contestant.
    idleMb: idleMb[at] ?? Number.NaN,
    loadedMb: residentMb(pid),
  }))
}

import { startPostgres } from '../support/servers/postgres.ts'
import type { Cleanup } from '../support/temp.ts'
import { type Contestant, enter, load, names, residentMb } from './contestant.ts'
import { type Case, cases, measureInTurn, type Sample, type Seeded, seed } from './measure.ts'
import type { BenchOptions } from './options.ts'
import { ratiosOf, showSpread, spreadOf, table } from './statistics.ts'

/** Prints requests per second and processor time as ratios to the server written by hand, memory, and what health costs. */
export async function compareByHand(t: Cleanup, options: BenchOptions): Promise<void> {
  const addresses = await makeDatabases(t, options)
  const contestants = await Promise.all(names.map((name, at) => enter(t, name, addresses[at])))
  const seeded: Seeded[] = []
  const idleMb = new Map<string, number>()
  for (const one of contestants) {
    await fetch(`http://127.0.0.1:${one.port}/api/feedback`)
    idleMb.set(one.name, residentMb(one.running.pid))
    seeded.push(await seed(one, options.rows))
  }

  const rows = [['case', 'by hand, requests/s', 'holdfast, requests/s', 'ratio', 'goal', '']]
  const works = [['processor time per request', 'by hand, µs', 'holdfast, µs', 'ratio']]
  for (const one of cases.filter(({ name }) => options.only.length === 0 || options.only.includes(name))) {
    const samples = await repeat(one, seeded, options)
    const speeds = samples.map((all) => all.map(({ perSecond }) => perSecond))
    const ratio = spreadOf(ratiosOf(speeds[1], speeds[0]))
    const goal = one.goals[options.on]
    const verdict = ratio.median >= goal ? 'reached' : 'missed'
    rows.push([
      one.name,
      ...speeds.map((all) => showSpread(spreadOf(all), 0)),
      showSpread(ratio),
      String(goal),
      verdict,
    ])
    const times = samples.map((all) => all.map(({ cpuUs }) => cpuUs))
    const saved = spreadOf(ratiosOf(times[0], times[1]))
    works.push([one.name, ...times.map((all) => showSpread(spreadOf(all), 0)), showSpread(saved)])
  }
  console.log(
    `On ${options.on}: ${options.repeat} repetitions of ${options.seconds} s, in turn; ${options.rows} rows; median (least to most)\n`,
  )
  console.log(`${table(rows)}\n\n${table(works)}`)

  const health = await measureHealth(contestants, options)
  const memory = [
    ['memory, MB', 'after its first answer', 'after load'],
    ...contestants.map((one) => memoryRow(one, idleMb)),
  ]
  console.log(`\n${table(memory)}\n\n${table(health)}`)
}

/** A database for each contestant, on one server with PostgreSQL's own defaults; none on SQLite. */
async function makeDatabases(t: Cleanup, { on }: BenchOptions): Promise<readonly { readonly url: string }[]> {
  if (on === 'sqlite') return []
  const server = await startPostgres(t, { settings: ['fsync = on', 'shared_buffers = 128MB'] })
  const databases = [await server.createDatabase(), await server.createDatabase()]
  return databases.map((name) => ({ url: server.url(name) }))
}

/** The samples of each contestant. */
async function repeat(
  one: Case,
  contestants: readonly Seeded[],
  options: BenchOptions,
): Promise<readonly (readonly Sample[])[]> {
  const rounds: (readonly Sample[])[] = []
  for (let round = 0; round < options.repeat; round += 1) {
    rounds.push(await measureInTurn(one, contestants, options.seconds))
  }
  return contestants.map((_, at) => rounds.flatMap((samples) => samples[at] ?? []))
}

async function measureHealth(contestants: readonly Contestant[], options: BenchOptions): Promise<string[][]> {
  const rows = [['health, one connection, ms there and back', 'p50', 'p99']]
  for (const one of contestants) {
    const result = await load({
      ...{ port: one.port, connections: 1, seconds: Math.min(options.seconds, 2) },
      ...{ method: 'GET', paths: ['/health'] },
    })
    rows.push([one.name, result.p50Ms.toFixed(3), result.p99Ms.toFixed(3)])
  }
  return rows
}

function memoryRow(one: Contestant, idleMb: ReadonlyMap<string, number>): string[] {
  return [one.name, (idleMb.get(one.name) ?? Number.NaN).toFixed(0), residentMb(one.running.pid).toFixed(0)]
}

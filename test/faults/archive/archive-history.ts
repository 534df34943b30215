import { appendFileSync } from 'node:fs'
import type { Cleanup } from '../../support/temp.ts'
import type { RestoreViolation } from '../history/archive-judge.ts'
import { createRandom, type Random } from '../load/random.ts'
import type { Actor } from '../stage/actor.ts'
import { type ArchiveStage, ArchiveWorld } from './archive-world.ts'
import { type ArchiveKind, makePlace } from './place.ts'
import { type Course, roundsOf } from './rounds.ts'

/** How long and how hard the history of an archive is. */
export interface ArchiveHistoryOptions {
  readonly seed: number
  readonly seconds: number
  /** It goes on until so many writes have said `archived`, for at most ten times as long. */
  readonly archivedMin?: number
  /** Writes per second of all clients together. */
  readonly rate: number
  readonly connections: number
  /** Names of rounds; empty: all. */
  readonly only: readonly string[]
  /** A file that gets a JSON line for each round; null: none. */
  readonly log: string | null
}

/** What became of it. */
export interface ArchiveOutcome {
  readonly rounds: number
  readonly acknowledged: number
  /** Of them those that said `archived`. */
  readonly archived: number
  /** Acknowledged without that, and lost with a disk, as may be. */
  readonly gone: number
  readonly unknown: number
  readonly refused: number
  readonly violations: readonly RestoreViolation[]
  /** What was found to be wrong in other ways, and the rounds that did not come to their end. */
  readonly failures: readonly string[]
  readonly output: string
}

/** So many findings are enough. */
const findingsMax = 20

/** Kills, empties and replaces processes under load, one round after another, and judges after each. */
export async function runArchiveHistory(
  t: Cleanup,
  stage: ArchiveStage,
  kind: ArchiveKind,
  options: ArchiveHistoryOptions,
): Promise<ArchiveOutcome> {
  const world = new ArchiveWorld(t, stage, await makePlace(t, kind))
  const random = createRandom(options.seed)
  const rounds = roundsOf(world.place)
  const [first = '', ...others] = options.only.length === 0 ? Object.keys(rounds) : options.only
  const violations: RestoreViolation[] = []
  const failures: string[] = []
  const course = makeCourse(world, await world.start(), random, options, violations)
  const beganMs = performance.now()
  const isOver = (): boolean => {
    const seconds = (performance.now() - beganMs) / 1_000
    const isEnough = seconds >= 10 * options.seconds || figuresOf(world).archived >= (options.archivedMin ?? 0)
    return (seconds >= options.seconds && isEnough) || violations.length + failures.length >= findingsMax
  }
  let done = 0
  while (!isOver()) {
    const name = random.pick([first, ...others])
    const roundMs = performance.now()
    const before = violations.length
    await (rounds[name] ?? unknownRound(name))(course).catch(async (error: Error) => {
      failures.push(`round ${done + 1}, "${name}": ${error.message}\n${world.logs()}`)
      await startAgain(world, course).catch((again: Error) => failures.push(`afterwards: ${again.message}`))
    })
    done += 1
    const found = violations.slice(before)
    if (options.log !== null) {
      const tookMs = Math.round(performance.now() - roundMs)
      const line = {
        at: new Date().toISOString(),
        round: done,
        name,
        tookMs,
        found,
        writes: world.history.writes.length,
      }
      appendFileSync(options.log, `${JSON.stringify(line)}\n`)
    }
  }
  return { ...figuresOf(world), rounds: done, violations, failures, output: world.logs() }
}

function makeCourse(
  world: ArchiveWorld,
  actor: Actor,
  random: Random,
  { rate, connections }: ArchiveHistoryOptions,
  violations: RestoreViolation[],
): Course {
  return {
    ...{
      world,
      actor,
      random,
      connections,
      everyMs: (connections / rate) * 1_000,
      writers: [],
      replaced: new Map<string, number>(),
    },
    async look(options) {
      violations.push(...(await world.look(this.actor, { replaced: this.replaced, ...options })))
    },
  }
}

/** After a round that failed: a new container, from what the archive has. */
async function startAgain(world: ArchiveWorld, course: Course): Promise<void> {
  await world.place.back().catch(() => undefined)
  await course.actor.kill()
  await Promise.all(course.writers.splice(0).map((stop) => stop()))
  course.actor = await world.start()
  await course.look({ isRestored: true })
}

function unknownRound(name: string): never {
  throw new Error(`There is no round "${name}".`)
}

function figuresOf(
  world: ArchiveWorld,
): Pick<ArchiveOutcome, 'acknowledged' | 'archived' | 'gone' | 'unknown' | 'refused'> {
  const { writes } = world.history
  const of = (ending: string): number => writes.filter((write) => write.ending === ending).length
  const archived = writes.filter(({ ending, durability }) => ending === 'acknowledged' && durability === 'archived')
  return {
    ...{ acknowledged: of('acknowledged'), archived: archived.length, gone: world.gone },
    ...{ unknown: of('unknown') + of('pending'), refused: of('refused') },
  }
}

import { join } from 'node:path'
import { repository } from '../../../support/process.ts'
import { signalTo } from '../../../support/servers/watchdog.ts'
import { within } from '../../../support/until.ts'
import { createRandom, type Random } from '../../load/random.ts'
import type { Actor } from '../../stage/actor.ts'
import type { ArchiveWorld } from '../archive-world.ts'
import { letLoose } from '../writer.ts'
import { type ArchiveSchedule, anywhere } from './archive-schedule.ts'

const killer = join(repository, 'test/faults/archive/step-killer.ts')

/** So long a process may live after its step did not come. */
const roundMs = 3_000

/** Characters of notes: a file that stays small is restored in no time. */
const sizes = [0, 40, 400] as const

/** At which step of which life a process ends. */
interface Death {
  readonly step: number
  readonly side: 'before' | 'after'
  /** True: counted from its start, when it restores; false: under load. */
  readonly isStarting: boolean
  readonly isEmptied: boolean
}

/** Killed between any two steps. */
export const steps: readonly ArchiveSchedule[] = [
  {
    name: 'killed between any two steps, 12 rounds',
    on: anywhere,
    isLong: true,
    run: (world) => killedAt(world, deaths(12, 7)),
  },
  {
    name: 'killed between any two steps, 100 rounds',
    on: anywhere,
    isLong: true,
    run: (world) => killedAt(world, deaths(100, 1), (line) => console.error(line)),
  },
]

/** Steps one after another, `stride` apart: both sides of each, at starts and under load, with and without the disk. */
function deaths(rounds: number, stride: number): readonly Death[] {
  return Array.from({ length: rounds }, (_, at) => ({
    step: 1 + Math.floor(at / 2) * stride,
    side: at % 4 < 2 ? 'before' : 'after',
    isStarting: at % 2 === 0,
    isEmptied: at % 3 !== 0,
  }))
}

/** What serves after one death dies at the next, where that is to be under load. */
async function killedAt(world: ArchiveWorld, planned: readonly Death[], tell?: (line: string) => void): Promise<void> {
  const random = createRandom(1)
  let actor = await world.start({ env: victimOf(planned[0]) })
  for (const [at, death] of planned.entries()) {
    const beganMs = performance.now()
    const { dir } = actor.service
    const hasDied = death.isStarting
      ? await diesStarting(world, actor, death, random)
      : await diesUnderLoad(actor, random)
    if (death.isEmptied) await world.emptyDisk(actor)
    actor = await world.start({ dir, env: victimOf(planned[at + 1]) })
    // A start that was emptied, and died in the middle, leaves what it had restored: nothing was written there.
    const isRestored = death.isEmptied || death.isStarting
    await world.restored(actor, { isRestored }).catch((error: Error) => {
      error.message = `${JSON.stringify(death)}\n${error.message}`
      throw error
    })
    const tookMs = Math.round(performance.now() - beganMs)
    tell?.(`${at + 1}: ${JSON.stringify({ ...death, hasDied, tookMs, writes: world.history.writes.length })}`)
  }
}

/** The settings of a process that is to die under load. */
function victimOf(death: Death | undefined): Readonly<Record<string, string>> {
  return death === undefined || death.isStarting ? {} : environmentOf(death)
}

function environmentOf({ step, side, isStarting }: Death): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import=${killer}`,
    KILL_AT_STEP: String(step),
    KILL_SIDE: side,
    KILL_FROM: isStarting ? 'start' : 'signal',
    ARCHIVE_INTERVAL: '0.05',
  }
}

/** Empties the disk, and starts a process that ends at its step, or a while after it was to come. */
async function diesStarting(world: ArchiveWorld, before: Actor, death: Death, random: Random): Promise<boolean> {
  await before.kill()
  await world.emptyDisk(before)
  // It may be over before it listens.
  const actor = await world
    .start({ dir: before.service.dir, env: environmentOf(death), isServing: false })
    .catch(() => null)
  return actor === null || (await underLoad(actor, random))
}

async function diesUnderLoad(actor: Actor, random: Random): Promise<boolean> {
  signalTo(actor.service.pid, 'SIGUSR2')
  return await underLoad(actor, random)
}

/** True: it ended by itself. */
async function underLoad(actor: Actor, random: Random): Promise<boolean> {
  const stop = letLoose(4, { actor, random, everyMs: 15, demanding: 0.3, sizes })
  const hasDied = await within(actor.service.exited, roundMs).then(
    () => true,
    () => false,
  )
  if (!hasDied) await actor.kill()
  await stop()
  return hasDied
}

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
  { name: 'killed between any two steps, 12 rounds', on: anywhere, run: (world) => killedAt(world, deaths(12, 7)) },
  {
    name: 'killed between any two steps, 100 rounds',
    on: anywhere,
    isLong: true,
    run: (world) => killedAt(world, deaths(100, 1)),
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

async function killedAt(world: ArchiveWorld, planned: readonly Death[]): Promise<void> {
  const random = createRandom(1)
  let actor = await world.start()
  for (const death of planned) {
    const { dir } = actor.service
    await actor.kill()
    if (death.isStarting) await world.emptyDisk(actor)
    await dies(world, dir, death, random)
    if (death.isEmptied) await world.emptyDisk(actor)
    actor = await world.start({ dir })
    // A start that was emptied, and died in the middle, leaves what it had restored: nothing was written there.
    const isRestored = death.isEmptied || death.isStarting
    await world.restored(actor, { isRestored }).catch((error: Error) => {
      error.message = `${JSON.stringify(death)}\n${error.message}`
      throw error
    })
  }
}

/** Starts a process that ends at its step, or a while after it was to come. */
async function dies(
  world: ArchiveWorld,
  dir: string,
  { step, side, isStarting }: Death,
  random: Random,
): Promise<void> {
  const env = {
    NODE_OPTIONS: `--import=${killer}`,
    KILL_AT_STEP: String(step),
    KILL_SIDE: side,
    KILL_FROM: isStarting ? 'start' : 'signal',
    ARCHIVE_INTERVAL: '0.05',
  }
  // It may be over before it listens.
  const actor = await world.start({ dir, env, isServing: !isStarting }).catch(() => null)
  if (actor === null) return
  if (!isStarting) signalTo(actor.service.pid, 'SIGUSR2')
  await underLoad(actor, random)
}

async function underLoad(actor: Actor, random: Random): Promise<void> {
  const stop = letLoose(4, { actor, random, everyMs: 15, demanding: 0.3 })
  await within(actor.service.exited, roundMs).catch(() => actor.kill())
  await stop()
}

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '../../load/client.ts'
import { createRandom } from '../../load/random.ts'
import type { Actor } from '../../stage/actor.ts'
import type { ArchiveWorld } from '../archive-world.ts'
import { letLoose } from '../writer.ts'
import { type ArchiveSchedule, anywhere } from './archive-schedule.ts'

/** Where Debian's `fiu-utils` has what fails calls of the C library. */
const libraries = '/usr/lib/fiu'

/** Why disks cannot fail here; false: they can. */
export const noFaultyDisk: string | false = existsSync(join(libraries, 'fiu_posix_preload.so'))
  ? false
  : 'libfiu (fiu-utils) is not installed'

/** What fails, one after the other, and how often. */
const points: readonly (readonly [name: string, probability: number])[] = [
  ['posix/io/sync/fdatasync', 0.1],
  ['posix/io/sync/fsync', 0.3],
  ['posix/io/rw/pwrite', 0.02],
  ['posix/io/rw/write', 0.02],
  ['posix/io/rw/pread', 0.02],
  ['posix/io/rw/read', 0.01],
  ['posix/io/oc/open', 0.1],
  ['posix/io/dir/rename', 0.3],
  ['posix/io/dir/unlink', 0.3],
  ['posix/io/rw/ftruncate', 0.5],
]

/** A disk that fails now and then. */
export const diskFaults: readonly ArchiveSchedule[] = [
  {
    name: 'calls to the disk fail at random: what was answered is in the file, and what said archived in the archive',
    isLong: true,
    on: anywhere,
    needsFaultyDisk: true,
    run: async (world) => {
      const random = createRandom(5)
      let { dir } = (await ended(await world.start())).service
      for (const [at, [point, probability]] of points.entries()) {
        const fault = `enable_random name=${point},probability=${probability}`
        dir = await underFaults(world, dir, fault, random.next()).catch((error: Error) => {
          error.message = `${point}: ${error.message}`
          throw error
        })
        const isRestored = at % 2 === 1
        const actor = await world.start({ dir })
        await world.restored(actor, { isRestored: false })
        await ended(actor)
        if (!isRestored) continue
        await world.emptyDisk(actor)
        const next = await world.start({ dir })
        await world.restored(next)
        await ended(next)
      }
    },
  },
]

/** Ends a process as a deployment does. */
async function ended(actor: Actor): Promise<Actor> {
  await actor.service.end('SIGTERM')
  return actor
}

/** A process whose calls fail while it is under load; resolves with its folder when it was killed. */
async function underFaults(world: ArchiveWorld, dir: string, fault: string, seed: number): Promise<string> {
  const random = createRandom(Math.floor(seed * 1_000_000))
  const pipe = join(dir, 'fiu')
  const preload = ['fiu_run_preload.so', 'fiu_posix_preload.so'].map((name) => join(libraries, name)).join(' ')
  const actor = await world.start({ dir, env: { LD_PRELOAD: preload, FIU_CTRL_FIFO: pipe } })
  const stop = letLoose(6, { actor, random, everyMs: 10, demanding: 0.3 })
  await pause(300)
  execFileSync('fiu-ctrl', ['-f', pipe, '-c', fault, String(actor.service.pid)], { timeout: 10_000 })
  await pause(2_000)
  await actor.kill()
  await stop()
  return dir
}

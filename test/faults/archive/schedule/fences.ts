import assert from 'node:assert/strict'
import { signalTo } from '../../../support/servers/watchdog.ts'
import { until } from '../../../support/until.ts'
import type { Actor } from '../../stage/actor.ts'
import { archivedDemand } from '../archive-world.ts'
import {
  type ArchiveSchedule,
  anywhere,
  bucketOf,
  createArchived,
  createRows,
  metricOf,
  warns,
} from './archive-schedule.ts'
import { archiving, assertDense } from './targets.ts'

/** Several processes, several stores, several releases at one archive. */
export const fences: readonly ArchiveSchedule[] = [
  {
    name: 'a zombie after a restart: replaced, it never says archived again, and nothing of it is in the rows',
    on: anywhere,
    run: async (world) => {
      const zombie = await archiving(world, await world.start())
      await createArchived(zombie)
      signalTo(zombie.service.pid, 'SIGSTOP')
      const replaced = new Map([[zombie.name, Date.now()]])
      const next = await world.start()
      await world.restored(next, { isRestored: true, replaced })
      await createArchived(await archiving(world, next))
      signalTo(zombie.service.pid, 'SIGCONT')
      await assertFenced(zombie)
      const last = await createArchived(next)
      await zombie.kill()
      const third = await world.replace(next)
      await world.restored(third, { isRestored: true, replaced })
      assert.ok((await world.rows(third)).some(({ token }) => token === last.write.token))
      await assertDense(world)
    },
  },
  {
    name: 'two containers at once: the later one archives, the other one is fenced and says so',
    on: anywhere,
    run: async (world) => {
      const first = await archiving(world, await world.start())
      await createRows(first, 5)
      const replaced = new Map([[first.name, Date.now()]])
      const second = await archiving(world, await world.start())
      await createRows(first, 3)
      await assertFenced(first)
      await createArchived(second)
      await first.kill()
      await world.restored(await world.replace(second), { isRestored: true, replaced })
    },
  },
  {
    name: 'two containers that start at the same moment: one history, and one of them is fenced',
    isLong: true,
    on: anywhere,
    run: async (world) => {
      const first = await archiving(world, await world.start())
      await createArchived(first)
      await first.kill()
      const both = await Promise.all([world.start(), world.start()])
      const says = async (): Promise<readonly boolean[] | null> => {
        const answers = await Promise.all(both.map((one) => one.create({}, archivedDemand)))
        const archived = answers.map(({ durability }) => durability === 'archived')
        return archived.filter(Boolean).length === 1 ? archived : null
      }
      const [isFirst] = await until(says, { withinMs: 30_000, everyMs: 50, what: 'one of them to be fenced' })
      const [winner, loser] = isFirst ? both : both.toReversed()
      assert.ok(winner !== undefined && loser !== undefined)
      await assertFenced(loser)
      await loser.kill()
      await createArchived(winner)
      const replaced = new Map([[loser.name, 0]])
      await world.restored(await world.replace(winner), { isRestored: true, replaced })
    },
  },
  ...(['ignored', 'unsupported'] as const).map(
    (conditions): ArchiveSchedule => ({
      name: `put-if-absent is ${conditions}: archived is never said, and the rows come back all the same`,
      ...(conditions === 'unsupported' ? { isLong: true as const } : {}),
      on: ['s3'],
      run: async (world) => {
        bucketOf(world).server.behaviour.conditions = conditions
        const first = await world.start()
        await createRows(first, 20)
        await warns(first, 'ARCHIVE_NOT_FENCING')
        assert.equal((await first.create({}, archivedDemand)).code, 'DURABILITY_UNMET')
        await caughtUp(first)
        const second = await world.replace(first)
        await world.restored(second, { isRestored: true, isShipped: true })
        await createRows(second, 5)
        await caughtUp(second)
        await world.restored(await world.replace(second), { isRestored: true, isShipped: true })
      },
    }),
  ),
  {
    name: "another store's prefix: refused with what is there, and nothing is written",
    on: anywhere,
    run: async (world) => {
      const mine = await archiving(world, await world.start())
      const before = await world.place.contents()
      await mine.kill()
      const other = await world.start({ place: null })
      await other.create()
      await other.service.end('SIGTERM')
      const again = await world.start({ dir: other.service.dir })
      await warns(again, 'ARCHIVE_OTHER_STORE')
      assert.equal((await again.create({}, archivedDemand)).code, 'DURABILITY_UNMET')
      await createRows(again, 3)
      assert.deepEqual(await world.place.contents(), before)
    },
  },
  {
    name: 'an archive of a newer format: refused, and nothing is written',
    on: anywhere,
    run: async (world) => {
      const mine = await archiving(world, await world.start())
      await createArchived(mine)
      await mine.kill()
      const root = JSON.parse(await world.place.read('archive.json'))
      await world.place.write('archive.json', JSON.stringify({ ...root, format: root.format + 1 }))
      const before = await world.place.contents()
      const again = await world.start({ dir: mine.service.dir })
      await warns(again, 'ARCHIVE_FORMAT_NEWER')
      assert.equal((await again.create({}, archivedDemand)).code, 'DURABILITY_UNMET')
      await createRows(again, 3)
      assert.deepEqual(await world.place.contents(), before)
    },
  },
]

/** Its next object meets a number that is taken: from then on it says so, and refuses what demands the archive. */
async function assertFenced(actor: Actor): Promise<void> {
  const look = async (): Promise<boolean> => {
    const { code, durability } = await actor.create({}, archivedDemand)
    assert.notEqual(durability, 'archived', `${actor.name} has been replaced`)
    return code === 'DURABILITY_UNMET'
  }
  await until(look, { withinMs: 20_000, everyMs: 50, what: `${actor.name} to be fenced` })
  await warns(actor, 'ARCHIVE_FENCED')
  assert.equal((await actor.create()).durability, 'local-ephemeral')
}

/** Waits until the archive has all that was answered; for targets on which nothing says `archived`. */
async function caughtUp(actor: Actor): Promise<void> {
  const look = async (): Promise<boolean> => (await metricOf(actor, 'holdfast_archive_lag_seconds')) === 0
  await until(look, { withinMs: 20_000, what: `${actor.name} to have no lag` })
}

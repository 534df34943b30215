import assert from 'node:assert/strict'
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { signalTo } from '../../support/servers/watchdog.ts'
import { makeTempDir, removeDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { pause } from '../load/client.ts'
import { createRandom } from '../load/random.ts'
import type { Actor } from '../stage/actor.ts'
import type { World } from '../stage/world.ts'
import { acknowledged, settles } from './expect.ts'
import type { Schedule } from './schedule.ts'

const journalDemand = 'durability=journal'

/** The first process of each schedule: it makes the tables, and knows the identity of the primary. */
interface ArchivedWorld {
  readonly actor: Actor
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}

/** Journals on disks that do not last, whose entries are archived. */
export const archivedEntries: readonly Schedule[] = [
  {
    name: 'disk emptied in an outage: what said journal is carried by the next container',
    on: ['postgresql'],
    run: async (world) => {
      const { actor, env } = await archived(world)
      await world.outage(actor)
      const id = acknowledged(await demanding(actor), 'fallback')
      const changed = await actor.change(id, { note: 'changed' }, journalDemand)
      assert.equal(changed.durability, 'journal')
      assert.equal((await actor.create()).durability, 'journal-ephemeral')
      const next = await replace(world, actor, env)
      await world.back(next)
      await settles(world)
    },
  },
  {
    name: 'disk emptied in an outage that lasts: the next container keeps what the one before it archived',
    on: ['postgresql'],
    run: async (world) => {
      const { actor, env } = await archived(world)
      await world.outage(actor)
      await demanding(actor)
      const second = await replace(world, actor, env)
      await second.serves('fallback')
      await demanding(second)
      const third = await replace(world, second, env)
      await world.back(third)
      await settles(world)
    },
  },
  {
    name: 'zombie with a journal: the entries of both are carried once',
    on: ['postgresql'],
    run: async (world) => {
      const { actor, env } = await archived(world)
      await world.outage(actor)
      for (let times = 0; times < 5; times += 1) await demanding(actor)
      signalTo(actor.service.pid, 'SIGSTOP')
      await world.proxy.accept()
      const second = await world.start({ env, serves: 'primary' })
      await settles(world)
      signalTo(actor.service.pid, 'SIGCONT')
      await actor.serves('primary')
      await acknowledged(await second.create(), 'primary')
      await settles(world)
    },
  },
  {
    name: 'archive away in an outage: a demand for the journal is refused, all else goes on',
    on: ['postgresql'],
    run: async (world) => {
      const { actor, folder } = await archived(world)
      await world.outage(actor)
      await demanding(actor)
      await rename(folder, `${folder}-away`)
      const refused = await actor.create({}, journalDemand)
      assert.ok(['DURABILITY_UNMET', 'ARCHIVE_UNCONFIRMED'].includes(refused.code ?? ''), String(refused.code))
      assert.equal((await actor.create()).durability, 'journal-ephemeral')
      await rename(`${folder}-away`, folder)
      await demanding(actor)
      await world.back(actor)
      await settles(world)
    },
  },
  {
    name: 'entries that were carried are forgotten by the archive',
    on: ['postgresql'],
    run: async (world) => {
      const { actor, folder } = await archived(world)
      await world.outage(actor)
      await demanding(actor)
      const entries = async (): Promise<number> => {
        // A folder that is empty is gone, too.
        const all = await readdir(folder, { recursive: true })
        return all.filter((name) => name.startsWith('entries/') && name.endsWith('.jsonl')).length
      }
      assert.ok((await entries()) > 0)
      await world.back(actor)
      await settles(world)
      await until(async () => (await entries()) === 0, { withinMs: 30_000, what: 'the entries to be forgotten' })
    },
  },
  {
    name: 'a damaged object of entries is named, and what the others have is carried',
    on: ['postgresql'],
    run: async (world) => {
      const { actor, folder, env } = await archived(world)
      await world.outage(actor)
      await demanding(actor)
      const [first = ''] = await objects(folder)
      await demanding(actor)
      const last = (await objects(folder)).at(-1) ?? ''
      assert.notEqual(last, first)
      await writeFile(last, 'not lines of JSON')
      await demanding(actor)
      const next = await replace(world, actor, env)
      await world.back(next)
      await next.hasProblem('ARCHIVE_OBJECT_DAMAGED')
      assert.ok((await objects(folder)).includes(last), 'it is not removed')
    },
  },
  {
    name: 'killed and emptied in six outages at random: nothing that said journal is lost or doubled',
    isLong: true,
    on: ['postgresql'],
    run: async (world) => {
      const random = createRandom(11)
      let { actor, env } = await archived(world)
      for (let rounds = 0; rounds < 6; rounds += 1) {
        await world.outage(actor)
        const writing = Array.from({ length: 4 }, () => writes(actor, random.next()))
        await pause(random.between(100, 1_500))
        const isBack = random.next() < 0.5
        // Some die while they carry.
        if (isBack) {
          await world.proxy.accept()
          await pause(random.between(0, 800))
        }
        const next = replace(world, actor, env)
        await Promise.all(writing)
        actor = await next
        await world.back(actor)
      }
      await settles(world)
    },
  },
]

/** Starts the first process, with a folder as its archive. */
async function archived(world: World): Promise<ArchivedWorld> {
  const folder = join(await makeTempDir(world.t, 'archive'), 'target')
  await mkdir(folder)
  const env = {
    DATA_DURABLE: 'false',
    ARCHIVE_URL: String(pathToFileURL(folder)),
    ARCHIVE_INTERVAL: '0.1',
    ARCHIVE_DRILL: '0',
  }
  return { actor: await world.first({ env }), folder, env }
}

/** A row that is in the archive. */
async function demanding(actor: Actor): ReturnType<Actor['create']> {
  const created = await until(
    async () => {
      const one = await actor.create({}, journalDemand)
      return one.code === null ? one : null
    },
    { withinMs: 20_000, everyMs: 50, what: `${actor.name} to say journal` },
  )
  assert.equal(created.durability, 'journal')
  return created
}

/** SIGKILL, an empty disk, and a new process. */
async function replace(world: World, actor: Actor, env: ArchivedWorld['env']): Promise<Actor> {
  await actor.kill()
  world.history.emptied.add(actor.name)
  await removeDir(join(actor.service.dir, 'data'))
  return await world.start({ dir: actor.service.dir, env })
}

/** Objects with entries, as paths. */
async function objects(folder: string): Promise<readonly string[]> {
  const all = await readdir(join(folder, 'entries'), { recursive: true })
  return all
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .map((name) => join(folder, 'entries', name))
}

/** Creates, changes and removes rows of its own until its process ends. */
async function writes(actor: Actor, seed: number): Promise<void> {
  const random = createRandom(Math.floor(seed * 1_000_000))
  const ids: string[] = []
  for (;;) {
    const prefer = random.next() < 0.4 ? journalDemand : undefined
    const dice = random.next()
    const id = ids.at(-1)
    const written =
      id === undefined || dice < 0.5
        ? await actor.create({}, prefer)
        : dice < 0.9
          ? await actor.change(id, {}, prefer)
          : await actor.remove(ids.pop() ?? '', null, prefer)
    if (written.status === 0) return
    if (written.write.operation === 'create' && written.write.ending === 'acknowledged') ids.push(...written.write.ids)
    await pause(random.between(1, 30))
  }
}

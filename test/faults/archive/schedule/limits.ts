import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { makeWorkingDir } from '../../../support/process.ts'
import { cleanLater } from '../../../support/temp.ts'
import { until } from '../../../support/until.ts'
import { createRandom } from '../../load/random.ts'
import type { Actor } from '../../stage/actor.ts'
import type { ArchiveWorld } from '../archive-world.ts'
import { letLoose } from '../writer.ts'
import {
  type ArchiveSchedule,
  anywhere,
  bucketOf,
  createArchived,
  createLarge,
  createRows,
  folderOf,
  warns,
} from './archive-schedule.ts'
import { archiving } from './targets.ts'

const mib = 1_048_576

/** What grows, fills, and rests. */
export const limits: readonly ArchiveSchedule[] = [
  {
    name: 'the spool is full: said, the -wal begins again all the same, and a snapshot begins a new chain',
    isLong: true,
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start({ env: { ARCHIVE_SPOOL_MAX: '8MiB' } }))
      await world.place.away()
      const wal = join(actor.service.dir, 'data/production.db-wal')
      const seen = new Set<number | null>()
      const look = async (): Promise<boolean> => {
        await createLarge(actor)
        if (spoolBytes(actor) > 16 * mib) throw new Error(`The spool has ${spoolBytes(actor)} bytes.`)
        seen.add(await saltOf(wal))
        return seen.size > 2
      }
      await until(look, { withinMs: 60_000, everyMs: 200, what: 'the -wal to begin again' })
      await warns(actor, 'ARCHIVE_HOLE')
      await world.place.back()
      await world.archives(actor)
      await actor.hasProblem('ARCHIVE_HOLE', false)
      await world.restored(await world.replace(actor), { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'the -wal is carried again and again under load: nothing is missing that was written in between',
    isLong: true,
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start({ env: { ARCHIVE_INTERVAL: '0.3' } }))
      const random = createRandom(3)
      const stop = letLoose(12, { actor, random, everyMs: 2, demanding: 0 })
      const wal = join(actor.service.dir, 'data/production.db-wal')
      const seen = new Set<number>()
      const look = async (): Promise<boolean> => {
        const salt = await saltOf(wal)
        if (salt !== null) seen.add(salt)
        return seen.size > 2
      }
      await until(look, { withinMs: 90_000, everyMs: 5, what: 'the -wal to begin again' })
      await stop()
      await createArchived(actor)
      await world.restored(await world.replace(actor), { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'another process carries the -wal into the file: a snapshot follows, and no row is lost',
    isLong: true,
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      await createRows(actor, 20, 2_000)
      const foreign = new Database(join(actor.service.dir, 'data/production.db'), { timeout: 5_000 })
      for (let times = 0; times < 5; times += 1) {
        foreign.pragma('wal_checkpoint(truncate)')
        await createRows(actor, 5)
      }
      foreign.close()
      await world.archives(actor)
      await createArchived(actor)
      await world.restored(await world.replace(actor), { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'another process writes rows of its own: they are archived like ours',
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      const { write } = await createArchived(actor)
      const foreign = new Database(join(actor.service.dir, 'data/production.db'), { timeout: 5_000 })
      foreign.prepare("update item set note = 'foreign' where id = ?").run(write.ids[0])
      foreign.close()
      // A snapshot may be due first.
      await world.archives(actor)
      const next = await world.replace(actor)
      assert.equal((await next.get(write.ids[0] ?? '')).body?.note, 'foreign')
    },
  },
  {
    name: 'no room for a snapshot: writes of clients come first, it is said, and changes are archived all the same',
    isLong: true,
    on: anywhere,
    mounts: true,
    run: async (world) => {
      const dir = await onSmallDisk(world, 160)
      const actor = await archiving(world, await world.start({ dir }))
      await writeFile(join(dir, 'data/filler'), Buffer.alloc(80 * mib))
      await createRows(actor, 1_200, 19_000)
      await warns(actor, 'ARCHIVE_SNAPSHOT_NO_ROOM', 60_000)
      await createRows(actor, 5)
      await createArchived(actor)
      await actor.kill()
      await world.restored(await world.start(), { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'the folder is full: it serves, says so, and archives all of it when there is room',
    on: ['folder'],
    mounts: true,
    run: async (world) => {
      const { folder } = folderOf(world)
      mountSmall(world, folder, 12)
      const actor = await archiving(world, await world.start())
      await writeFile(join(folder, 'filler'), Buffer.alloc(11 * mib)).catch(() => undefined)
      await createRows(actor, 200, 19_000)
      await warns(actor, 'ARCHIVE_UNREACHABLE', 30_000)
      await rm(join(folder, 'filler'))
      await world.archives(actor)
      await createArchived(actor)
      await world.restored(await world.replace(actor), { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'idle and unchanged: nothing is asked of the target',
    on: ['s3'],
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      await createRows(actor, 50)
      await createArchived(actor)
      const { requests } = bucketOf(world).server
      // The first snapshot, and what follows it.
      await until(
        async () => {
          const before = requests.length
          await sleep(2_000)
          return requests.length === before
        },
        { withinMs: 20_000, what: 'the target to be left alone' },
      )
      const before = requests.length
      for (let times = 0; times < 20; times += 1) {
        await actor.list()
        await actor.send('GET', '/health')
        await sleep(200)
      }
      assert.equal(requests.length, before)
    },
  },
  {
    name: 'a drill proves the archive, and the one after its snapshot was damaged says so',
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start({ env: { ARCHIVE_DRILL: '1' } }))
      await createRows(actor, 20)
      await createArchived(actor)
      const proven = async (): Promise<boolean> =>
        (await world.place.keys()).some((key) => key.endsWith('/proven.json'))
      await until(proven, { withinMs: 30_000, what: 'a drill' })
      for (const key of await world.place.keys()) {
        if (/\/part-\d+$/.test(key)) await world.place.write(key, 'not what it was')
      }
      await createRows(actor, 1)
      await warns(actor, 'ARCHIVE_DRILL_FAILED', 40_000)
      await createArchived(actor)
    },
  },
  {
    name: 'many snapshots: the last two proven ones are kept, the others removed, and the rows are there',
    on: anywhere,
    // Only what two later snapshots have proven is removed.
    isLong: true,
    run: async (world) => {
      const actor = await archiving(world, await world.start({ env: { ARCHIVE_DRILL: '1' } }))
      const removed = async (): Promise<boolean> => {
        await createLarge(actor)
        const keys = await world.place.keys()
        const first = keys.find((key) => key.startsWith('segments/')) ?? ''
        return keys.filter((key) => key.endsWith('/manifest.json')).length >= 2 && !first.endsWith('/000000000001')
      }
      await until(removed, { withinMs: 300_000, everyMs: 20_000, what: 'retention' })
      await createArchived(actor)
      await world.restored(await world.replace(actor), { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'a transaction that is larger than a segment is restored whole',
    isLong: true,
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      await createLarge(actor)
      await createArchived(actor)
      await world.restored(await world.replace(actor), { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'the file is rewritten by VACUUM and shrinks: restored as it is',
    isLong: true,
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      await createRows(actor, 150, 15_000)
      const { body } = await actor.list(100)
      // Rows of ours.
      for (const { id } of (body?.items ?? []) as readonly { readonly id: string }[]) await actor.remove(id)
      const foreign = new Database(join(actor.service.dir, 'data/production.db'), { timeout: 5_000 })
      foreign.exec('vacuum')
      foreign.close()
      await world.archives(actor)
      await createArchived(actor)
      await world.restored(await world.replace(actor), { isRestored: true, isShipped: true })
    },
  },
]

/** What SQLite changes each time that it begins a -wal again, over its old content; null: it is empty. */
async function saltOf(wal: string): Promise<number | null> {
  const handle = await open(wal)
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(4), 0, 4, 16)
    return bytesRead === 4 ? buffer.readUInt32BE() : null
  } finally {
    await handle.close()
  }
}

/** What lies in the folder next to the file. */
function spoolBytes({ service: { dir } }: Actor): number {
  const folder = join(dir, 'data/production.db.archive')
  if (!existsSync(folder)) return 0
  const text = execFileSync('du', ['-sb', folder], { encoding: 'utf8' })
  return Number.parseInt(text, 10)
}

/** A working folder whose `data` is a disk of so many megabytes. */
async function onSmallDisk(world: ArchiveWorld, megabytes: number): Promise<string> {
  const dir = await makeWorkingDir(world.t)
  const data = join(dir, 'data')
  await mkdir(data)
  mountSmall(world, data, megabytes)
  return dir
}

function mountSmall({ t }: ArchiveWorld, folder: string, megabytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'holdfast-test', folder])
  cleanLater(t, () => void execFileSync('umount', ['-l', folder]))
}

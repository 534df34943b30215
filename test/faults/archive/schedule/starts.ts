import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { repository } from '../../../support/process.ts'
import { until } from '../../../support/until.ts'
import type { Actor } from '../../stage/actor.ts'
import type { ArchiveWorld } from '../archive-world.ts'
import { type ArchiveSchedule, anywhere, bucketOf, createArchived, createRows, warns } from './archive-schedule.ts'
import { archiving, assertArchivesAgain } from './targets.ts'

const fileName = 'production.db'
const slowSync = join(repository, 'test/faults/archive/slow-sync.ts')

/** A service that starts where there is nothing, or not what there was. */
export const starts: readonly ArchiveSchedule[] = [
  {
    name: 'killed and emptied: every archived row is there',
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      await createRows(actor, 30, 5_000)
      await createArchived(actor)
      await world.restored(await world.replace(actor), { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'emptied ten times: each generation goes on where the one before it was',
    isLong: true,
    on: anywhere,
    run: async (world) => {
      let actor = await world.start()
      for (let times = 0; times < 10; times += 1) {
        await world.archives(actor)
        await createArchived(actor)
        actor = await world.replace(actor)
        await world.restored(actor, { isRestored: true, isShipped: true })
      }
    },
  },
  {
    name: 'killed and not emptied: it goes on without a new snapshot, and is there after the next loss',
    on: anywhere,
    run: async (world) => {
      const first = await archiving(world, await world.start())
      await createArchived(first)
      await first.kill()
      const second = await archiving(world, await world.start({ dir: first.service.dir }))
      await world.restored(second, { isRestored: false })
      await createArchived(second)
      await world.restored(await world.replace(second), { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'SIGTERM sends what is left',
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start({ env: { ARCHIVE_INTERVAL: '600' } }))
      await createRows(actor, 50, 5_000)
      const { code } = await actor.service.end('SIGTERM')
      assert.equal(code, 0)
      await world.emptyDisk(actor)
      const second = await world.start({ dir: actor.service.dir })
      await world.restored(second, { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'a power cut: what was not synced is not in the archive, and does not come back from it',
    on: anywhere,
    run: async (world) => {
      const env = { NODE_OPTIONS: `--import=${slowSync}`, SLOW_SYNC_MS: '400', ARCHIVE_INTERVAL: '0.05' }
      const first = await archiving(world, await world.start({ env }))
      const { dir } = first.service
      for (let times = 0; times < 3; times += 1) {
        await createArchived(first)
        const unsynced = first.create({ note: 'x'.repeat(19_000) })
        // In the -wal, and for a while not on the disk.
        await sleep(250)
        if (times < 2) await unsynced
        else void unsynced.catch(() => undefined)
      }
      await first.kill()
      const wal = join(dir, 'data', `${fileName}-wal`)
      await truncate(wal, Number(await readFile(`${wal}.synced`, 'utf8')))
      // What it lacks now was not promised, and must not come back.
      await world.place.away()
      const second = await world.start({ dir })
      await world.restored(second, { isRestored: false })
      await second.kill()
      await world.emptyDisk(second)
      await world.place.back()
      const third = await world.start({ dir })
      await world.restored(third)
      await assertArchivesAgain(world, third)
    },
  },
  {
    name: 'a -wal of another life lies where the file is to be: nothing of it is in the rows',
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      await createArchived(actor)
      const others = await leaveOnlyWal(world, actor)
      const second = await world.start({ dir: actor.service.dir })
      await world.restored(second)
      const tokens = (await world.rows(second)).map(({ token }) => token)
      assert.deepEqual(
        tokens.filter((token) => others.includes(token)),
        [],
      )
      await assertArchivesAgain(world, second)
    },
  },
  {
    name: 'a damaged file is set aside, and the rows are those of the archive',
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      await createRows(actor, 200, 1_000)
      await createArchived(actor)
      await actor.service.end('SIGTERM')
      const file = join(actor.service.dir, 'data', fileName)
      await truncate(file, 40_000)
      await writeFile(`${file}-wal`, '')
      const second = await world.start({ dir: actor.service.dir })
      await world.restored(second, { isRestored: true, isShipped: true })
      const names = await readdir(join(actor.service.dir, 'data'))
      assert.ok(
        names.some((name) => name.startsWith(fileName) && /damaged/.test(name)),
        names.join(', '),
      )
    },
  },
  {
    name: 'the archive is away at a start with an empty disk: it starts, says so, and replaces nothing',
    on: anywhere,
    run: async (world) => {
      const first = await archiving(world, await world.start())
      const kept = await createArchived(first)
      await first.kill()
      await world.emptyDisk(first)
      await world.place.away()
      const second = await world.start({ dir: first.service.dir, env: { ARCHIVE_RESTORE_TIMEOUT: '1' } })
      await warns(second, 'ARCHIVE_EMPTY_START')
      assert.deepEqual(await world.rows(second), [])
      await second.create()
      await world.place.back()
      const before = await world.place.keys()
      await world.archives(second)
      const after = new Set(await world.place.keys())
      const removed = before.filter((key) => !after.has(key))
      assert.deepEqual(removed, [], 'nothing of the other history is removed')
      await warns(second, 'ARCHIVE_EMPTY_START')
      const later = await createArchived(second)
      // The newest history is the one that is restored; the older one is kept.
      const third = await world.replace(second)
      const tokens = (await world.rows(third)).map(({ token }) => token)
      assert.ok(tokens.includes(later.write.token))
      assert.ok(!tokens.includes(kept.write.token))
    },
  },
  {
    name: 'ARCHIVE_REQUIRED: without the archive everything but health is refused, with it the rows are there',
    on: anywhere,
    run: async (world) => {
      const first = await archiving(world, await world.start())
      await createArchived(first)
      await first.kill()
      await world.emptyDisk(first)
      await world.place.away()
      const env = { ARCHIVE_REQUIRED: 'true', ARCHIVE_RESTORE_TIMEOUT: '1' }
      const second = await world.start({ dir: first.service.dir, env, isServing: false })
      const refused = async (): Promise<boolean> => (await second.list(1)).code === 'ARCHIVE_REQUIRED'
      await until(refused, { withinMs: 10_000, what: 'ARCHIVE_REQUIRED' })
      assert.equal((await second.create()).code, 'ARCHIVE_REQUIRED')
      assert.equal((await second.send('GET', '/health/live')).status, 200)
      assert.equal((await second.send('GET', '/health/ready')).status, 503)
      await world.place.back()
      await world.serves(second)
      await world.restored(second)
      assert.equal((await second.send('GET', '/health/ready')).status, 200)
    },
  },
  {
    name: 'while it restores requests are refused at once, health warns, and it is not ready',
    on: ['s3'],
    run: async (world) => {
      const first = await archiving(world, await world.start())
      await createArchived(first)
      await first.kill()
      await world.emptyDisk(first)
      const { server } = bucketOf(world)
      const right = server.misbehave('hang', ({ method }) => method === 'GET')
      const second = await world.start({ dir: first.service.dir, isServing: false })
      const restoring = async (): Promise<boolean> => (await second.list(1)).code === 'RESTORING'
      await until(restoring, { withinMs: 10_000, what: 'RESTORING' })
      const beganMs = performance.now()
      const refused = await second.create()
      assert.deepEqual([refused.status, refused.code], [503, 'RESTORING'])
      assert.ok(performance.now() - beganMs < 1_000, 'it is refused at once')
      assert.notEqual(refused.retryAfter, null)
      assert.equal((await second.send('GET', '/health')).body?.status, 'warn')
      assert.equal((await second.send('GET', '/health/ready')).status, 503)
      assert.equal((await second.send('GET', '/health/live')).status, 200)
      right()
      await world.serves(second, 60_000)
      await world.restored(second)
    },
  },
  {
    name: 'a segment is missing: what is before it is there, nothing behind it is, and it is named',
    on: anywhere,
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      const before = await createArchived(actor)
      const seen = new Set(await world.place.keys())
      const missing = await createArchived(actor)
      const [key] = (await world.place.keys()).filter((one) => one.startsWith('segments/') && !seen.has(one))
      const behind = await createArchived(actor)
      await actor.kill()
      await world.emptyDisk(actor)
      await world.place.remove(key ?? '')
      const second = await world.start({ dir: actor.service.dir })
      await warns(second, 'ARCHIVE_HOLE')
      const said = JSON.stringify(await second.status())
      assert.match(said, new RegExp(`\\b0*${Number(key?.slice(-12))}\\b`), `${key} is named in ${said}`)
      const tokens = (await world.rows(second)).map(({ token }) => token)
      assert.ok(tokens.includes(before.write.token))
      for (const { write } of [missing, behind]) assert.ok(!tokens.includes(write.token))
      await assertArchivesAgain(world, second)
    },
  },
  {
    name: 'a volume that was set back: said, served, and archived as a history of its own',
    on: anywhere,
    run: async (world) => {
      const first = await archiving(world, await world.start())
      await createArchived(first)
      await first.service.end('SIGTERM')
      const aside = await world.keepAside(first)
      await cp(aside, join(first.service.dir, 'data'), { recursive: true })
      const second = await archiving(world, await world.start({ dir: first.service.dir }))
      const later = await createArchived(second)
      await second.kill()
      await world.emptyDisk(second)
      const before = await world.place.keys()
      await cp(aside, join(first.service.dir, 'data'), { recursive: true })
      const third = await world.start({ dir: first.service.dir })
      await warns(third, 'ARCHIVE_AHEAD')
      const tokens = (await world.rows(third)).map(({ token }) => token)
      assert.ok(!tokens.includes(later.write.token), 'it is older')
      await world.archives(third)
      const after = new Set(await world.place.keys())
      assert.deepEqual(
        before.filter((key) => !after.has(key)),
        [],
        'nothing of the other history is removed',
      )
      await warns(third, 'ARCHIVE_AHEAD')
    },
  },
]

/** The disk as another life might have left it: a `-wal` without its file. Resolves with the tokens of rows that it alone has. */
async function leaveOnlyWal(world: ArchiveWorld, actor: Actor): Promise<readonly string[]> {
  const data = join(actor.service.dir, 'data')
  await world.place.away()
  const { length } = world.history.writes
  await createRows(actor, 20)
  await actor.kill()
  await world.place.back()
  const aside = await world.keepAside(actor)
  await mkdir(data)
  const wal = `${fileName}-wal`
  assert.ok(existsSync(join(aside, wal)), 'there is a -wal')
  await cp(join(aside, wal), join(data, wal))
  await cp(join(aside, `${fileName}-shm`), join(data, `${fileName}-shm`))
  return world.history.writes.slice(length).map(({ token }) => token)
}

import assert from 'node:assert/strict'
import type { S3Misbehaviour } from '../../../support/s3-server.ts'
import { until } from '../../../support/until.ts'
import { type ArchiveWorld, archivedDemand } from '../archive-world.ts'
import {
  type ArchiveSchedule,
  assertServesWithout,
  bucketOf,
  createArchived,
  createLarge,
  createRows,
  warns,
} from './archive-schedule.ts'

/** What a target does for a while, and how a service says so. */
const standing: readonly (readonly [name: string, what: S3Misbehaviour])[] = [
  ['access denied', 'denied'],
  ['target full', 'full'],
  ['a proxy answers HTML', 'html'],
  ['a proxy answers 404 with HTML', 'html-404'],
  ['every request is redirected', 'redirect'],
  ['412 to everything', 'precondition'],
  ['409 to everything', 'conflict'],
  ['500', 'broken'],
  ['503 slow down', 'busy'],
  ['no answer at all', 'hang'],
  ['connections end', 'reset'],
]

const whileItLasts: ArchiveSchedule = {
  name: 'each wrong answer of a store in turn: it serves, says so, and archives all of it afterwards',
  on: ['s3'],
  run: async (world) => {
    const { server } = bucketOf(world)
    await outlasts(
      world,
      standing.map(([name, what]) => [name, () => server.misbehave(what)] as const),
    )
  },
}

/** How answers with rows of the archive can be wrong while a service restores. */
const wrongReads = ['truncated', 'short', 'empty', 'altered'] as const

/** A target that does not do what it should. */
export const targets: readonly ArchiveSchedule[] = [
  whileItLasts,
  {
    name: 'away for a while: it serves, says so, and archives all of it afterwards',
    on: ['s3', 'folder'],
    run: async (world) => {
      const actor = await world.start()
      await world.archives(actor)
      await world.place.away()
      await createRows(actor, 5)
      await warns(actor, 'ARCHIVE_UNREACHABLE')
      await assertServesWithout(actor)
      await world.place.back()
      await world.archives(actor)
      await actor.hasProblem('ARCHIVE_UNREACHABLE', false)
      await world.restored(await world.replace(actor), { isRestored: true, isShipped: true })
    },
  },
  {
    name: 'clocks that differ: said, and archived once they do not',
    on: ['s3'],
    run: (world) => {
      const { behaviour } = bucketOf(world).server
      const begin = (): (() => void) => {
        behaviour.skewMs = 3_600_000
        return () => {
          behaviour.skewMs = 0
        }
      }
      return outlasts(world, [['clocks that differ', begin]])
    },
  },
  {
    name: 'stored, and the answer is lost: nothing is stored twice or skipped',
    on: ['s3'],
    run: async (world) => {
      const actor = await world.start()
      await world.archives(actor)
      const { server } = bucketOf(world)
      let seen = 0
      const everyOther = server.misbehave('lost', ({ method }) => method === 'PUT' && ++seen % 2 === 1)
      for (let at = 0; at < 6; at += 1) await createArchived(actor)
      everyOther()
      await assertDense(world)
      await world.restored(await world.replace(actor))
    },
  },
  {
    name: 'a wrong key from the start: it serves, says so, and archives as a history of its own when the key is right',
    on: ['s3'],
    run: async (world) => {
      const first = await world.start()
      await createArchived(await archiving(world, first))
      await first.kill()
      await world.emptyDisk(first)
      const wrong = { ARCHIVE_SECRET_ACCESS_KEY: 'another', ARCHIVE_RESTORE_TIMEOUT: '1' }
      const before = (await world.place.keys()).length
      const second = await world.start({ dir: first.service.dir, env: wrong })
      await warns(second, 'ARCHIVE_EMPTY_START')
      await warns(second, 'ARCHIVE_UNREACHABLE')
      await assertServesWithout(second)
      assert.equal((await world.place.keys()).length, before)
      assert.ok(!second.service.output().includes('another'), 'the secret is in the log')
    },
  },
  {
    name: 'no such bucket: it serves, and says so',
    on: ['s3'],
    run: async (world) => {
      const { server } = bucketOf(world)
      const env = { ARCHIVE_URL: server.url().replace('s3://rows', 's3://none'), ARCHIVE_RESTORE_TIMEOUT: '1' }
      const actor = await world.start({ env })
      await warns(actor, 'ARCHIVE_UNREACHABLE')
      await assertServesWithout(actor)
    },
  },
  {
    name: 'no right to delete: said, and archived all the same',
    on: ['s3'],
    // Only what two later snapshots have proven is removed: that takes some drills.
    isLong: true,
    run: async (world) => {
      bucketOf(world).server.behaviour.mayDelete = false
      const actor = await world.start({ env: { ARCHIVE_DRILL: '1' } })
      await world.archives(actor)
      const refused = async (): Promise<boolean> => {
        await createLarge(actor)
        return JSON.stringify(await actor.status()).includes('ARCHIVE_KEEPS_TOO_MUCH')
      }
      await until(refused, { withinMs: 300_000, everyMs: 20_000, what: 'ARCHIVE_KEEPS_TOO_MUCH' })
      await createArchived(actor)
      await world.restored(await world.replace(actor))
    },
  },
  {
    name: 'GETs are redirected to another origin, which never sees a credential',
    on: ['s3'],
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      await createArchived(actor)
      const { server } = bucketOf(world)
      let followed = 0
      server.misbehave('reset', ({ method }) => {
        if (method === 'CONTENT') followed += 1
        return false
      })
      await world.restored(await world.replace(actor))
      assert.ok(followed > 3, `${followed} objects were read from the other origin`)
      assert.deepEqual(server.leaked, [])
    },
  },
  ...wrongReads.map(
    (what): ArchiveSchedule => ({
      name: `${what} answers while it restores: asked again, and nothing is missing`,
      on: ['s3'],
      // The parts that this goes through have tests of their own for each.
      ...(what !== 'altered' ? { isLong: true as const } : {}),
      run: async (world) => {
        const actor = await archiving(world, await world.start())
        await createRows(actor, 30, 2_000)
        await createArchived(actor)
        await actor.kill()
        await world.emptyDisk(actor)
        let seen = 0
        bucketOf(world).server.misbehave(what, ({ method }) => method === 'CONTENT' && ++seen % 3 === 0, 4)
        await world.restored(await world.start({ dir: actor.service.dir }))
        assert.ok(seen >= 3, `${seen} objects were read`)
      },
    }),
  ),
  {
    name: 'an altered segment is named, what is before it is there, and nothing behind it is',
    on: ['s3'],
    run: async (world) => {
      const actor = await archiving(world, await world.start())
      const before = await createArchived(actor)
      const key = await lastSegment(world)
      const behind = await createArchived(actor)
      const altered = (await lastSegment(world, key)) ?? ''
      await createArchived(actor)
      await actor.kill()
      await world.emptyDisk(actor)
      const { objects } = bucketOf(world).server
      const body = Buffer.from(objects.get(`archive/${altered}`) ?? [])
      body.writeUInt8(body.readUInt8(body.length - 3) ^ 1, body.length - 3)
      objects.set(`archive/${altered}`, body)
      const second = await world.start({ dir: actor.service.dir })
      await warns(second, 'ARCHIVE_OBJECT_DAMAGED')
      assert.ok(JSON.stringify(await second.status()).includes(altered), `${altered} is named`)
      const tokens = (await world.rows(second)).map(({ token }) => token)
      assert.ok(tokens.includes(before.write.token))
      assert.ok(!tokens.includes(behind.write.token))
      await assertArchivesAgain(world, second)
    },
  },
]

/** Serves while it lasts, says so, and has all of it afterwards. */
async function outlasts(world: ArchiveWorld, faults: readonly (readonly [string, () => () => void])[]): Promise<void> {
  const actor = await archiving(world, await world.start({ env: { QUERY_TIMEOUT: '2' } }))
  for (const [name, begin] of faults) {
    const end = begin()
    try {
      await createRows(actor, 5)
      await warns(actor, 'ARCHIVE_UNREACHABLE', 60_000)
      await assertServesWithout(actor)
      end()
      await world.archives(actor, 60_000)
      await actor.hasProblem('ARCHIVE_UNREACHABLE', false)
    } catch (error) {
      throw new Error(`It failed while the store had this: ${name}.`, { cause: error })
    }
  }
  await assertDense(world)
  await world.restored(await world.replace(actor), { isRestored: true, isShipped: true })
}

/** The same actor, when it has a base. */
export async function archiving<A extends Parameters<ArchiveWorld['archives']>[0]>(
  world: ArchiveWorld,
  actor: A,
): Promise<A> {
  await world.archives(actor)
  return actor
}

/** The newest segment; another one than `not`, where that is given. */
async function lastSegment(world: ArchiveWorld, not?: string): Promise<string | undefined> {
  const look = async (): Promise<string | null> => {
    const last = (await world.place.keys()).findLast((key) => key.startsWith('segments/'))
    return last === undefined || last === not ? null : last
  }
  return await until(look, { what: 'a segment' })
}

/** Segments are numbered without a gap. */
export async function assertDense(world: ArchiveWorld): Promise<void> {
  const keys = await world.place.keys()
  const numbers = keys.flatMap((key) => (/^segments\/(\d+)$/.exec(key) ?? []).slice(1)).map(Number)
  const [first = 0] = numbers
  assert.deepEqual(
    numbers,
    numbers.map((_, at) => first + at),
  )
}

/** After a restore that could not use everything: a new base, and rows that say `archived`, which are there after the next one. */
export async function assertArchivesAgain(
  world: ArchiveWorld,
  actor: Parameters<ArchiveWorld['archives']>[0],
): Promise<void> {
  await world.archives(actor)
  const created = await actor.create({}, archivedDemand)
  const shown = await world.rows(actor)
  const next = await world.replace(actor)
  assert.deepEqual((await world.rows(next)).map(({ token }) => token).sort(), shown.map(({ token }) => token).sort())
  assert.ok(shown.some(({ token }) => token === created.write.token))
}

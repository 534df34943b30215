import type { S3Misbehaviour } from '../../support/s3-server.ts'
import { signalTo } from '../../support/servers/watchdog.ts'
import type { LookOptions } from '../history/archive-judge.ts'
import { pause } from '../load/client.ts'
import type { Random } from '../load/random.ts'
import type { Actor } from '../stage/actor.ts'
import type { ArchivedOptions, ArchiveWorld } from './archive-world.ts'
import type { ArchivePlace, BucketPlace } from './place.ts'
import { letLoose } from './writer.ts'

/** A history of rounds: the process that serves now, and what was told of it. */
export interface Course {
  readonly world: ArchiveWorld
  readonly random: Random
  readonly connections: number
  readonly everyMs: number
  /** Stop those who write, and wait for what is on its way. */
  readonly writers: (() => Promise<void>)[]
  /** When processes were replaced by another one that still ran, by name. */
  readonly replaced: Map<string, number>
  actor: Actor
  look(options: LookOptions): Promise<void>
}

/** Something that goes wrong under load, and what has to come of it. */
export type Round = (course: Course) => Promise<void>

/** The rounds that this place can have, by name. */
export function roundsOf(place: ArchivePlace): Readonly<Record<string, Round>> {
  return 'server' in place ? { ...common, ...ofBucket(place as BucketPlace) } : common // Only a bucket has one.
}

const common: Readonly<Record<string, Round>> = {
  'kill and empty': async (course) => {
    await underLoad(course)
    await replace(course)
  },
  kill: async (course) => {
    await underLoad(course)
    await die(course)
    course.actor = await course.world.start({ dir: course.actor.service.dir, ...settingsOf(course) })
    await course.look({ isRestored: false })
  },
  'end and empty': async (course) => {
    const { world, random, actor } = course
    await underLoad(course)
    if (random.next() < 0.5) await rest(course)
    const { code } = await actor.service.end('SIGTERM', 20_000)
    if (code !== 0) throw new Error(`The service ended with ${code}.`)
    await rest(course)
    await world.emptyDisk(actor)
    course.actor = await world.start({ dir: actor.service.dir, ...settingsOf(course) })
    await course.look({ isRestored: true, isShipped: true })
  },
  'away, kill and empty': async (course) => {
    const { place } = course.world
    await underLoad(course)
    await place.away()
    await pause(course.random.between(0, 2_000))
    await die(course)
    await place.back()
    await replace(course)
  },
  'away for a while': async (course) => {
    const { world, random, actor } = course
    await underLoad(course)
    await world.place.away()
    await pause(random.between(0, 3_000))
    await world.place.back()
    await world.archives(actor)
    await replace(course)
  },
  'killed while it restores': async (course) => {
    const { world, random } = course
    await underLoad(course)
    const { dir } = course.actor.service
    await die(course)
    await world.emptyDisk(course.actor)
    for (let times = random.between(1, 3); times > 0; times -= 1) {
      course.actor = await world.start({ dir, isServing: false })
      await pause(random.between(0, 400))
      await die(course)
      if (random.next() < 0.3) await world.emptyDisk(course.actor)
    }
    course.actor = await world.start({ dir, ...settingsOf(course) })
    await course.look({ isRestored: true })
  },
  zombie: async (course) => {
    const { service } = course.actor
    await underLoad(course)
    signalTo(service.pid, 'SIGSTOP')
    await succeed(course)
    signalTo(service.pid, 'SIGCONT')
    await underLoad(course)
    await service.end('SIGKILL')
    await replace(course)
  },
  'two at once': async (course) => {
    const { service } = course.actor
    await underLoad(course)
    await succeed(course)
    await underLoad(course)
    await service.end('SIGKILL')
    await replace(course)
  },
}

/** What a store can do to some of its requests. */
const some = ['lost', 'reset', 'busy', 'broken', 'conflict', 'html'] as const satisfies readonly S3Misbehaviour[]

function ofBucket({ server }: BucketPlace): Readonly<Record<string, Round>> {
  const misbehaving =
    (what: S3Misbehaviour, share: number): Round =>
    async (course) => {
      const { random } = course
      const right = server.misbehave(what, ({ method }) => method === 'PUT' && random.next() < share)
      await underLoad(course)
      if (random.next() < 0.5) right()
      await die(course)
      right()
      await replace(course)
    }
  return {
    ...Object.fromEntries(some.map((what) => [`${what} answers`, misbehaving(what, 0.4)])),
    slow: async (course) => {
      server.behaviour.delayMs = course.random.between(50, 500)
      await underLoad(course)
      await die(course)
      server.behaviour.delayMs = 0
      await replace(course)
    },
    'killed at a request': async (course) => {
      const { random, actor } = course
      let left = random.between(1, 12)
      // Half of them die before the request is carried out, the others before its answer.
      const isBefore = random.next() < 0.5
      const met = Promise.withResolvers<void>()
      const right = server.misbehave('reset', () => {
        left -= 1
        if (left !== 0) return false
        signalTo(actor.service.pid, 'SIGKILL')
        met.resolve()
        return isBefore
      })
      await underLoad(course)
      await Promise.race([met.promise, pause(5_000)])
      right()
      await replace(course)
    },
  }
}

/** Writes for a while; the writers go on until their process ends, or `rest`. */
async function underLoad(course: Course): Promise<void> {
  const { actor, random, connections, everyMs, writers } = course
  writers.push(letLoose(connections, { actor, random, everyMs, demanding: 0.3 }))
  await pause(random.between(100, 2_000))
}

/** Nothing is on its way any more. */
async function rest({ writers }: Course): Promise<void> {
  await Promise.all(writers.splice(0).map((stop) => stop()))
}

/** Most processes die in the middle of what they do. */
async function die(course: Course): Promise<void> {
  await course.actor.kill()
  await rest(course)
}

/** Kills what serves, if it still does, and judges what a new container makes of the archive. */
async function replace(course: Course): Promise<void> {
  await die(course)
  course.actor = await course.world.replace(course.actor, settingsOf(course))
  await course.look({ isRestored: true })
}

/** Another container begins while the one before it is still there. */
async function succeed(course: Course): Promise<void> {
  course.replaced.set(course.actor.name, Date.now())
  course.actor = await course.world.start(settingsOf(course))
  await course.look({ isRestored: true })
}

/** Intervals and spools of many sizes. */
function settingsOf({ random }: Course): ArchivedOptions {
  return {
    env: {
      ARCHIVE_INTERVAL: String(random.pick([0.05, 0.1, 0.3, 1])),
      ARCHIVE_DRILL: random.next() < 0.2 ? '1' : '0',
      ARCHIVE_SPOOL_MAX: random.next() < 0.3 ? '8MiB' : undefined,
    },
  }
}

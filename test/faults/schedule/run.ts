import type { Cleanup } from '../../support/temp.ts'
import { type FaultyServer, type ServerKind, startServer } from '../stage/stage.ts'
import { World } from '../stage/world.ts'
import type { Schedule } from './schedule.ts'

/** Where schedules are run: a program, and a server that most of them share. */
export interface Ground {
  readonly kind: ServerKind
  readonly entry: string
  readonly server: FaultyServer
}

/** Runs one schedule, on a server of its own where it fails that. Rejects when it ends otherwise than it has to. */
export async function runSchedule(t: Cleanup, { run, ownServer }: Schedule, ground: Ground): Promise<void> {
  const { kind, entry } = ground
  const server = ownServer === true ? await startServer(t, kind) : ground.server
  const world = await World.create(t, { kind, server, entry })
  try {
    await run(world)
  } catch (error) {
    if (error instanceof Error) error.message += `\n${world.logs()}`
    throw error
  }
}

/** Runs work that needs cleaning up, outside of a test. */
export async function withCleaning<T>(work: (t: Cleanup) => Promise<T>): Promise<T> {
  const cleaners: (() => void | Promise<void>)[] = []
  try {
    return await work({ after: (clean) => void cleaners.push(clean) })
  } finally {
    for (let next = cleaners.pop(); next; next = cleaners.pop()) await next()
  }
}

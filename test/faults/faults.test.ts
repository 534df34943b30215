import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { bundleProgram } from '../support/bundle.ts'
import { noMariadb } from '../support/servers/mariadb.ts'
import { noPostgres } from '../support/servers/postgres.ts'
import { cleanupOf } from '../support/temp.ts'
import { runHistory } from './load/random-history.ts'
import { schedules } from './schedule/all.ts'
import { say } from './schedule/expect.ts'
import { runSchedule } from './schedule/run.ts'
import type { Schedule } from './schedule/schedule.ts'
import { type FaultyServer, program, type ServerKind, startServer } from './stage/stage.ts'
import { todays } from './todays.ts'

/** Most of a schedule's time is spent waiting. */
const concurrency = 3

const ofFile = cleanupOf(after)
const building = bundleProgram(ofFile, program)
building.catch(() => undefined)

const servers: readonly (readonly [ServerKind, string | false])[] = [
  ['postgresql', noPostgres],
  ['mysql', noMariadb],
]

/**
 * What may happen before both servers is shown in turn before one and the other: that takes half the time. `npm run faults --
 * --schedules` runs all of it before each.
 */
const shownBefore: ReadonlyMap<Schedule, ServerKind> = new Map(
  schedules
    .filter(({ on }) => on === undefined)
    .map((schedule, at) => [schedule, at % 2 === 0 ? 'postgresql' : 'mysql'] as const),
)

function isShownHere(schedule: Schedule, kind: ServerKind): boolean {
  if (schedule.isLong === true) return false
  return schedule.on?.includes(kind) ?? shownBefore.get(schedule) === kind
}

for (const [kind, skip] of servers) {
  describe(`schedules on ${kind}`, { skip, concurrency }, () => {
    let shared: FaultyServer
    const ofSuite = cleanupOf(after)
    before(async () => {
      shared = await startServer(ofSuite, kind)
    })
    for (const schedule of todays(schedules.filter((one) => isShownHere(one, kind)))) {
      test(schedule.name, async (t) => runSchedule(t, schedule, { kind, server: shared, entry: await building }))
    }
  })
}

/** A service that lost its primary often returns to it after half a minute. */
const limitMs = 240_000

/** A seed that repeats, and a fresh one, which `npm run faults -- --on mysql --seed` repeats. */
const fresh = Date.now() % 1_000_000

const histories: readonly (readonly [ServerKind, number, string | false])[] = [
  ['postgresql', 1, noPostgres],
  ['mysql', fresh, noMariadb],
]

const short = { seconds: 8, everyMs: 1_500, rate: 80, connections: 8, only: [], pace: 0.3, log: null } as const

// In this file, so that they do not run at the same time as the schedules.
describe('random histories', { concurrency: true }, () => {
  for (const [kind, seed, skip] of histories) {
    const name = `nothing is lost, doubled or laid over on ${kind} (seed ${seed})`
    test(name, { skip, timeout: limitMs }, async (t) => {
      const server = await startServer(t, kind)
      const { verdict } = await runHistory(t, { kind, server, entry: await building }, { ...short, seed })
      assert.equal(say(verdict.violations.slice(0, 20)), '')
      assert.ok(verdict.acknowledged > 100, `${verdict.acknowledged} writes were acknowledged`)
    })
  }
})

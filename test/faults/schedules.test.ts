import { after, before, describe, test } from 'node:test'
import { noMariadb } from '../support/servers/mariadb.ts'
import { noPostgres } from '../support/servers/postgres.ts'
import { cleanupOf } from '../support/temp.ts'
import { schedules } from './schedule/all.ts'
import { runSchedule } from './schedule/run.ts'
import { bundleProgram } from './stage/bundle.ts'
import { type FaultyServer, type ServerKind, startServer } from './stage/stage.ts'

/** Most of a schedule's time is spent waiting. */
const concurrency = 3

const ofFile = cleanupOf(after)
const building = bundleProgram(ofFile)
building.catch(() => undefined)

const servers: readonly (readonly [ServerKind, string | false])[] = [
  ['postgresql', noPostgres],
  ['mysql', noMariadb],
]

for (const [kind, skip] of servers) {
  describe(`schedules on ${kind}`, { skip, concurrency }, () => {
    let shared: FaultyServer
    const ofSuite = cleanupOf(after)
    before(async () => {
      shared = await startServer(ofSuite, kind)
    })
    for (const schedule of schedules) {
      if (schedule.on !== undefined && !schedule.on.includes(kind)) continue
      test(schedule.name, async (t) => runSchedule(t, schedule, { kind, server: shared, entry: await building }))
    }
  })
}

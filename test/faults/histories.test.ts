import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { noMariadb } from '../support/servers/mariadb.ts'
import { noPostgres } from '../support/servers/postgres.ts'
import { cleanupOf } from '../support/temp.ts'
import { runHistory } from './load/random-history.ts'
import { say } from './schedule/expect.ts'
import { bundleProgram } from './stage/bundle.ts'
import { type ServerKind, startServer } from './stage/stage.ts'

const building = bundleProgram(cleanupOf(after))
building.catch(() => undefined)

/** A service that lost its primary often returns to it after half a minute. */
const limitMs = 240_000

/** A seed that repeats, and a fresh one, which `npm run faults -- --on mysql --seed` repeats. */
const fresh = Date.now() % 1_000_000

const histories: readonly (readonly [ServerKind, number, string | false])[] = [
  ['postgresql', 1, noPostgres],
  ['mysql', fresh, noMariadb],
]

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

const short = { seconds: 12, everyMs: 1_500, rate: 80, connections: 8, only: [], pace: 0.3, log: null } as const

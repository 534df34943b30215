import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { adminToken, assertFallback, checkHere, hostAndLook, makeHome, type Sight, serveAndLook } from '../sight.ts'

const user = 'app-user-7'
const secret = 'hunter2-Pa55word'
const given = { DRIVERS: 'sqlite,postgresql', LOG_LEVEL: 'trace', ECHO_SQL: 'true', MAX_RETRIES_PRIMARY: '0' }

/** Nobody listens there: the address is right, and the database is away. */
const away = [
  `postgres://${user}:${secret}@127.0.0.1:1/app`,
  `postgresql://${user}:${secret}@127.0.0.1:1/app?sslmode=require`,
  `postgresql+psycopg2://${user}:${secret}@127.0.0.1:1/app`,
  `jdbc:postgresql://127.0.0.1:1/app?user=${user}&password=${secret}`,
  `psql postgres://${user}:${secret}@127.0.0.1:1/app`,
  `DATABASE_URL=postgres://${user}:${secret}@127.0.0.1:1/app`,
  `postgres://${user}:%zz${secret}@127.0.0.1:1/app`,
  `postgres://${user}:a#b/${secret}@127.0.0.1:1/app`,
]

describe('a DATABASE_URL whose PostgreSQL is away', { concurrency: 2 }, () => {
  for (const [at, url] of away.entries()) {
    const shown = url.replaceAll(secret, '***')
    test(`${shown} is understood, SQLite serves, and the secret is seen nowhere`, async (t) => {
      const cwd = await makeHome(t)
      const env = { ...given, DATABASE_URL: url }
      // The first by a process, which is what users start.
      const sight = at === 0 ? await serveAndLook(t, { cwd, env }) : await hostAndLook(t, { cwd, env })
      assertFallback(sight)
      assert.deepEqual(
        sight.problems.filter(({ severity }) => severity === 'error'),
        [],
      )
      const check = await checkHere(cwd, env)
      assert.equal(check.code, 0)
      await assertSecretNowhere(sight, check.text)
      assert.match(sight.service.output(), /ECONNREFUSED/)
    })
  }
})

/** Ends the service, having asked it for all that it shows. */
async function assertSecretNowhere(sight: Sight, checked: string): Promise<void> {
  const { service } = sight
  const seen = [checked]
  for (const path of ['/', '/status', '/health', '/health/ready', '/metrics', '/api/feedback']) {
    const answer = await service.fetch(path, { headers: { 'holdfast-token': adminToken, accept: 'text/html,*/*' } })
    seen.push(JSON.stringify([...answer.headers]), await answer.text())
  }
  await service.end()
  seen.push(service.output())
  for (const text of seen) assert.ok(!text.includes(secret), `the secret is in: ${text}`)
}

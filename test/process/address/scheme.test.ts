import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeTempDir } from '../../support/temp.ts'
import {
  adminToken,
  assertFallback,
  assertSaid,
  checkHere,
  findProblem,
  hostAndLook,
  makeHome,
  serveAndLook,
} from '../sight.ts'

const user = 'app-user-7'
const secret = 'hunter2-Pa55word'
/** Somebody has left the others out. */
const DRIVERS = 'sqlite'

const urls = [
  `postgres://${user}:${secret}@db.example.com:5432/app`,
  `postgresql://${user}:${secret}@db.example.com/app?sslmode=require`,
  `mysql://${user}:${secret}@db.example.com/app`,
  `neon+https://${user}:${secret}@ep-x-1.eu.aws.neon.tech/app`,
  `mongodb+srv://${user}:${secret}@cluster.example.net/app`,
  `mssql://${user}:${secret}@db.example.com:1433/app`,
  `oracle://${user}:${secret}@db.example.com:1521/app`,
  `redis://:${secret}@db.example.com:6379/0`,
  `libsql://db.example.com?authToken=${secret}`,
  `jdbc:postgresql://db.example.com/app?user=${user}&password=${secret}`,
  `https://${user}:${secret}@db.example.com/app`,
  `psql postgres://${user}:${secret}@db.example.com/app`,
  `DATABASE_URL=postgres://${user}:${secret}@db.example.com/app`,
  `postgres://${user}:${secret}@[half/app`,
  `postgres://${user}:%zz${secret}@db.example.com/app`,
  `${secret}`,
]

describe('a DATABASE_URL that needs a driver which is not loaded', { concurrency: 2 }, () => {
  for (const [at, url] of urls.entries()) {
    const shown = url.replaceAll(secret, '***')
    test(`${shown} is a problem, SQLite serves, and the secret is seen nowhere`, async (t) => {
      const cwd = await makeHome(t)
      const env = { DRIVERS, DATABASE_URL: url, LOG_LEVEL: 'trace', ECHO_SQL: 'true' }
      // The first by a process, which is what users start.
      const sight = at === 0 ? await serveAndLook(t, { cwd, env }) : await hostAndLook(t, { cwd, env })
      assertFallback(sight)
      const problem = sight.problems.find(({ setting, severity }) => setting === 'database.url' && severity === 'error')
      assert.ok(problem, JSON.stringify(sight.problems))
      await assertSaid(sight, { code: problem.code, severity: 'error', setting: 'database.url' })
      const check = await checkHere(cwd, env)
      assert.equal(check.code, 2)
      assert.equal(check.primary, null)
      assert.equal(findProblem(check.problems, { code: problem.code }).origin, 'environment DATABASE_URL')
      const { service } = sight
      const seen = [check.text]
      for (const path of ['/', '/status', '/health', '/health/ready', '/metrics', '/api/feedback']) {
        const answer = await service.fetch(path, { headers: { 'holdfast-token': adminToken, accept: 'text/html,*/*' } })
        seen.push(JSON.stringify([...answer.headers]), await answer.text())
      }
      assert.match(seen.join('\n'), /id="state">Serving from the fallback[^<]*“holdfast check” shows why/)
      await service.end()
      seen.push(service.output())
      for (const text of seen) assert.ok(!text.includes(secret), `the secret is in: ${text}`)
    })
  }

  for (const scheme of ['postgres', 'postgresql', 'mysql', 'neon+https']) {
    test(`${scheme}:// says that the driver is not loaded`, async (t) => {
      const cwd = await makeTempDir(t, 'scheme')
      const check = await checkHere(cwd, { DRIVERS, DATABASE_URL: `${scheme}://u:${secret}@h/d` })
      const { message, suggestion } = findProblem(check.problems, { code: 'ADDRESS_DRIVER_NOT_LOADED', part: 'scheme' })
      assert.match(message, /is not loaded/)
      assert.match(suggestion, /^Add "\w+" to DRIVERS/)
    })
  }

  test('in parts, and as FALLBACK_DATABASE_URL, it is a problem too', async (t) => {
    const cwd = await makeHome(t)
    const parts = { DRIVERS, DATABASE_DRIVER: 'postgresql', DATABASE_HOST: 'db', DATABASE_PASSWORD: secret }
    const env = { ...parts, FALLBACK_DATABASE_URL: `mysql://u:${secret}@h/d`, LOG_LEVEL: 'trace' }
    const sight = await serveAndLook(t, { cwd, env })
    assertFallback(sight)
    assert.ok(sight.problems.some(({ setting }) => setting === 'database.driver'))
    assert.ok(sight.problems.some(({ setting }) => setting === 'fallback.url'))
    const check = await checkHere(cwd, env)
    assert.equal(check.code, 2)
    for (const text of [check.text, sight.service.output(), JSON.stringify(sight.status)]) {
      assert.ok(!text.includes(secret))
    }
  })
})

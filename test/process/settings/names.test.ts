import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { cleanLater } from '../../support/temp.ts'
import {
  assertFallback,
  assertSaid,
  bodyOf,
  checkHere,
  findProblem,
  makeHome,
  serveAndLook,
  statusOf,
} from '../sight.ts'

test("a settings file in the data model's names declares its database, and moves the server nowhere", async (t) => {
  const taken = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  cleanLater(t, () => void taken.close())
  const bound = taken.address()
  assert.ok(typeof bound === 'object' && bound !== null)
  const { port } = bound
  const cwd = await makeHome(t, {
    'config/default.json': JSON.stringify({ http: { port: 0, host: '127.0.0.1' } }),
    'config/production.json': JSON.stringify({
      primary_url: `postgresql://app:Sekret77@127.0.0.1:${port}/app`,
      fallback_url: 'sqlite:///./model.db',
      driver: 'postgresql+asyncpg',
      host: '127.0.0.1',
      port,
      username: 'app',
      password: 'Sekret77',
      database_name: 'app',
      enable_fallback: true,
      fallback: { fallback_timeout: 0.3, max_retries_primary: 0, retry_delay_ms: 100 },
      echo: false,
      validation_errors: [],
    }),
  })
  const env = { NODE_ENV: 'production', PORT: undefined, HOST: undefined, DATABASE_POOL_SIZE: '9' }
  const before = Date.now()
  const sight = await serveAndLook(t, { cwd, env })
  assertFallback(sight)
  assert.notEqual(sight.service.port, port)
  for (const key of ['host', 'port']) {
    const wanted = { code: 'SETTING_AMBIGUOUS', severity: 'info', setting: `database.${key}` } as const
    await assertSaid(sight, { ...wanted, message: /is read as the (host|port) of the database/ })
  }
  await assertSaid(sight, { code: 'SETTING_UNKNOWN', suggestion: /\/status reports it: database\.validationErrors\./ })
  await assertSaid(sight, { code: 'SETTING_MISSPELT', setting: 'DATABASE_POOL_SIZE', message: /mean POOL_SIZE,/ })
  assert.equal(sight.problems.length, 4, JSON.stringify(sight.problems))
  const { database, problems } = (await statusOf(sight.service)) as unknown as ModelStatus // Its shape is what is asserted.
  assert.equal(database.isFallbackActive, true)
  assert.equal(database.activeSessions, 0)
  const errors = problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)
  assert.deepEqual(database.validationErrors, errors)
  assert.ok(errors.some((message) => message.startsWith('validation_errors is not a setting.')))
  assert.ok(database.connectionAttemptsCount >= 2)
  const lastMs = Date.parse(database.lastConnectionAttempt)
  assert.ok(lastMs >= before && lastMs <= Date.now())
  const metrics = await (await sight.service.fetch('/metrics')).text()
  const [, counted] = /^holdfast_connection_attempts_total (\d+)$/m.exec(metrics) ?? []
  assert.ok(Number(counted) >= database.connectionAttemptsCount)
  assert.ok(
    !`${sight.service.output()}${JSON.stringify(await bodyOf(await sight.service.fetch('/health')))}`.includes(
      'Sekret77',
    ),
  )
  const check = await checkHere(cwd, env)
  assert.equal(check.code, 2)
  findProblem(check.problems, { code: 'SETTING_AMBIGUOUS', setting: 'database.port' })
})

/** What `/status` has under the names of the data model. */
interface ModelStatus {
  readonly database: {
    readonly isFallbackActive: boolean
    readonly validationErrors: readonly string[]
    readonly connectionAttemptsCount: number
    readonly lastConnectionAttempt: string
    readonly activeSessions: number
  }
  readonly problems: readonly { readonly severity: string; readonly message: string }[]
}

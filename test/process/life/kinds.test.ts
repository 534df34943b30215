import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { Client } from 'pg'
import { type Hosted, hostService } from '../../support/hosted.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanLater, cleanupOf, makeTempDir, writeFiles } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, hurriedEnv, reach } from '../serving.ts'

const primary = 'primary; driver=postgresql'
const fallback = 'fallback; driver=sqlite'

interface Why {
  readonly kind: string
  readonly code: string
  readonly summary: string
  readonly hint: string
}

describe('kinds of failure, at the start and later, and their mending', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })

  /** Without a process of its own: what fails here is the server, or the way to it. */
  const start = (t: TestContext, env: Record<string, string>): Promise<Hosted> =>
    hostService(t, {
      env: {
        DRIVERS: 'sqlite,postgresql',
        ...hurriedEnv,
        POOL_SIZE: '2',
        POOL_MAX_OVERFLOW: '0',
        ...env,
      },
    })

  /** The kind is told: a code to everybody, sentence and hint to the admin. */
  async function assertTold(service: Hosted, kind: string, code: RegExp): Promise<void> {
    const headers = { authorization: `Bearer ${admin}` }
    const { database } = (await (await service.fetch('/status', { headers })).json()) as { database: { why: Why } } // Ours.
    const { why } = database
    assert.equal(why.kind, kind, JSON.stringify(why))
    assert.match(why.code, code)
    assert.ok(why.summary.length > 10 && why.hint.length > 10)
    const open = (await (await service.fetch('/health')).json()) as { status: string; output: string } // Ours.
    assert.equal(open.status, 'warn')
    assert.ok(open.output.includes(`${kind} ${why.code}`) && !open.output.includes(why.hint), open.output)
    const trusted = await (await service.fetch('/health', { headers })).text()
    assert.ok(trusted.includes(JSON.stringify(why.hint).slice(1, -1)), trusted)
  }

  /** A role of its own, which owns a database of its own. */
  async function makeRole(): Promise<{ readonly role: string; readonly database: string }> {
    const database = await server.createDatabase()
    const role = `r_${database.slice(2, 14)}`
    await server.query(`create role ${role} login password 'first-Pa55word'`)
    await server.query(`alter database ${database} owner to ${role}`)
    return { role, database }
  }

  const urlOf = (role: string, word: string, database: string, port = server.port): string =>
    `postgres://${role}:${word}@127.0.0.1:${port}/${database}`

  /** As a platform does it: the new file takes the place of the old one at once. */
  async function rotate(dir: string, name: string, content: string): Promise<void> {
    await writeFiles(dir, { [`${name}.new`]: `${content}\n` })
    await rename(join(dir, `${name}.new`), join(dir, name))
  }

  for (const [what, setting] of [
    ['a password in DATABASE_PASSWORD_FILE', 'DATABASE_PASSWORD_FILE'],
    ['an address in DATABASE_URL_FILE', 'DATABASE_URL_FILE'],
  ] as const) {
    test(`auth, later: ${what} is refused after a change, and heals soon after it was rotated`, async (t) => {
      const { role, database } = await makeRole()
      const dir = await makeTempDir(t, 'secret')
      const isUrl = setting === 'DATABASE_URL_FILE'
      const content = (word: string) => (isUrl ? urlOf(role, word, database) : word)
      await rotate(dir, 'secret', content('first-Pa55word'))
      const parts = {
        DATABASE_DRIVER: 'postgresql',
        DATABASE_HOST: '127.0.0.1',
        DATABASE_PORT: String(server.port),
        DATABASE_USERNAME: role,
        DATABASE_NAME: database,
      }
      const service = await start(t, { ...(isUrl ? {} : parts), [setting]: join(dir, 'secret') })
      await reach(service, primary)
      await server.query(`alter role ${role} password 'second-Pa55word'`)
      await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`)
      await reach(service, fallback)
      await assertTold(service, 'auth', /^28P01$/)
      // Refused a few times, so that the pauses have become long (100 ms, doubling up to 30 s).
      const tries = async () => {
        const headers = { authorization: `Bearer ${admin}` }
        const status = (await (await service.fetch('/status', { headers })).json()) as {
          database: { attempts: number }
        }
        return status.database.attempts
      }
      await until(async () => (await tries()) >= 5, { withinMs: 8_000, what: 'five tries' })
      await rotate(dir, 'secret', content('second-Pa55word'))
      const tookMs = await reach(service, primary, 6_000)
      t.diagnostic(`rotated to the first answer of the primary: ${Math.round(tookMs)} ms`)
      assert.ok(!/first-Pa55word|second-Pa55word/.test(service.output()))
      await service.end()
    })
  }

  test('auth, at the start: the fallback serves within the limits; it heals when the password is changed back', async (t) => {
    const { role, database } = await makeRole()
    const service = await start(t, { DATABASE_URL: urlOf(role, 'not-yet-Pa55word', database) })
    const tookMs = await reach(service, fallback)
    assert.ok(tookMs < 3_000, `${tookMs} ms`)
    await assertTold(service, 'auth', /^28P01$/)
    await server.query(`alter role ${role} password 'not-yet-Pa55word'`)
    await reach(service, primary, 15_000)
    await service.end()
  })

  test('configuration, at the start: a database that is missing; it heals when it is created', async (t) => {
    const { role } = await makeRole()
    const database = `later_${role}`
    const service = await start(t, { DATABASE_URL: urlOf(role, 'first-Pa55word', database) })
    await reach(service, fallback)
    await assertTold(service, 'configuration', /^3D000$/)
    await server.query(`create database ${database} owner ${role}`)
    t.diagnostic(`created to the first answer of the primary: ${Math.round(await reach(service, primary))} ms`)
    await service.end()
  })

  test('configuration, later: a database that is dropped; it heals when it is created again', async (t) => {
    const { role, database } = await makeRole()
    const service = await start(t, { DATABASE_URL: urlOf(role, 'first-Pa55word', database) })
    await reach(service, primary)
    await server.query(`drop database ${database} with (force)`)
    await reach(service, fallback)
    await assertTold(service, 'configuration', /^3D000$/)
    await server.query(`create database ${database} owner ${role}`)
    await reach(service, primary)
    const row = await service.send('POST', '/api/feedback', { rating: 5 })
    assert.deepEqual([row.status, row.headers.get('holdfast-store')], [201, primary])
    await service.end()
  })

  test('tls, at the start: a server that speaks none is told, and the fallback serves', async (t) => {
    const { role, database } = await makeRole()
    const service = await start(t, { DATABASE_URL: `${urlOf(role, 'first-Pa55word', database)}?sslmode=require` })
    await reach(service, fallback)
    await assertTold(service, 'tls', /TLS/)
    await service.end()
  })

  for (const when of ['at the start', 'later'] as const) {
    test(`capacity, ${when}: a role without a free connection is told, and it heals when one is free`, async (t) => {
      const { role, database } = await makeRole()
      const proxy = await startProxy(t, server)
      const url = urlOf(role, 'first-Pa55word', database, proxy.port)
      let service = when === 'later' ? await start(t, { DATABASE_URL: url }) : null
      if (service !== null) await reach(service, primary)
      // All that the database may have is taken by somebody else.
      await server.query(`alter database ${database} connection limit 1`)
      await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`)
      const rival = await until(
        async () => {
          const client = new Client({
            host: '127.0.0.1',
            port: server.port,
            database,
            user: role,
            password: 'first-Pa55word',
          })
          client.on('error', () => {})
          await client.connect()
          return client
        },
        { everyMs: 1, what: 'the one connection' },
      )
      cleanLater(t, () => rival.end())
      service ??= await start(t, { DATABASE_URL: url })
      await reach(service, fallback)
      await assertTold(service, 'capacity', /^53300$/)
      await rival.end()
      await server.query(`alter database ${database} connection limit -1`)
      t.diagnostic(`free to the first answer of the primary: ${Math.round(await reach(service, primary))} ms`)
      await service.end()
    })
  }

  test('read-only, later: a primary that takes no writes any more is left, and served again when it does', async (t) => {
    const { role, database } = await makeRole()
    const service = await start(t, { DATABASE_URL: urlOf(role, 'first-Pa55word', database) })
    await reach(service, primary)
    await server.query(`alter database ${database} set default_transaction_read_only = on`)
    await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`)
    const write = () => service.send('POST', '/api/feedback', { rating: 1 })
    await until(async () => (await write()).headers.get('holdfast-store') === fallback, { what: 'the fallback' })
    await assertTold(service, 'read-only', /^DEFAULT_READ_ONLY$/)
    await server.query(`alter database ${database} reset default_transaction_read_only`)
    await reach(service, primary)
    await service.end()
  })

  test('a primary that comes and goes every second is not followed: after its second loss the fallback stays', async (t) => {
    const { role, database } = await makeRole()
    const proxy = await startProxy(t, server)
    const service = await start(t, { DATABASE_URL: urlOf(role, 'first-Pa55word', database, proxy.port) })
    await reach(service, primary)
    const answers = { ok: 0, other: [] as number[] }
    /** Asks for a second, every few milliseconds, so that each loss is met by somebody. */
    const secondOfUse = async (): Promise<void> => {
      const until = performance.now() + 1_000
      while (performance.now() < until) {
        const answer = await service.fetch('/api/feedback?limit=1')
        await answer.text()
        if (answer.status === 200) answers.ok += 1
        else answers.other.push(answer.status)
        await setTimeout(5)
      }
    }
    for (let times = 0; times < 4; times += 1) {
      await proxy.refuse()
      proxy.dropAll()
      await secondOfUse()
      await proxy.accept()
      await secondOfUse()
    }
    const changes = service.log().filter(({ event }) => event === 'connection.changed')
    const served = changes.filter(({ to }) => to === 'PRIMARY_CONNECTED').length
    // At the start, once at once, and once more at most in the eight seconds: four times without the longer stay.
    assert.ok(served <= 3, `${served} times on the primary`)
    assert.deepEqual(answers.other, [], `beside ${answers.ok} answers`)
    await reach(service, primary, 15_000)
    await service.end()
  })
})

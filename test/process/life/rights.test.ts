import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { type Hosted, hostService } from '../../support/hosted.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, hurriedEnv } from '../serving.ts'

const primary = 'primary; driver=postgresql'
const fallback = 'fallback; driver=sqlite'

interface Problem {
  readonly code: string
  readonly message: string
  readonly suggestion: string
}

interface Status {
  readonly health: { readonly status: string }
  readonly database: { readonly state: string; readonly writeBlock: string | null; readonly durability: string | null }
  readonly problems: readonly Problem[]
}

const notes = JSON.stringify({
  name: 'notes',
  fields: { text: { type: 'string', maxLength: 100 } },
  access: { create: 'public', list: 'public', get: 'public' },
})

describe('a primary in which our tables may not be created', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })

  /** A role that may use the schema `public` and make nothing in it, as PostgreSQL 15 gives it; its address. */
  async function roleWithoutRights(database: string): Promise<string> {
    const role = `r_${database.slice(2, 14)}`
    await server.query(`create role ${role} login password 'word'`)
    await server.query('revoke create on schema public from public', database)
    return `postgres://${role}:word@127.0.0.1:${server.port}/${database}`
  }

  /** Without a process of its own: what is missing here is a right in the server. */
  async function start(t: TestContext, url: string, env: Record<string, string> = {}): Promise<Hosted> {
    return await hostService(t, {
      files: { 'config/collections/notes.json': notes },
      env: {
        DRIVERS: 'sqlite,postgresql',
        DATABASE_URL: url,
        ...hurriedEnv,
        ...env,
      },
    })
  }

  const write = (service: Hosted) => service.send('POST', '/api/feedback', { rating: 5 })

  async function status(service: Hosted): Promise<Status> {
    const answer = await service.fetch('/status', { headers: { authorization: `Bearer ${admin}` } })
    return (await answer.json()) as Status // Ours.
  }

  const health = async (service: Hosted) =>
    (await (await service.fetch('/health')).json()) as { status: string; checks: Record<string, [{ output?: string }]> }

  async function reach(service: Hosted, store: string): Promise<void> {
    const answered = async () => (await service.fetch('/api/notes')).headers.get('holdfast-store')
    await until(async () => (await answered()) === store, { withinMs: 10_000, everyMs: 10, what: store })
  }

  const suggestionOf = ({ problems }: Status, code: string, holding = ''): string => {
    const found = problems.find((problem) => problem.code === code && problem.suggestion.includes(holding))
    assert.ok(found, `${code} in ${JSON.stringify(problems)}`)
    return found.suggestion
  }

  /** What an operator does: the statements of the suggestion, as the owner. */
  async function obey(suggestion: string, database: string): Promise<void> {
    const sql = suggestion.replace(/^As the owner of the database,? run: /, '')
    await server.query(sql, database)
  }

  async function assertReadOnly(service: Hosted): Promise<void> {
    assert.equal((await service.fetch('/api/notes')).status, 200, 'reads are answered')
    const refused = await service.send('POST', '/api/notes', { text: 'refused' })
    const body = (await refused.json()) as { code: string; detail: string; hint: string }
    assert.deepEqual([refused.status, body.code], [503, 'STORE_READ_ONLY'])
    assert.match(body.detail, /own tables/)
    assert.match(body.hint, /SQL and the grants/)
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.equal(refused.headers.get('holdfast-durability'), null)
  }

  test('without the right to create, the primary serves what it has, and its fallback is read-only', async (t) => {
    const database = await server.createDatabase()
    const url = await roleWithoutRights(database)
    const first = await start(t, url)
    assert.equal((await write(first)).status, 503, 'its table cannot be made')
    const seen = await status(first)
    assert.deepEqual([seen.database.state, seen.database.writeBlock], ['PRIMARY_CONNECTED', 'tables-absent'])
    const why = seen.problems.find(({ code }) => code === 'TABLE_MISSING')?.message ?? ''
    assert.match(why, /does not exist, and the database does not allow Holdfast to create it: .*\.$/)
    assert.equal((await health(first)).status, 'warn')
    const refused = (await health(first)).checks['collection:tables']?.[0].output
    assert.equal(refused, 'COLLECTION_UNAVAILABLE feedback notes')
    assert.match((await health(first)).checks['fallback:writes']?.[0].output ?? '', /accepts no writes/)
    assert.match(await (await first.fetch('/', { headers: { accept: 'text/html' } })).text(), /id="write-block"/)
    assert.match(first.output(), /The fallback accepts no writes/)
    const tables = await server.query("select 1 from pg_tables where schemaname = 'public'", database)
    assert.deepEqual(tables, [], 'nothing was made')

    // The operator makes one collection's table as the problem says.
    await obey(suggestionOf(seen, 'TABLE_MISSING', '"notes"'), database)
    await first.end()
    const service = await start(t, url)
    assert.equal((await service.send('POST', '/api/notes', { text: 'on the primary' })).status, 201)
    assert.equal((await write(service)).status, 503, 'the other one is still missing')
    await server.kill()
    await reach(service, fallback)
    await assertReadOnly(service)
    assert.equal((await status(service)).database.durability, null)
    await server.start()
    await reach(service, primary)
    assert.equal((await health(service)).status, 'warn')

    // Now our own tables: the fallback takes writes in the next outage, without a restart.
    const lacking = await status(service)
    await obey(suggestionOf(lacking, 'OWN_TABLES_MISSING'), database)
    await obey(suggestionOf(lacking, 'TABLE_MISSING', '"feedback"'), database)
    await until(async () => (await status(service)).database.writeBlock === null, {
      withinMs: 20_000,
      what: 'the grants',
    })
    await until(async () => (await write(service)).status === 201, { what: 'the collection' })
    const mended = await status(service)
    assert.deepEqual(
      mended.problems.filter(({ code }) => /TABLE/.test(code)),
      [],
    )
    assert.equal((await health(service)).status, 'pass')
    await server.kill()
    await reach(service, fallback)
    const taken = await write(service)
    assert.deepEqual([taken.status, taken.headers.get('holdfast-durability')?.slice(0, 7)], [201, 'journal'])
    await server.start()
    await service.end()
  })

  test('with SCHEMA_APPLY=none nothing is made, and the fallback is read-only', async (t) => {
    const database = await server.createDatabase()
    const before = await start(t, server.url(database), { SCHEMA_APPLY: 'none' })
    await before.fetch('/api/notes')
    await obey(suggestionOf(await status(before), 'TABLE_MISSING', '"notes"'), database)
    await before.end()
    const service = await start(t, server.url(database), { SCHEMA_APPLY: 'none' })
    const answer = await service.fetch('/api/feedback')
    const body = (await answer.json()) as { code: string; detail: string }
    assert.deepEqual(
      [answer.status, body.code, answer.headers.get('retry-after')],
      [503, 'COLLECTION_UNAVAILABLE', '5'],
    )
    assert.match(body.detail, /may not be created/)
    assert.equal((await service.fetch('/api/notes')).status, 200, 'the other one serves')
    const seen = await status(service)
    assert.deepEqual([seen.database.state, seen.database.writeBlock], ['PRIMARY_CONNECTED', 'tables-absent'])
    assert.match(suggestionOf(seen, 'TABLE_MISSING', '"feedback"'), /create table/)
    assert.match(suggestionOf(seen, 'OWN_TABLES_MISSING'), /create table if not exists holdfast_attempt/)
    const tables = await server.query("select tablename from pg_tables where schemaname = 'public'", database)
    assert.deepEqual(tables, [{ tablename: 'notes' }])
    await server.kill()
    await reach(service, fallback)
    await assertReadOnly(service)
    await server.start()
    await reach(service, primary)
    await service.end()
  })

  test('where a later release made our tables the primary serves, and the fallback is read-only', async (t) => {
    const database = await server.createDatabase()
    const before = await start(t, server.url(database))
    assert.equal((await write(before)).status, 201)
    await before.end()
    await server.query('update holdfast_identity set format = 99', database)
    const service = await start(t, server.url(database))
    const written = await write(service)
    assert.deepEqual([written.status, written.headers.get('holdfast-durability')], [201, 'primary'])
    const seen = await status(service)
    assert.deepEqual([seen.database.writeBlock, seen.health.status], ['format-newer', 'warn'])
    suggestionOf(seen, 'FORMAT_NEWER')
    await server.kill()
    await reach(service, fallback)
    assert.equal((await write(service)).status, 503)
    await server.start()
    await service.end()
  })
})

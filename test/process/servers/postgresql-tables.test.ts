import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chownSync, closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isRoot, ordinaryUid, type Service } from '../../support/process.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanLater, cleanupOf, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { adminToken, bodyOf, healthOf, serve, statusOf } from '../sight.ts'

const role = 'keeper'
const names = ['dropped', 'renamed', 'narrowed', 'retyped', 'revoked', 'triggered'] as const

/** Takes all the space that is left. */
function fillDisk(folder: string): void {
  const file = openSync(join(folder, 'filler'), 'a')
  const fits = (bytes: number): boolean => {
    try {
      return writeSync(file, Buffer.alloc(bytes)) === bytes
    } catch {
      return false
    }
  }
  for (const bytes of [1_048_576, 4_096, 1]) while (fits(bytes)) {}
  closeSync(file)
}

describe('tables that change under the running service', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let service: Service
  let database: string
  before(async () => {
    server = await startPostgres(cleanup)
    database = await server.createDatabase()
    await server.query(`create role ${role} login password 'kept-by-nobody'`)
    await server.query(`grant all on schema public to ${role}`, database)
    const url = `postgresql://${role}:kept-by-nobody@127.0.0.1:${server.port}/${database}`
    const shape = { fields: { text: { type: 'string' } }, access: { create: 'public', list: 'public' } }
    const files = Object.fromEntries(
      names.map((name) => [`config/collections/${name}.json`, JSON.stringify({ name, ...shape })]),
    )
    service = await serve(cleanup, { env: { DATABASE_URL: url, RATE_LIMIT: '0', LOG_REQUESTS: 'false' }, files })
    for (const name of names) assert.equal((await create(name)).status, 201)
  })

  const sql = (text: string) => server.query(text, database)
  const create = (name: string) => service.send('POST', `/api/${name}`, { text: 'a row' })
  const list = (name: string) => service.fetch(`/api/${name}`)

  /** What an operator runs: the SQL of the problem. */
  const suggested = (suggestion: string): string => suggestion.slice(suggestion.indexOf('run: ') + 5)

  const changes: readonly {
    readonly name: (typeof names)[number]
    readonly what: string
    readonly sql: string
    readonly call: (name: string) => Promise<Response>
    readonly code: string
    readonly heal: (suggestion: string) => string
  }[] = [
    {
      name: 'dropped',
      what: 'a table that was dropped',
      sql: 'drop table dropped',
      call: list,
      code: 'TABLE_MISSING',
      heal: suggested,
    },
    {
      name: 'renamed',
      what: 'a table that was renamed, which is not made again: its rows would seem to be gone',
      sql: 'alter table renamed rename to elsewhere',
      call: list,
      code: 'TABLE_MISSING',
      heal: () => 'alter table elsewhere rename to renamed',
    },
    {
      name: 'narrowed',
      what: 'a column that was dropped',
      sql: 'alter table narrowed drop column text',
      call: create,
      code: 'TABLE_MISSING',
      heal: suggested,
    },
    {
      name: 'retyped',
      what: 'a column of another type',
      sql: 'alter table retyped alter column text type integer using null',
      call: create,
      code: 'TABLE_UNFIT',
      heal: () => 'alter table retyped alter column text type text',
    },
    {
      name: 'revoked',
      what: 'a right that was taken away',
      sql: `alter table revoked owner to holdfast; grant select, delete on revoked to ${role}`,
      call: create,
      code: 'TABLE_DENIED',
      heal: suggested,
    },
  ]
  test('each is 503 with the SQL in /status and a warning in /health, and heals when it is run', async () => {
    for (const change of changes) await sql(change.sql)
    for (const { name, call, what } of [...changes, ...changes]) {
      const answer = await call(name)
      assert.deepEqual([answer.status, (await bodyOf(answer)).code], [503, 'COLLECTION_UNAVAILABLE'], what)
      assert.equal(answer.headers.get('retry-after'), '5')
    }
    assert.equal((await list('revoked')).status, 200, 'what the rights allow is served')
    const health = await healthOf(service)
    assert.deepEqual([health.http, health.status], [200, 'warn'])
    for (const { name } of changes) assert.match(health.output ?? '', new RegExp(`COLLECTION_UNAVAILABLE.* ${name}`))
    const { problems } = await statusOf(service)
    for (const { name, code, what, heal } of changes) {
      const problem = problems.find((one) => one.code === code && one.message.includes(`"${name}"`))
      assert.ok(problem, what)
      await sql(heal(problem.suggestion))
    }
    await until(async () => (await healthOf(service)).status === 'pass', { withinMs: 10_000, what: 'all to heal' })
    for (const { name } of changes) assert.equal((await create(name)).status, 201)
    assert.equal((await bodyOf(await list('renamed'))).items.length, 2, 'the rows of before')
  })

  test('a trigger that discards the row is no success', async () => {
    await sql(`create function nothing() returns trigger language plpgsql as $$ begin return null; end $$`)
    const asAdmin = { headers: { authorization: `Bearer ${adminToken}` } }
    const { id } = await bodyOf(await create('triggered'))
    const etag = (await service.fetch(`/api/triggered/${id}`, asAdmin)).headers.get('etag') ?? ''
    const write = (method: string, ifMatch?: string): Promise<Response> =>
      service.fetch(`/api/triggered${method === 'POST' ? '' : `/${id}`}`, {
        method,
        headers: {
          authorization: `Bearer ${adminToken}`,
          'content-type': 'application/json',
          ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        },
        ...(method === 'DELETE' ? {} : { body: '{"text":"other"}' }),
      })
    await sql('create trigger t before insert or update or delete on triggered for each row execute function nothing()')
    for (const [method, match] of [['POST'], ['PATCH'], ['PATCH', etag], ['DELETE'], ['DELETE', etag]] as const) {
      const answer = await write(method, match)
      assert.deepEqual([answer.status, (await bodyOf(answer)).code], [409, 'WRITE_DISCARDED'], method)
    }
    assert.equal((await write('DELETE', '"another"')).status, 412)
    assert.equal((await healthOf(service)).status, 'pass')
    await sql('drop trigger t on triggered')
    assert.equal((await write('PATCH', etag)).status, 200)
  })

  test('a full disk under the primary leads to the fallback, and room on it back', {
    skip: isRoot ? false : 'only root can mount a small disk',
  }, async (t) => {
    const disk = await makeTempDir(t, 'small-disk')
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'holdfast-test', disk])
    cleanLater(t, () => void execFileSync('umount', ['-l', disk]))
    chownSync(disk, ordinaryUid, ordinaryUid)
    await server.query(`create tablespace small location '${disk}'`)
    await server.query('create database narrow tablespace small')
    const env = { DATABASE_URL: server.url('narrow'), RATE_LIMIT: '0', LOG_REQUESTS: 'false' }
    const small = await serve(t, { env })
    const write = () => small.send('POST', '/api/feedback', { rating: 5, comment: 'x'.repeat(1_900) })
    assert.equal((await write()).headers.get('holdfast-store'), 'primary; driver=postgresql')
    fillDisk(disk)
    const seen: string[] = []
    await until(async () => {
      const answer = await write()
      assert.equal(answer.status, 201, await answer.text())
      seen.push(answer.headers.get('holdfast-store') ?? '')
      return seen.at(-1)?.startsWith('fallback')
    })
    assert.equal((await statusOf(small)).database.why?.kind, 'disk-full')
    rmSync(join(disk, 'filler'))
    await until(async () => (await write()).headers.get('holdfast-store')?.startsWith('primary'), {
      withinMs: 15_000,
      what: 'the return',
    })
    await small.end()
    await server.query('drop database narrow with (force)')
    await server.query('drop tablespace small')
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import mysql from '../../plugins/mysql/mysql.ts'
import postgresql from '../../plugins/postgresql/postgresql.ts'
import { type Bench, createBench, urlAddress } from '../../src/conformance/bench.ts'
import type { Driver, Facts, Want } from '../../src/driver/driver.ts'
import { ownFormat, requestTable } from '../../src/driver/kit/driver-kit.ts'
import { noMariadb, startMariadb } from '../support/servers/mariadb.ts'
import { noPostgres, startPostgres } from '../support/servers/postgres.ts'
import { type Cleanup, cleanupOf } from '../support/temp.ts'

/** A server under test. */
interface Server {
  url(database?: string): string
  createDatabase(): Promise<string>
  query(text: string, database?: string): Promise<readonly Record<string, unknown>[]>
}

/** What differs between the servers. */
interface Kind {
  readonly driver: Driver
  readonly noServer: string | false
  readonly type: string
  start(cleanup: Cleanup): Promise<Server>
  /** Creates a user without rights; its name in an address and in a grant. */
  createUser(server: Server, database: string): Promise<readonly [name: string, account: string]>
  readonly tables: (database: string) => string
}

const kinds: Readonly<Record<string, Kind>> = {
  PostgreSQL: {
    driver: postgresql as unknown as Driver, // Its target is its own; it only gets it back.
    noServer: noPostgres,
    type: 'uuid',
    start: (cleanup) => startPostgres(cleanup),
    async createUser(server, database) {
      const name = `plain_${database}`
      await server.query(`create role ${name} login password 'plain'`)
      await server.query('revoke create on schema public from public', database)
      return [name, name]
    },
    tables: () => "select tablename as name from pg_tables where schemaname = 'public' order by 1",
  },
  MariaDB: {
    driver: mysql as unknown as Driver, // As above.
    noServer: noMariadb,
    type: 'char(36) character set ascii collate ascii_bin',
    start: (cleanup) => startMariadb(cleanup),
    async createUser(server, database) {
      const name = `plain_${database.slice(2, 12)}`
      await server.query(`create user ${name} identified by 'plain'`)
      // Otherwise it may not use the database.
      await server.query('create table theirs (id int)', database)
      await server.query(`grant select on ${database}.theirs to ${name}`)
      return [name, name]
    },
    tables: (database) =>
      `select table_name as name from information_schema.tables where table_schema = '${database}' order by 1`,
  },
}

const ownTables = ['holdfast_attempt', 'holdfast_conflict', 'holdfast_identity', 'holdfast_request']

for (const [name, kind] of Object.entries(kinds)) {
  describe(`Holdfast's own tables in ${name}`, { skip: kind.noServer }, () => {
    const cleanup = cleanupOf(after)
    const { driver } = kind
    let server: Server
    let bench: Bench
    before(async () => {
      server = await kind.start(cleanup)
      bench = await createBench(driver, { address: async () => server.url() })
      cleanup.after(() => bench.end())
    })

    async function prove(url: string, proof: Want['proof'] = 'write'): Promise<Facts> {
      const { target } = driver.parse(urlAddress(bench, url), bench.settings)
      assert.ok(target)
      const [candidate] = await driver.connect(target, { ...limits, queryMs: 5_000 })
      const connection = await candidate?.open(AbortSignal.timeout(5_000))
      assert.ok(connection)
      try {
        return await connection.verify({ role: 'primary', proof }, AbortSignal.timeout(5_000))
      } finally {
        await connection.close()
      }
    }

    /** A database as a release of format 1 left it; its identity. */
    async function makeFormer(): Promise<readonly [database: string, id: string]> {
      const [database, id] = [await server.createDatabase(), randomUUID()]
      for (const text of [
        `create table holdfast_identity (singleton int default 1 primary key, id ${kind.type} not null, format integer not null)`,
        `create table holdfast_attempt (id ${kind.type} primary key, made_at timestamp default now())`,
        `insert into holdfast_identity (id, format) values ('${id}', 1)`,
        `insert into holdfast_attempt (id) values ('${id}')`,
      ]) {
        await server.query(text, database)
      }
      return [database, id]
    }

    const tablesOf = async (database: string): Promise<readonly unknown[]> =>
      (await server.query(kind.tables(database), database)).map((row) => row.name)

    const formatOf = async (database: string): Promise<unknown> =>
      (await server.query('select format from holdfast_identity', database))[0]?.format

    const attemptsIn = async (database: string): Promise<number> =>
      Number((await server.query('select count(*) as n from holdfast_attempt', database))[0]?.n)

    test('are created once by several processes at a time, and their identity is reported', async () => {
      const database = await server.createDatabase()
      const facts = await Promise.all(Array.from({ length: 4 }, () => prove(server.url(database))))
      const [row] = await server.query('select id, format, watermark from holdfast_identity', database)
      assert.deepEqual([row?.format, row?.watermark], [ownFormat, null])
      for (const { ownTables: state, identity } of facts) assert.deepEqual([state, identity], ['ours', row?.id])
      assert.deepEqual(await tablesOf(database), ownTables)
      assert.equal((await prove(server.url(database), 'look')).identity, row?.id)
    })

    test('of format 1 are changed in place by several processes at a time, and keep identity and attempts', async () => {
      const [database, id] = await makeFormer()
      const seen = await prove(server.url(database), 'look')
      assert.deepEqual([seen.ownTables, seen.problems, await formatOf(database)], ['absent', [], 1])
      const facts = await Promise.all(Array.from({ length: 4 }, () => prove(server.url(database))))
      for (const { ownTables: state, identity } of facts) assert.deepEqual([state, identity], ['ours', id])
      assert.deepEqual(await tablesOf(database), ownTables)
      assert.deepEqual(await server.query('select format, watermark from holdfast_identity', database), [
        { format: ownFormat, watermark: null },
      ])
      assert.equal(await attemptsIn(database), 1)
    })

    test('of format 1 whose change ended half-way are changed to the end', async () => {
      const [database, id] = await makeFormer()
      await server.query(`alter table holdfast_identity add column watermark ${kind.type}`, database)
      await server.query(
        `create table holdfast_request (id ${kind.type} primary key, answer text, made_at timestamp default now())`,
        database,
      )
      assert.equal((await prove(server.url(database))).identity, id)
      assert.equal(await formatOf(database), ownFormat)
    })

    test('of format 1 that the user may not change are named with the SQL that changes them', async () => {
      const [database, id] = await makeFormer()
      const [user] = await kind.createUser(server, database)
      for (const [table, rights] of [
        ['holdfast_identity', 'select, insert'],
        ['holdfast_attempt', 'select, insert, delete'],
      ]) {
        await server.query(`grant ${rights} on ${table} to ${user}`, database)
      }
      const url = server.url(database).replace(/\/\/[^@]*@/, `//${user}:plain@`)
      const { ownTables: state, problems } = await prove(url)
      assert.deepEqual([state, problems[0]?.code], ['absent', 'OWN_TABLES_MISSING'])
      assert.equal(await formatOf(database), 1)
      for (const sql of problems[0]?.suggestion.replace(/^[^:]*: /, '').split('; ') ?? []) {
        await server.query(sql, database)
      }
      const then = await prove(url)
      assert.deepEqual([then.ownTables, then.identity, then.problems], ['ours', id, []])
    })

    /** A database whose `holdfast_request` is of an earlier release. */
    async function makeOlderRequests(): Promise<string> {
      const database = await server.createDatabase()
      await prove(server.url(database))
      await server.query('drop table holdfast_request', database)
      const columns = `id ${kind.type} primary key, answer text, made_at timestamp default now()`
      await server.query(`create table holdfast_request (${columns})`, database)
      return database
    }

    test('get the columns of requests with a key by several processes at a time', async () => {
      const database = await makeOlderRequests()
      const seen = await prove(server.url(database), 'look')
      assert.deepEqual([seen.ownTables, seen.keepsRequests, seen.problems], ['ours', false, []])
      const facts = await Promise.all(Array.from({ length: 4 }, () => prove(server.url(database))))
      for (const { ownTables: state, keepsRequests } of facts) assert.deepEqual([state, keepsRequests], ['ours', true])
      const names = requestTable.columns.map(({ name }) => name).join(', ')
      assert.deepEqual(await server.query(`select ${names} from holdfast_request`, database), [])
    })

    test('are used without keys of requests where the user may not add the columns', async () => {
      const database = await makeOlderRequests()
      const [user] = await kind.createUser(server, database)
      for (const table of ownTables) {
        await server.query(`grant select, insert, update, delete on ${table} to ${user}`, database)
      }
      const url = server.url(database).replace(/\/\/[^@]*@/, `//${user}:plain@`)
      const { ownTables: state, keepsRequests, problems } = await prove(url)
      assert.deepEqual([state, keepsRequests, problems[0]?.code], ['ours', false, 'REQUESTS_MISSING'])
      for (const sql of problems[0]?.suggestion.replace(/^[^:]*: /, '').split('; ') ?? []) {
        await server.query(sql, database)
      }
      const then = await prove(url)
      assert.deepEqual([then.ownTables, then.keepsRequests, then.problems], ['ours', true, []])
    })

    for (const [table, rights] of [
      ['holdfast_conflict', 'insert'],
      ['holdfast_identity', 'update'],
      ['holdfast_request', 'delete'],
      ['holdfast_attempt', 'delete'],
    ] as const) {
      test(`are not usable without the right to ${rights} in ${table}`, async () => {
        const database = await server.createDatabase()
        await prove(server.url(database))
        const [user] = await kind.createUser(server, database)
        const url = server.url(database).replace(/\/\/[^@]*@/, `//${user}:plain@`)
        const { problems } = await prove(url)
        const grants = problems[0]?.suggestion.split('; ').filter((sql) => sql.startsWith('grant')) ?? []
        for (const sql of grants) await server.query(sql, database)
        assert.equal((await prove(url, 'open')).ownTables, 'ours')
        await server.query(`revoke ${rights} on ${table} from ${user}`, database)
        const facts = await prove(url, 'open')
        assert.deepEqual([facts.ownTables, facts.problems[0]?.code], ['absent', 'OWN_TABLES_MISSING'])
        assert.equal(facts.identity, undefined)
      })
    }

    test('of a later format are left as they are', async () => {
      const [database] = await makeFormer()
      await server.query(`update holdfast_identity set format = ${ownFormat + 1}`, database)
      for (const proof of ['look', 'write'] as const) {
        const { ownTables: state, problems, identity } = await prove(server.url(database), proof)
        assert.deepEqual([state, problems[0]?.code, identity], ['newer', 'FORMAT_NEWER', undefined])
      }
      assert.deepEqual(await tablesOf(database), ['holdfast_attempt', 'holdfast_identity'])
    })

    test('with many attempts are proved as quickly, and none is lost', async () => {
      const database = await server.createDatabase()
      await prove(server.url(database))
      await server.query(kind === kinds.MariaDB ? manyOfMariadb : manyOfPostgres, database)
      const before = await attemptsIn(database)
      assert.equal(before, 100_000)
      await Promise.all(Array.from({ length: 3 }, () => prove(server.url(database))))
      assert.equal(await attemptsIn(database), before)
    })
  })
}

const manyOfPostgres =
  'insert into holdfast_attempt (id) select md5(n::text)::uuid from generate_series(1, 100000) as n'
const manyOfMariadb = 'insert into holdfast_attempt (id) select uuid() from seq_1_to_100000'

const limits = { connectMs: 5_000, transactionMs: 5_000, poolSize: 2, poolMaxOverflow: 2 } as const

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { repository, runProcess } from '../support/process.ts'
import { noPostgres, type Postgres, startPostgres } from '../support/servers/postgres.ts'
import { cleanupOf, makeTempDir } from '../support/temp.ts'

const client = join(repository, 'node_modules/@mikro-orm/cli/cli.js')

/** MikroORM's command line, in the repository, whose package.json names the configuration. It ends by itself. */
async function mikroOrm(t: TestContext, args: readonly string[], env: Record<string, string>) {
  const DATA_DIR = await makeTempDir(t, 'orm')
  const NODE_COMPILE_CACHE = join(repository, 'dist/cache')
  return await runProcess(t, {
    cwd: repository,
    args: [client, ...args],
    env: { DATA_DIR, NODE_COMPILE_CACHE, ...env },
  })
}

describe("MikroORM's command line", { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
  })

  it('works on the declared primary, and leaves our own tables alone', async (t) => {
    const database = await server.createDatabase()
    const env = { DATABASE_URL: server.url(database), DRIVERS: 'sqlite,postgresql' }
    const debug = await mikroOrm(t, ['debug'], env)
    assert.match(debug.stdout, /database connection successful/)
    await server.query('create table holdfast_position (id text primary key)', database)
    const run = await mikroOrm(t, ['schema:update', '--run'], env)
    assert.equal(run.code, 0, run.stdout + run.stderr)
    const tables = await server.query('select tablename from pg_tables order by 1', database)
    const own = tables.map(({ tablename }) => tablename)
    assert.ok(own.includes('feedback') && own.includes('holdfast_position'), own.join(', '))
  })

  it('works on the local store where no primary is declared', async (t) => {
    const { code, stdout } = await mikroOrm(t, ['schema:create', '--dump'], {})
    assert.equal(code, 0)
    assert.match(stdout, /create table `feedback`/)
  })

  it('says in a sentence why the primary cannot be had, without its secret', async (t) => {
    const url = server.url().replace(/:[^:@/]+@/, ':S3cr3tS3cr3t@')
    const given = [
      [url, /rejected the user or the password/],
      ['postgresql://u:S3cr3tS3cr3t@127.0.0.1:1/app', /ECONNREFUSED/],
      ['postgress://u:S3cr3tS3cr3t@127.0.0.1/app', /Did you mean "postgres/],
    ] as const
    for (const [DATABASE_URL, expected] of given) {
      const { code, stdout, stderr } = await mikroOrm(t, ['schema:create', '--dump'], {
        DATABASE_URL,
        DRIVERS: 'sqlite,postgresql',
      })
      assert.equal(code, 1)
      assert.match(stdout + stderr, expected)
      assert.doesNotMatch(stdout + stderr, /S3cr3t/)
    }
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, type TestContext, test } from 'node:test'
import { createHoldfast } from '../../../src/service/service.ts'
import { type Hosted, hostService } from '../../support/hosted.ts'
import { noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { noPostgres, startPostgres } from '../../support/servers/postgres.ts'
import { startProxy, type TcpProxy } from '../../support/servers/tcp-proxy.ts'
import { type Cleanup, cleanupOf, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, hurriedEnv, reach } from '../serving.ts'

/** What the tests need of either server. */
interface TestServer {
  readonly port: number
  url(database?: string, port?: number): string
  createDatabase(): Promise<string>
  query(text: string, database?: string): Promise<readonly Record<string, unknown>[]>
  kill(): Promise<void>
  start(): Promise<void>
}

interface Setup {
  readonly proxy: TcpProxy
  readonly service: Hosted
  query(text: string): Promise<readonly Record<string, unknown>[]>
}

interface Row {
  readonly id: string
  readonly comment: string
  readonly version: number
}

const fallback = 'fallback; driver=sqlite'

/** No test here waits for a limit: each connection is ended. */
const patience = { QUERY_TIMEOUT: '10s', CONNECTION_TIMEOUT: '10s', FALLBACK_TIMEOUT: '10s' }

for (const [driver, skip, begin, committing] of [
  ['postgresql', noPostgres, startPostgres, /the lost one/],
  // A change is a transaction there.
  ['mysql', noMariadb, startMariadb, /\bcommit\b/i],
] as const) {
  describe(`claims of attempts on ${driver}`, { skip }, () => {
    const primary = `primary; driver=${driver}`
    const cleanup = cleanupOf(after)
    let server: TestServer
    before(async () => {
      server = await begin(cleanup)
    })

    const setUp = async (t: Cleanup, env: Readonly<Record<string, string>> = {}): Promise<Setup> => {
      const proxy = await startProxy(t, server)
      const database = await server.createDatabase()
      const url = server.url(database, proxy.port)
      const service = await hostService(t, {
        env: { DRIVERS: `sqlite,${driver}`, DATABASE_URL: url, ...hurriedEnv, ...patience, ...env },
      })
      await reach(service, primary)
      return { proxy, service, query: (text) => server.query(text, database) }
    }
    const create = async ({ service }: Pick<Setup, 'service'>, comment: string): Promise<Row> => {
      const answer = await service.send('POST', '/api/feedback', { rating: 3, comment }, admin)
      assert.equal(answer.status, 201)
      return (await answer.json()) as Row // A row of ours.
    }
    const change = ({ service }: Setup, { id }: Row): Promise<Response> =>
      service.send('PATCH', `/api/feedback/${id}`, { comment: 'the lost one' }, admin)
    const codeOf = async (answer: Response): Promise<unknown> => ((await answer.json()) as { code: unknown }).code

    /** Does a write that commits and is not answered; `then` comes before its connection ends. */
    const unanswered = async (
      { proxy, query }: Setup,
      pattern: RegExp,
      write: () => Promise<Response>,
      committed: string,
      then: () => Promise<unknown> = async () => {},
    ): Promise<Response> => {
      const met = proxy.once(pattern, 'mute')
      const writing = write()
      await met
      await until(async () => (await query(committed)).length > 0, { what: 'the COMMIT' })
      await then()
      proxy.dropAll()
      return await writing
    }
    const claimsOf = async ({ query }: Setup): Promise<number> =>
      (await query('select id from holdfast_attempt')).length
    /** Writes, and again while a busy machine has deleted claims before it could count so many. */
    const counted = async (setup: Setup, count: number, write: () => Promise<void>): Promise<void> => {
      let seen = -1
      for (let tries = 0; seen !== count && tries < 20; tries += 1) {
        await until(async () => (await claimsOf(setup)) === 0, { what: 'no claims', withinMs: 20_000 })
        await write()
        seen = await claimsOf(setup)
      }
      assert.equal(seen, count)
    }
    const found = "select id from feedback where comment = 'the lost one'"

    test('a change whose answer was lost is run again, and is one change', async (t) => {
      const setup = await setUp(t)
      const row = await create(setup, 'first')
      const answer = await unanswered(setup, committing, () => change(setup, row), found)
      assert.equal(answer.status, 200)
      const { comment, version } = (await answer.json()) as Row
      assert.deepEqual([comment, version], ['the lost one', 2])
    })

    test('a change whose answer was lost is not laid over what another client wrote since', async (t) => {
      const setup = await setUp(t)
      const row = await create(setup, 'first')
      const theirs = `update feedback set comment = 'theirs', holdfast_attempt = '${randomUUID()}' where id = '${row.id}'`
      const answer = await unanswered(
        setup,
        committing,
        () => change(setup, row),
        found,
        () => setup.query(theirs),
      )
      assert.deepEqual([answer.status, await codeOf(answer)], [503, 'COMMIT_UNKNOWN'])
      assert.deepEqual(await setup.query('select comment from feedback'), [{ comment: 'theirs' }])
    })

    test('a delete whose answer was lost is done', async (t) => {
      // The copy may send that id, too.
      const setup = await setUp(t, { COPY: 'off' })
      const { id } = await create(setup, 'first')
      const remove = (): Promise<Response> => setup.service.send('DELETE', `/api/feedback/${id}`, undefined, admin)
      const gone = 'select 1 from holdfast_identity where not exists (select 1 from feedback)'
      const sent = new RegExp(id)
      const answer = await unanswered(setup, sent, remove, gone)
      assert.equal(answer.status, 204)
    })

    test('a create whose answer was lost with the primary goes on in the fallback, with the same id', async (t) => {
      const setup = await setUp(t)
      await create(setup, 'first')
      const write = (): Promise<Response> =>
        setup.service.send('POST', '/api/feedback', { rating: 1, comment: 'the lost one' }, admin)
      const lose = (): Promise<void> => setup.proxy.refuse()
      const answer = await unanswered(setup, /the lost one/, write, found, lose)
      assert.deepEqual([answer.status, answer.headers.get('holdfast-store')], [201, fallback])
      const { id } = (await answer.json()) as Row
      assert.deepEqual(await setup.query(found), [{ id }])
      const [claim] = await setup.query(`select id from holdfast_attempt where id = '${id}'`)
      assert.ok(claim !== undefined, 'its claim stays: replay asks for it')
      assert.equal((await setup.service.fetch(`/api/feedback/${id}`)).status, 200)
      await setup.proxy.accept()
      await until(
        async () => (await setup.service.fetch(`/api/feedback/${id}`)).headers.get('holdfast-store') === primary,
      )
      assert.deepEqual(await setup.query(found), [{ id }])
    })

    test('no create fails when the primary is killed under load', async (t) => {
      const { service, query } = await setUp(t)
      const made: { readonly id: string; readonly store: string | null }[] = []
      let isOver = false
      const load = async (): Promise<void> => {
        while (!isOver) {
          const answer = await service.send('POST', '/api/feedback', { rating: 1 }, admin)
          const text = await answer.text()
          assert.equal(answer.status, 201, text)
          made.push({ id: JSON.parse(text).id, store: answer.headers.get('holdfast-store') })
        }
      }
      const loads = Promise.all(Array.from({ length: 64 }, load))
      await until(() => made.length > 500, { what: 'creates on the primary', withinMs: 60_000 })
      await server.kill()
      await until(() => made.filter(({ store }) => store === fallback).length > 500, {
        what: 'creates on the fallback',
        withinMs: 60_000,
      })
      isOver = true
      await loads
      await server.start()
      const idsOf = async (): Promise<readonly unknown[]> =>
        (await query('select id from feedback')).map(({ id }) => id)
      await until(async () => (await idsOf()).length >= made.length, {
        what: 'all rows to be carried',
        withinMs: 60_000,
      })
      assert.deepEqual((await idsOf()).toSorted(), made.map(({ id }) => id).toSorted())
    })

    test('claims are deleted soon, and none is made where nothing could go on in the fallback', async (t) => {
      const setup = await setUp(t)
      await counted(setup, 2, async () => void (await change(setup, await create(setup, 'first'))))
      await until(async () => (await claimsOf(setup)) === 0, { what: 'the claims to be deleted', withinMs: 20_000 })
      await counted(setup, 1, async () => void (await create(setup, 'second')))
      await setup.service.end()
      assert.equal(await claimsOf(setup), 0, 'also at the close')
      for (const env of [{ ENABLE_FALLBACK: 'false' }, { FALLBACK_MODE: 'read-only' }] as const) {
        const other = await setUp(t, env)
        await change(other, await create(other, 'first'))
        assert.equal(await claimsOf(other), 0)
      }
    })

    test('a table of claims that was dropped is made again, and no write fails', async (t) => {
      const setup = await setUp(t)
      const row = await create(setup, 'first')
      await counted(setup, 3, async () => {
        await setup.query('drop table holdfast_attempt')
        const answers = await Promise.all([create(setup, 'second'), create(setup, 'third'), change(setup, row)])
        assert.equal(answers[2].status, 200)
      })
    })

    test('a write that carries no claim is not run again', async (t) => {
      const setup = await setUp(t, { ENABLE_FALLBACK: 'false' })
      const row = await create(setup, 'first')
      const theirs = `update feedback set comment = 'theirs', holdfast_attempt = null where id = '${row.id}'`
      const answer = await unanswered(
        setup,
        committing,
        () => change(setup, row),
        found,
        () => setup.query(theirs),
      )
      assert.deepEqual([answer.status, await codeOf(answer)], [503, 'COMMIT_UNKNOWN'])
      assert.deepEqual(await setup.query('select comment, version from feedback'), [{ comment: 'theirs', version: 2 }])
    })

    test('a transaction of an application with rerun "always" counts once, with the value of its first try', async (t) => {
      const { holdfast, proxy, query } = await library(t, server, driver)
      await query('create table mark (id varchar(36) primary key)')
      let tries = 0
      const met = proxy.once(/\bcommit\b/i, 'mute')
      const working = holdfast.transactional(
        async ({ em }) => {
          tries += 1
          await em.execute(`insert into mark (id) values ('try ${tries}')`)
          return tries
        },
        { rerun: 'always' },
      )
      await met
      await until(async () => (await query('select id from mark')).length > 0, { what: 'the COMMIT' })
      proxy.dropAll()
      assert.deepEqual([(await working).value, tries], [1, 1])
      assert.deepEqual(await query('select id from mark'), [{ id: 'try 1' }])
      await holdfast.close()
    })
  })
}

/** The library on a database of its own, behind a proxy. */
async function library(t: TestContext, server: TestServer, driver: string) {
  const proxy = await startProxy(t, server)
  const database = await server.createDatabase()
  const holdfast = createHoldfast({
    drivers: ['sqlite', driver],
    settings: {
      data: { dir: await makeTempDir(t) },
      database: { url: server.url(database, proxy.port), queryTimeoutS: 10, connectionTimeoutS: 10 },
      fallback: { timeoutS: 10, maxRetriesPrimary: 0 },
    },
  })
  await holdfast.open()
  return { holdfast, proxy, query: (text: string) => server.query(text, database) }
}

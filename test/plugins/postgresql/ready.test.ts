import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import {
  type Bench,
  type BenchStore,
  createBench,
  limits,
  Note,
  note,
  openStore,
  urlAddress,
} from '../../../src/conformance/bench.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanupOf } from '../../support/temp.ts'
import { within } from '../../support/until.ts'
import { startLateReady } from './late-ready.ts'

const one = { ...limits, poolSize: 1, poolMaxOverflow: 0 }

/**
 * A server sends its refusal and its readiness for the next statement apart. Between the two a connection is well, and
 * not yet usable: whoever looks then must neither throw it away nor send on it.
 */
describe('a refused statement whose connection is ready a moment later', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bench: Bench
  let store: BenchStore
  before(async () => {
    server = await startPostgres(cleanup)
    const { port } = await startLateReady(cleanup, server, 40)
    const address = async () => `${server.url(await server.createDatabase(), port)}?sslmode=disable`
    bench = await createBench(driver, { address })
    const { target } = driver.parse(urlAddress(bench, await address()), bench.settings)
    assert.ok(target)
    store = await openStore(bench, { target, limits: one })
    cleanup.after(async () => store[Symbol.asyncDispose]())
    cleanup.after(() => bench.end())
  })

  const pid = async () => {
    const [row] = (await store.orm.em.fork().execute('select pg_backend_pid() as pid')) as { pid: number }[]
    return row?.pid
  }
  const duplicate = () => store.statements().write('insert into conformance_note values ($1, $1, 0)', ['taken'])

  const cases: Readonly<Record<string, () => Promise<unknown>>> = {
    'a native one': duplicate,
    'one of an EntityManager': () => store.orm.em.fork().insert(Note, note('taken')),
    'one in a transaction': () => store.orm.em.fork().transactional((em) => em.insert(Note, note('taken'))),
    'a native one in a transaction': () => store.orm.em.fork().transactional(duplicate),
    'one that is committed all the same': () =>
      store.orm.em.fork().transactional(async (em) => {
        await em.insert(Note, note('taken')).catch(() => {})
      }),
    'one in a savepoint': () =>
      store.orm.em.fork().transactional(async (em) => {
        await em.transactional((inner) => inner.insert(Note, note('taken')))
      }),
    'one of a stream': async () => {
      for await (const _ of store.orm.em.fork().createQueryBuilder(Note).where('1 / 0 = 1').stream());
    },
  }
  for (const [what, attempt] of Object.entries(cases)) {
    test(`${what} keeps its connection`, async () => {
      const { write } = store.statements()
      await write("insert into conformance_note values ('taken', 'taken', 0) on conflict do nothing", [])
      const before = await pid()
      await assert.rejects(within(attempt(), 5_000, what))
      assert.equal(await pid(), before)
    })
  }

  test('a proof that was refused leaves its connection usable for the next', async () => {
    const database = await server.createDatabase()
    await server.query('create table holdfast_identity (wrong int)', database)
    const { port } = await startLateReady(cleanup, server, 40)
    const { target } = driver.parse(urlAddress(bench, `${server.url(database, port)}?sslmode=disable`), bench.settings)
    assert.ok(target)
    const [candidate] = await driver.connect(target, one)
    const connection = await candidate?.open(AbortSignal.timeout(5_000))
    assert.ok(connection)
    const verify = () => connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(5_000))
    await assert.rejects(verify())
    await server.query('drop table holdfast_identity', database)
    assert.match((await verify()).version, /^\d/)
    await connection.close()
  })
})

import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, type BenchStore, createBench, Note, note, openStore } from '../../../src/conformance/bench.ts'
import { noPgbouncer, startPgbouncer } from '../../support/servers/pgbouncer.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { type Behaviour, startProxy, type TcpProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until, within } from '../../support/until.ts'
import { assertWhole, insert, short, targetOf } from './room.ts'

/** Hasty: a hundred faults are to take seconds. */
const hasty = { ...short, connectMs: 300, queryMs: 120, transactionMs: 1_000 }

describe('a hundred random faults on a pool of two', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bench: Bench
  before(async () => {
    server = await startPostgres(cleanup)
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  test('leave the pool whole, and at its end no connection here, at the proxy or at the server', async (t) => {
    const database = await server.createDatabase()
    await suffer(t, server, database)
    const left = `select count(*)::int as n from pg_stat_activity where datname = '${database}' and pid <> pg_backend_pid()`
    await until(async () => (await server.query(left))[0]?.n === 0, { what: 'the server to be left' })
  })

  test('through a PgBouncer leave no client there, and no transaction at the server', {
    skip: noPgbouncer,
  }, async (t) => {
    const pooler = await startPgbouncer(t, server)
    const database = await server.createDatabase()
    await suffer(t, pooler, database)
    await until(async () => (await pooler.console('show clients')).every((client) => client.database !== database))
    const open = `select count(*)::int as n from pg_stat_activity where datname = '${database}' and state <> 'idle'`
    await until(async () => (await server.query(open))[0]?.n === 0, { what: 'the server to be at rest' })
  })

  async function suffer(t: TestContext, before: { readonly port: number }, database: string): Promise<void> {
    const proxy = await startProxy(t, before)
    const sockets = openSockets()
    const target = targetOf(bench, server.url(database, proxy.port))
    // The tables are made, and a pooler opens its first connection, within ordinary limits: neither is what is tried here.
    const first = await openStore(bench, { target })
    await first.engine.close(first.orm, 500)
    const store = await openStore(bench, { target, made: true, limits: hasty })
    const random = randomOf(7)
    const isFair = new Set<string>()
    for (let fault = 0; fault < 100; fault += 1) {
      const kind = await sabotage(proxy, database, random)
      isFair.add(kind)
      const work = [0, 1, 2].map((at) => someWork(store, `${fault}-${at}`, random))
      await within(Promise.allSettled(work), 5_000, `the work around "${kind}"`)
      proxy.behave('pass')
      await proxy.accept()
    }
    assert.equal(isFair.size, 8, 'every kind of fault was there')
    // Triggers that nothing met would misbehave later.
    await until(() => assertWhole(store).then(() => true), {
      withinMs: 8_000,
      what: 'the pool to be whole',
    })
    await store.engine.close(store.orm, 500)
    await until(() => proxy.open === 0, { what: 'the proxy to be left' })
    await until(() => openSockets() <= sockets, { what: 'the sockets of this process to be closed' })
  }

  /** Brings one about, at once or when the next bytes fit. */
  async function sabotage(proxy: TcpProxy, database: string, random: (below: number) => number): Promise<string> {
    const how = (['cut', 'reset', 'mute', 'swallow'] as const)[random(4)] as Behaviour // Below four.
    const where = [/begin/i, /insert/i, /commit/i, /select/i][random(4)] ?? /./
    switch (random(5)) {
      case 0:
        proxy.dropAll()
        return 'drop'
      case 1:
        await proxy.refuse()
        proxy.dropAll()
        return 'refuse'
      case 2:
        proxy.behave(how === 'reset' ? 'cut' : how)
        return 'all'
      case 3:
        await server.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}' and pid <> pg_backend_pid()`,
        )
        return 'terminate'
      default:
        void proxy.once(where, how)
        return how
    }
  }
})

/** A row in a transaction, a native write, a read, a stream that is left early: whatever an application does. */
async function someWork(store: BenchStore, id: string, random: (below: number) => number): Promise<unknown> {
  const { orm } = store
  switch (random(5)) {
    case 0:
      return await insert(store, id)
    case 1:
      return await store.statements().write('insert into conformance_note values ($1, $1, 0)', [id])
    case 2:
      return await orm.em.fork().count(Note)
    case 3:
      for await (const _ of orm.em.fork().stream(Note)) break
      return
    default:
      return await orm.em.fork().transactional(async (em) => {
        await em.insert(Note, note(id))
        await em.transactional((inner) => inner.insert(Note, note(id))).catch(() => {})
        throw new Error('on purpose')
      })
  }
}

/** The same numbers in each run. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return (state >> 12) % below
  }
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /^(?:TCPSocket|Pipe|TLS)/.test(name)).length
}

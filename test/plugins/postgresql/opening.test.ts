import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { faults, isRefusal } from '../../../plugins/postgresql/faults.ts'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, createBench, Note, note, openStore } from '../../../src/conformance/bench.ts'
import { listenWith, ofVersion, refusing } from '../../support/servers/fake-postgres.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { cleanLater, cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { assertWhole, faultOf, openingFault, short, targetOf } from './room.ts'

const at = (port: number, query = '') => `postgres://u:p@127.0.0.1:${port}/d${query}`

describe('what is no PostgreSQL that lets us in', () => {
  const cleanup = cleanupOf(after)
  let bench: Bench
  before(async () => {
    bench = await createBench(driver, { address: async () => at(1) })
    cleanup.after(() => bench.end())
  })

  test('a web server on the port is said to be no PostgreSQL, or unreachable where it says nothing', async (t) => {
    const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
    cleanLater(t, () => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number } // It listens on a port.
    const fault = await openingFault(bench, at(port))
    assert.deepEqual([fault.kind, fault.code], ['unreachable', 'SERVER_MISMATCH'])
    assert.match(fault.hint, /web server/)
    assert.equal((await openingFault(bench, at(port, '?sslmode=disable'))).kind, 'unreachable')
  })

  for (const [what, greeting] of [
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['MariaDB', '\x4a\0\0\0\x0a10.11.4-MariaDB\0'],
    ['mail', '220 mail.example.com ESMTP\r\n'],
    ['noise', '\x01\x02\x03\x04\x05\x06\x07\x08'],
  ] as const) {
    test(`${what} on the port is unreachable, whichever way it is asked`, async (t) => {
      const port = await listenWith(t, (socket) => void socket.write(Buffer.from(greeting, 'latin1')))
      for (const query of ['', '?sslmode=disable', '?sslmode=require']) {
        assert.equal((await openingFault(bench, at(port, query), 500)).kind, 'unreachable', query)
      }
    })
  }

  test('a server that takes a connection and says nothing is unreachable within the limit', async (t) => {
    const port = await listenWith(t, () => {})
    for (const query of ['', '?sslmode=disable', '?connect_timeout=1']) {
      const began = performance.now()
      const fault = await openingFault(bench, at(port, query), query.includes('connect') ? 9_000 : 300)
      assert.deepEqual([fault.kind, fault.ambiguous], ['unreachable', false])
      assert.ok(performance.now() - began < (query.includes('connect') ? 1_800 : 1_000), query)
    }
  })

  test('a server that closes at once is unreachable', async (t) => {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      const port = await listenWith(t, (socket) => void socket[end]())
      for (const query of ['', '?sslmode=disable']) {
        assert.equal((await openingFault(bench, at(port, query))).kind, 'unreachable', `${end} ${query}`)
      }
    }
  })

  for (const [code, message, kind] of [
    ['57P03', 'the database system is starting up', 'unreachable'],
    ['57P03', 'the database system is shutting down', 'unreachable'],
    ['57P03', 'the database system is not yet accepting connections', 'unreachable'],
    ['57P01', 'terminating connection due to administrator command', 'unreachable'],
    ['53300', 'sorry, too many clients already', 'capacity'],
    ['53300', 'remaining connection slots are reserved for roles with the SUPERUSER attribute', 'capacity'],
    ['53200', 'out of memory', 'capacity'],
    ['28000', 'no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", no encryption', 'auth'],
    ['28P01', 'password authentication failed for user "u"', 'auth'],
    ['3D000', 'database "d" does not exist', 'configuration'],
    ['0A000', 'unsupported frontend protocol 3.0', 'statement'],
    ['08P01', 'unsupported startup parameter: application_name', 'configuration'],
    ['XX000', 'Tenant or user not found', 'auth'],
    ['XX000', "Couldn't connect to compute node", 'unreachable'],
    ['08P01', 'server login has been failing, try again later (server_login_retry)', 'unreachable'],
  ] as const) {
    test(`"${message}" (${code}) is ${kind}`, async (t) => {
      const port = await listenWith(t, refusing(code, message))
      const fault = await openingFault(bench, at(port))
      assert.deepEqual([fault.kind, fault.code, fault.ambiguous], [kind, code, false])
      assert.ok(!`${fault.summary}${fault.hint}`.includes(message), 'the words of a server are not shown')
    })
  }

  test('the words of a server in another language change nothing', () => {
    const said = (code: string, message: string, severity: string) =>
      Object.assign(new Error(message), { code, severity, routine: 'RevalidateCachedQuery' })
    const taken = said('23505', 'doppelter Schlüsselwert verletzt Unique-Constraint', 'FEHLER')
    assert.equal(faults.withPhase(taken, 'commit'), taken, 'MikroORM reads its code')
    assert.equal(driver.classify(taken, 'commit').kind, 'constraint')
    assert.ok(isRefusal(taken) && !isRefusal(said('57P01', 'Verbindung wird abgebrochen', 'FATAL')))
    const ended = driver.classify(said('57P01', 'закрытие подключения', 'ВАЖНО'), 'commit')
    assert.deepEqual([ended.kind, ended.ambiguous], ['lost', true])
  })

  test('a server of before version 10 is refused with its version', async (t) => {
    for (const [version, wanted] of [
      ['9.6.24', 'SERVER_TOO_OLD'],
      ['8.0.2', 'SERVER_TOO_OLD'],
      ['10.23 (Debian 10.23-1)', 'QUERY_TIMEOUT'],
      ['18beta1', 'QUERY_TIMEOUT'],
    ] as const) {
      const fault = await openingFault(bench, at(await listenWith(t, ofVersion(version))))
      assert.equal(fault.code, wanted, version)
      if (wanted === 'SERVER_TOO_OLD') assert.equal(fault.kind, 'configuration')
    }
  })
})

describe('what a real PostgreSQL refuses or ends', { skip: noPostgres }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  let bench: Bench
  before(async () => {
    server = await startPostgres(cleanup, {
      hba: ['host all by_trust all trust', 'host all by_md5 all md5', 'host all by_text all password'],
    })
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  /** The address with another user. */
  const as = (text: string, user: string, password = 'pw') => text.replace(/\/\/[^@]*@/, `//${user}:${password}@`)

  test('roles that may not log in, whose password has expired, or that are full, are told apart', async () => {
    await server.query("create role no_login nologin password 'pw'")
    await server.query("create role expired login password 'pw' valid until '2000-01-01'")
    await server.query("create role full_up login password 'pw' connection limit 0")
    const url = server.url()
    for (const [user, kind, code] of [
      ['no_login', 'auth', '28000'],
      ['expired', 'auth', '28P01'],
      ['full_up', 'capacity', '53300'],
    ] as const) {
      const fault = await openingFault(bench, as(url, user))
      assert.deepEqual([fault.kind, fault.code], [kind, code])
    }
    const closed = await server.createDatabase()
    await server.query(`alter database ${closed} connection limit 0`)
    await server.query(`revoke connect on database ${closed} from public`)
    await server.query("create role stranger login password 'pw'")
    const fault = await openingFault(bench, as(server.url(closed), 'stranger'))
    assert.deepEqual([fault.kind, fault.code], ['auth', '42501'])
  })

  test('every way to ask for a password is answered, and none is taken for a bound one', async () => {
    await server.query("create role by_trust login; create role by_text login password 'pw'")
    await server.query("set password_encryption = 'md5'; create role by_md5 login password 'pw'")
    const database = await server.createDatabase()
    await server.query('grant create on schema public to public', database)
    for (const user of ['by_trust', 'by_md5', 'by_text']) {
      const text = as(server.url(database), user)
      const [candidate] = await driver.connect(targetOf(bench, text), short)
      await (await candidate?.open(AbortSignal.timeout(3_000)))?.close()
      const fault = await openingFault(bench, `${text}?channel_binding=require`)
      assert.deepEqual([fault.kind, fault.code], ['tls', 'CHANNEL_BINDING'], user)
    }
    const wrong = await openingFault(bench, as(server.url(database), 'by_md5', 'wrong'))
    assert.deepEqual([wrong.kind, wrong.code], ['auth', '28P01'])
  })

  for (const [state, kind] of [
    ['53100', 'disk-full'],
    ['58030', 'unwritable'],
    ['XX001', 'corrupt'],
    ['25006', 'read-only'],
    ['53200', 'capacity'],
  ] as const) {
    test(`a write that the server answers with ${state} is "${kind}", for a proof and for a row`, async (t) => {
      const target = targetOf(bench, server.url(await server.createDatabase()))
      const store = await openStore(bench, { target, limits: short })
      cleanLater(t, async () => store[Symbol.asyncDispose]())
      const { database } = target
      await server.query(
        `create function fails() returns trigger language plpgsql as 'begin raise exception sqlstate ''${state}''; end'`,
        database,
      )
      for (const table of ['holdfast_attempt', 'conformance_note']) {
        await server.query(`create trigger t before insert on ${table} execute function fails()`, database)
      }
      const proof = await openingFault(bench, server.url(database))
      assert.deepEqual([proof.kind, proof.code], [kind, state])
      const row = await faultOf(
        store.statements().write("insert into conformance_note values ('a','a',0)", []),
        'commit',
      )
      assert.deepEqual([row.kind, row.ambiguous], [kind, false])
      assert.equal((await faultOf(store.orm.em.fork().insert(Note, note('a')), 'commit')).kind, kind)
      assert.deepEqual(await store.statements().read('select 1 as one', []), [{ one: 1 }])
    })
  }

  test('connections that are ended inside a statement or a transaction are lost, and the pool is whole again', async (t) => {
    const database = await server.createDatabase()
    const store = await openStore(bench, {
      target: targetOf(bench, server.url(database)),
      limits: { ...short, queryMs: 3_000 },
    })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    const endAll = (where: string) =>
      until(
        async () =>
          (
            await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'
            and pid <> pg_backend_pid() and ${where}`)
          ).length > 0,
      )
    const running = faultOf(store.orm.em.fork().execute('select pg_sleep(2)'), 'statement')
    await endAll("state = 'active'")
    assert.deepEqual([(await running).kind, (await running).code], ['lost', '57P01'])
    const writing = faultOf(store.statements().write('select pg_sleep(2)', []), 'commit')
    await endAll("state = 'active'")
    assert.deepEqual([(await writing).kind, (await writing).ambiguous], ['lost', true])
    const em = store.orm.em.fork()
    await em.begin()
    await em.insert(Note, note('never'))
    await endAll("state = 'idle in transaction'")
    const inside = await faultOf(em.insert(Note, note('inside')), 'statement')
    assert.deepEqual([inside.kind, inside.ambiguous], ['lost', false])
    await em.rollback()
    await until(() => assertWhole(store).then(() => true))
    assert.equal(await store.orm.em.fork().count(Note), 0)
  })

  test('a database that is dropped under its users is lost, then missing', async (t) => {
    const database = await server.createDatabase()
    const store = await openStore(bench, { target: targetOf(bench, server.url(database)), limits: short })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    await server.query(`drop database ${database} with (force)`)
    const kinds = new Set<string>()
    await until(async () => {
      const { kind } = await faultOf(store.orm.em.fork().count(Note), 'statement')
      kinds.add(kind)
      return kind === 'configuration'
    })
    for (const kind of kinds) assert.match(kind, /^(lost|configuration)$/)
    const fault = await openingFault(bench, server.url(database))
    assert.deepEqual([fault.kind, fault.code], ['configuration', '3D000'])
  })
})

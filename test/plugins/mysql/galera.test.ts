import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, type TestContext, test } from 'node:test'
import driver from '../../../plugins/mysql/mysql.ts'
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
import type { Target } from '../../../src/driver/address.ts'
import type { Connection, Limits, Want } from '../../../src/driver/driver.ts'
import type { Fault, Phase } from '../../../src/driver/fault.ts'
import { runCommand } from '../../support/hosted.ts'
import { type Mariadb, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { type MysqlMember, startMember } from '../../support/servers/mysql-member.ts'
import { cleanLater, cleanupOf, makeTempDir } from '../../support/temp.ts'
import { until, within } from '../../support/until.ts'

/** What a synced member of three says. */
const synced = {
  version: '10.11.6-MariaDB',
  read_only: 'OFF',
  tx_read_only: 'OFF',
  max_allowed_packet: '16777216',
  innodb_rollback_on_timeout: 'OFF',
  log_bin: 'OFF',
  server_uid: 'own/uid=',
  wsrep_on: 'ON',
  wsrep_reject_queries: 'NONE',
  wsrep_provider_options:
    'base_port = 4567; evs.inactive_timeout = PT15S; evs.suspect_timeout = PT1.5S; pc.weight = 1; ',
  wsrep_cluster_size: '3',
  wsrep_cluster_state_uuid: 'dc2b6658-eb87-11f1-bf5c-8f038c262043',
  wsrep_cluster_status: 'Primary',
  wsrep_gcomm_uuid: 'df46f439-eb87-11f1-af73-cb529b5c9330',
  wsrep_last_committed: '9007199254740993',
  wsrep_local_state_comment: 'Synced',
  wsrep_ready: 'ON',
}

const notReady = { number: 1047, message: 'WSREP has not yet prepared node for application use', state: '08S01' }
const readOnly = {
  number: 1290,
  message: 'The MariaDB server is running with the --read-only option so it cannot execute this statement',
}

const prefix = 'set statement wsrep_sync_wait = 7 for '

describe('a member of a Galera cluster', { skip: noMariadb }, () => {
  const cleanup = cleanupOf(after)
  let server: Mariadb
  let bench: Bench
  before(async () => {
    server = await startMariadb(cleanup)
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  async function startSynced(t: TestContext): Promise<MysqlMember> {
    const member = await startMember(t, server)
    Object.assign(member.says, synced)
    return member
  }

  function targetOf(text: string, syncWait?: string): Target {
    const settings = { ...bench.settings, plugins: syncWait === undefined ? {} : { mysql: { syncWait } } }
    const { target, problems } = driver.parse(urlAddress(bench, text), settings)
    assert.ok(target, problems[0]?.message)
    return target
  }

  async function connectTo(t: TestContext, { port }: { readonly port: number }): Promise<Connection> {
    const database = await server.createDatabase()
    const [candidate] = await driver.connect(targetOf(server.url(database, port)) as never, limits)
    assert.ok(candidate)
    const connection = await candidate.open(AbortSignal.timeout(5_000))
    cleanLater(t, () => connection.evict())
    return connection
  }

  const verify = (connection: Connection, proof: Want['proof']) =>
    connection.verify({ role: 'primary', proof }, AbortSignal.timeout(5_000))

  async function openOn(
    t: TestContext,
    member: MysqlMember,
    more: { readonly syncWait?: string; readonly limits?: Limits } = {},
  ): Promise<BenchStore> {
    const target = targetOf(server.url(await server.createDatabase(), member.port), more.syncWait)
    const store = await openStore(bench, { target, limits: more.limits ?? limits })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    await store.orm.em.fork().insert(Note, note('a'))
    return store
  }

  test('says the cluster, its size, its own place, and for how long a commit may wait', async (t) => {
    const member = await startSynced(t)
    const connection = await connectTo(t, member)
    const standing = {
      cluster: synced.wsrep_cluster_state_uuid,
      server: synced.wsrep_gcomm_uuid,
      isWritable: true,
      timeline: null,
      position: 9_007_199_254_740_993n,
      members: 3,
    }
    const facts = await verify(connection, 'write')
    assert.deepEqual(facts.standing, standing)
    assert.equal(facts.stallMs, 1_500 + 2_000)
    // The position is that of a member that has caught up.
    const at = (text: string) => member.sent.findLastIndex((sent) => sent.text.includes(text))
    assert.ok(at(`${prefix}select 1`) < at('show global status') && at('holdfast_attempt') < at(`${prefix}select 1`))
    const looked = await verify(connection, 'look')
    assert.deepEqual(looked.insight?.cluster, {
      wsrep_cluster_size: '3',
      wsrep_cluster_status: 'Primary',
      wsrep_local_state_comment: 'Synced',
      wsrep_ready: 'ON',
      'evs.suspect_timeout': 'PT1.5S',
      'evs.inactive_timeout': 'PT15S',
    })
    assert.deepEqual(await connection.standing?.(AbortSignal.timeout(5_000)), standing)
  })

  test('is shown by "holdfast check --connect" with its size, its state and its timeouts', async (t) => {
    const member = await startSynced(t)
    const url = server.url(await server.createDatabase(), member.port)
    const cwd = await makeTempDir(t, 'galera')
    const check = (...options: string[]) =>
      runCommand(['check', '--connect', ...options], { cwd, env: { DATABASE_URL: url } })
    const { stdout } = await check()
    const shown = stdout.replaceAll(/\s+/g, ' ')
    assert.match(shown, / cluster wsrep_cluster_size = 3; .*wsrep_local_state_comment = Synced; .*PT1\.5S;/)
    const { connection } = JSON.parse((await check('--json')).stdout)
    assert.equal(connection.primary.cluster['evs.suspect_timeout'], 'PT1.5S')
    member.says.wsrep_on = 'OFF'
    const without = JSON.parse((await check('--json')).stdout)
    assert.equal(without.connection.primary.cluster, null)
  })

  for (const [what, says] of [
    ['is outside its cluster', { wsrep_cluster_status: 'non-Primary', wsrep_ready: 'OFF', wsrep_cluster_size: '1' }],
    ['rejects queries', { wsrep_reject_queries: 'ALL' }],
    ['is set to read-only', { read_only: 'ON' }],
  ] as const) {
    test(`that ${what} is not writable, and says so without a proof`, async (t) => {
      const member = await startSynced(t)
      const connection = await connectTo(t, member)
      Object.assign(member.says, says)
      const found = await connection.standing?.(AbortSignal.timeout(5_000))
      assert.deepEqual([found?.isWritable, found?.cluster], [false, synced.wsrep_cluster_state_uuid])
    })
  }

  test('that has joined none says no cluster, and a server without one says only who it is', async (t) => {
    const member = await startSynced(t)
    const connection = await connectTo(t, member)
    member.says.wsrep_cluster_state_uuid = '00000000-0000-0000-0000-000000000000'
    assert.equal((await connection.standing?.(AbortSignal.timeout(5_000)))?.cluster, null)
    member.says.wsrep_on = 'OFF'
    const alone = { cluster: null, server: 'own/uid=', isWritable: true, timeline: null, position: null, members: null }
    assert.deepEqual(await connection.standing?.(AbortSignal.timeout(5_000)), alone)
    const { standing, stallMs, insight } = await verify(connection, 'look')
    assert.deepEqual([standing, stallMs, insight?.cluster], [alone, undefined, null])
  })

  test('that is not ready cannot be opened, and nothing was written', async (t) => {
    const member = await startSynced(t)
    const connection = await connectTo(t, member)
    member.refuse(/^select/i, notReady, 'all')
    const fault = await faultOf(verify(connection, 'write'), 'open')
    assert.deepEqual([fault.kind, fault.code, fault.everywhere], ['unreachable', '1047', undefined])
  })

  /** Each statement of the data API, and whether it waits for the other members. */
  async function waitingOf(t: TestContext, syncWait: string | undefined): Promise<Readonly<Record<string, boolean>>> {
    const member = await startSynced(t)
    const store = await openOn(t, member, syncWait === undefined ? {} : { syncWait })
    const { read, write } = store.statements()
    const found: Record<string, boolean> = {}
    const step = async (name: string, pattern: RegExp, work: () => Promise<unknown>): Promise<void> => {
      const from = member.sent.length
      await work()
      const texts = member.sent.slice(from).map(({ text }) => text)
      const text = texts.find((one) => pattern.test(one))
      assert.ok(text !== undefined, `${name} sent ${texts}`)
      found[name] = text.startsWith(prefix)
    }
    const byId = 'select text from conformance_note where id = ?'
    const set = "update conformance_note set text = 'b' where id = ?"
    const insert = 'insert into conformance_note values (?, ?, 0)'
    const claims = () => ({ claims: true as const, attempt: randomUUID() })
    await step('read', /^(set statement.* )?select text/, () => read(byId, ['a']))
    await step('fresh read', /^(set statement.* )?select text/, () => read(byId, ['a'], { fresh: true }))
    await step('update', /^(set statement.* )?update/, () => write(set, ['a']))
    await step('claimed update', /begin not atomic/, () => write(set, ['a'], claims()))
    await step('delete', /^(set statement.* )?delete/, () => write('delete from conformance_note where id = ?', ['a']))
    await step('insert', /^(set statement.* )?insert/, () => write(insert, ['c', 'c']))
    await step('claimed insert', /begin not atomic/, () => write(insert, ['d', 'd'], claims()))
    const inTransaction = (readOnlyToo: boolean) =>
      store.orm.em.fork().transactional(
        async () => {
          assert.equal((await read(byId, ['c'], { fresh: true })).length, 1)
          if (!readOnlyToo) assert.equal((await write(set, ['c'])).changed, 1)
        },
        { readOnly: readOnlyToo },
      )
    await step('transaction', /(?<!not )\bbegin$/, () => inTransaction(false))
    await step('fresh read inside', /^(set statement.* )?select text/, () => inTransaction(false))
    await step('update inside', /^(set statement.* )?update/, () => inTransaction(false))
    await step('read-only transaction', /start transaction read only$/, () => inTransaction(true))
    return found
  }

  const none = {
    ...{ read: false, 'fresh read': false, update: false, 'claimed update': false, delete: false },
    ...{ insert: false, 'claimed insert': false, transaction: false },
    ...{ 'fresh read inside': false, 'update inside': false, 'read-only transaction': false },
  }

  test('waits for the others before what decides or explains a write, once in each transaction', async (t) => {
    const decides = { 'fresh read': true, update: true, 'claimed update': true, delete: true, transaction: true }
    assert.deepEqual(await waitingOf(t, undefined), { ...none, ...decides })
  })

  test('waits for nothing with MYSQL_SYNC_WAIT=off, and in each session with all', async (t) => {
    assert.deepEqual(await waitingOf(t, 'off'), none)
    assert.deepEqual(await waitingOf(t, 'all'), none)
    const member = await startSynced(t)
    const store = await openOn(t, member, { syncWait: 'all' })
    const [row] = await store.statements().read('select @@session.wsrep_sync_wait as mask', [])
    assert.equal(Number(row?.mask), 7)
  })

  test('a server in no cluster is never asked to wait', async (t) => {
    const member = await startSynced(t)
    member.says.wsrep_on = 'OFF'
    const store = await openOn(t, member)
    await store.statements().write("update conformance_note set text = 'b' where id = ?", ['a'])
    assert.ok(member.sent.length > 0 && !member.sent.some(({ text }) => text.includes('wsrep_sync_wait')))
  })

  test('what waits in vain says that the member is outside its cluster, not that a row was locked', async (t) => {
    const member = await startSynced(t)
    const store = await openOn(t, member)
    const { read, write } = store.statements()
    const late = { number: 1205, message: 'Lock wait timeout exceeded; try restarting transaction' }
    const meant = ['unreachable', 'WSREP_SYNC_WAIT', true, false]
    member.refuse(/^set statement wsrep_sync_wait/, late, 'all')
    for (const work of [
      () => read('select 1', [], { fresh: true }),
      () => write("update conformance_note set text = 'b'", []),
      () => store.orm.em.fork().transactional(async (em) => em.insert(Note, note('x'))),
    ]) {
      const fault = await faultOf(work(), 'commit')
      assert.deepEqual([fault.kind, fault.code, fault.undone, fault.ambiguous], meant)
    }
    member.serve()
    member.refuse(/^insert/, late, 'all')
    const fault = await faultOf(write('insert into conformance_note values (?, ?, 0)', ['y', 'y']), 'commit')
    assert.deepEqual([fault.kind, fault.code, fault.undone], ['transient', '1205', true])
  })

  test('a commit may take until the cluster goes on without a silent member; a plain read may not', async (t) => {
    const member = await startSynced(t)
    const short = { ...limits, queryMs: 300, poolSize: 1, poolMaxOverflow: 1 }
    const store = await openOn(t, member, { limits: short })
    const { read, write } = store.statements()
    const commits = member.hold(/^commit$|^insert into conformance_note|begin not atomic/)
    const insert = 'insert into conformance_note values (?, ?, 0)'
    const writes = [
      write(insert, ['one', 'one']),
      store.orm.em.fork().transactional(async (em) => void (await em.insert(Note, note('two')))),
      // Each of the two connections waits for a commit: so does this caller, for one of them.
      write(insert, ['three', 'three'], { claims: true, attempt: randomUUID() }),
    ]
    await commits.met
    await new Promise((resolve) => setTimeout(resolve, 3 * short.queryMs))
    commits.release()
    await within(Promise.all(writes), 5_000, 'the writes')
    const reads = member.hold(/^select 'slow'/)
    const fault = await faultOf(read("select 'slow'", []), 'statement')
    assert.deepEqual([fault.kind, fault.code], ['lost', 'QUERY_TIMEOUT'])
    reads.release()
    const [limit] = await read('select @@session.max_statement_time as s', [])
    assert.ok(Number(limit?.s) > 3.5, 'the server must not end it sooner')
  })

  test('outside of a cluster a commit has the limit of any statement', async (t) => {
    const member = await startSynced(t)
    member.says.wsrep_on = 'OFF'
    const store = await openOn(t, member, { limits: { ...limits, queryMs: 300 } })
    const held = member.hold(/^insert/)
    const insert = 'insert into conformance_note values (?, ?, 0)'
    const fault = await faultOf(store.statements().write(insert, ['one', 'one']), 'commit')
    assert.deepEqual([fault.code, fault.ambiguous], ['QUERY_TIMEOUT', true])
    held.release()
  })

  test('a commit that ends outside the cluster may be committed by the others', async (t) => {
    const member = await startSynced(t)
    const store = await openOn(t, member)
    const message =
      'Error while appending streaming replication fragment(provider status: Not connected to Primary Component)'
    member.refuse(/^insert|^commit/, { number: 1180, message }, 'all')
    const insert = 'insert into conformance_note values (?, ?, 0)'
    const alone = await faultOf(store.statements().write(insert, ['one', 'one']), 'commit')
    assert.deepEqual([alone.kind, alone.code, alone.ambiguous, alone.undone], ['unreachable', '1180', true, undefined])
    member.serve()
    member.refuse(/^commit/, { number: 1180, message }, 'all')
    const inside = store.orm.em.fork().transactional(async (em) => void (await em.insert(Note, note('two'))))
    assert.equal((await faultOf(inside, 'commit')).ambiguous, true)
  })

  for (const [what, error] of [
    ['is outside its cluster', notReady],
    ['accepts no writes', readOnly],
  ] as const) {
    test(`a connection to a member that ${what} leaves the pool, with those that are older`, async (t) => {
      const member = await startSynced(t)
      const store = await openOn(t, member, { limits: { ...limits, poolSize: 4, poolMaxOverflow: 0 } })
      const { write } = store.statements()
      const insert = 'insert into conformance_note values (?, ?, 0)'
      const several = () => Promise.all([1, 2, 3, 4].map(() => write(insert, [randomUUID(), randomUUID()])))
      await until(() => several().then(() => member.open.length === 4), { what: 'four connections' })
      // As behind a balancer: connections that are made from now on lead to another member.
      member.refuse(/insert into/, error, 'open')
      const fault = await faultOf(write(insert, ['one', 'one']), 'commit')
      assert.deepEqual([fault.code, fault.undone, fault.ambiguous], [String(error.number), true, false])
      const refused = member.sent.findLast(({ text }) => text.includes('insert into'))?.connection ?? 0
      await until(() => member.open.every((one) => one > refused), { what: 'it and the older ones to end' })
      await until(() => several().then(() => true), { what: 'the younger ones to end' })
    })
  }

  test('a pool of two is whole after refusals inside of transactions', async (t) => {
    const member = await startSynced(t)
    const store = await openOn(t, member)
    member.refuse(/insert into/, notReady, 'open')
    const inside = () =>
      store.orm.em.fork().transactional(async (em) => void (await em.insert(Note, note(randomUUID()))))
    const outcomes = await Promise.allSettled(Array.from({ length: 4 }, inside))
    assert.ok(outcomes.some(({ status }) => status === 'rejected'))
    await within(
      until(() => Promise.all([inside(), inside()]).then(() => true)),
      5_000,
      'two transactions',
    )
  })

  test('a real server set to read-only undoes a write and loses its connection; a deadlock keeps it', async (t) => {
    const database = await server.createDatabase()
    const user = `plain_${database.slice(2, 12)}`
    await server.query(`create user ${user} identified by 'plain'`)
    await server.query(`grant all on ${database}.* to ${user}`)
    const member = await startMember(t, server)
    const target = targetOf(server.url(database, member.port).replace(/\/\/[^@]*@/, `//${user}:plain@`))
    const store = await openStore(bench, { target })
    cleanLater(t, async () => store[Symbol.asyncDispose]())
    const { write } = store.statements()
    const insert = 'insert into conformance_note values (?, ?, 0)'
    await write(insert, ['a', 'a'])
    await write(insert, ['b', 'b'])
    const before = new Set(member.open)
    await server.query('set global read_only = on')
    try {
      const fault = await faultOf(write(insert, ['c', 'c']), 'commit')
      assert.deepEqual([fault.kind, fault.code, fault.undone], ['read-only', '1290', true])
    } finally {
      await server.query('set global read_only = off')
    }
    assert.equal((await write(insert, ['c', 'c'])).changed, 1)
    assert.ok(member.open.every((one) => !before.has(one)))
    await assertDeadlock(store)
  })

  /** Two transactions that lock two rows in opposite orders: one of them is undone. */
  async function assertDeadlock(store: BenchStore): Promise<void> {
    const { read } = store.statements()
    const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const lock = (id: string) => read('select id from conformance_note where id = ? for update', [id])
    const orders = [
      ['a', 'b'],
      ['b', 'a'],
    ] as const
    const outcomes = await Promise.allSettled(
      orders.map(([first, second], at) =>
        store.orm.em.fork().transactional(async () => {
          await lock(first)
          both[at]?.resolve()
          await Promise.all(both.map(({ promise }) => promise))
          await lock(second)
        }),
      ),
    )
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
    assert.equal(failed.length, 1)
    const fault = driver.classify(failed[0]?.reason, 'statement')
    assert.deepEqual([fault.kind, fault.code, fault.undone], ['transient', '1213', true])
  }

  test('transactions that the account or the work makes read-only are so everywhere, those of a server are its own', async (t) => {
    const member = await startSynced(t)
    const connection = await connectTo(t, member)
    member.says.tx_read_only = 'ON'
    const own = await faultOf(verify(connection, 'write'), 'open')
    assert.deepEqual([own.kind, own.code, own.everywhere], ['read-only', '1792', true])
    await server.query('set global tx_read_only = on')
    try {
      const all = await faultOf(verify(connection, 'write'), 'open')
      assert.deepEqual([all.kind, all.everywhere], ['read-only', undefined])
    } finally {
      await server.query('set global tx_read_only = off')
    }
    member.says.tx_read_only = 'OFF'
    const store = await openOn(t, member)
    const work = store.orm.em.fork().transactional(async (em) => em.insert(Note, note('x')), { readOnly: true })
    const fault = await faultOf(work, 'statement')
    assert.deepEqual([fault.code, fault.everywhere, fault.undone], ['1792', true, undefined])
  })
})

async function faultOf(work: Promise<unknown>, phase: Phase): Promise<Fault> {
  const outcome = await within(
    work.then(
      () => null,
      (error: unknown) => ({ error }),
    ),
    8_000,
    'the failing work',
  )
  assert.ok(outcome !== null, 'it did not fail')
  return driver.classify(outcome.error, phase)
}

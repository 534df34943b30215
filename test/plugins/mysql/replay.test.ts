import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import driver from '../../../plugins/mysql/mysql.ts'
import {
  type Bench,
  type BenchStore,
  carriedTable,
  createBench,
  createOrm,
  limits,
  Note,
  openStore,
  urlAddress,
} from '../../../src/conformance/bench.ts'
import { rejection } from '../../../src/conformance/connection.ts'
import type { Limits } from '../../../src/driver/driver.ts'
import { claimKnownCode } from '../../../src/driver/facet/attempts.ts'
import type { Image, ImageTable } from '../../../src/driver/facet/image.ts'
import type { Replay } from '../../../src/driver/facet/replay.ts'
import type { Fault } from '../../../src/driver/fault.ts'
import { type Mariadb, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const inserting = 'insert into conformance_note (id, text, count) values (?, ?, 0)'

/** The server's largest packet in these tests. */
const packetBytes = 1_024 * 1_024

describe('claims and replay on a real MariaDB', { skip: noMariadb }, () => {
  const cleanup = cleanupOf(after)
  let server: Mariadb
  let bench: Bench
  before(async () => {
    server = await startMariadb(cleanup, { settings: [`--max-allowed-packet=${packetBytes}`] })
    bench = await createBench(driver, { address: async () => server.url(await server.createDatabase()) })
    cleanup.after(() => bench.end())
  })

  const targetOf = (database: string) => {
    const { target } = driver.parse(urlAddress(bench, server.url(database)), bench.settings)
    assert.ok(target)
    return target
  }

  async function open(
    database: string,
    more: { readonly limits?: Limits; readonly made?: boolean } = {},
  ): Promise<BenchStore> {
    const store = await openStore(bench, { target: targetOf(database), ...more })
    cleanup.after(async () => store[Symbol.asyncDispose]())
    return store
  }

  /** A store on tables that exist, which takes the server for one of that version. */
  async function openAs(version: string, database: string): Promise<BenchStore> {
    const target = targetOf(database)
    const [candidate] = await driver.connect(target, limits)
    assert.ok(candidate)
    const connection = await candidate.open(AbortSignal.timeout(3_000))
    const facts = await connection.verify({ role: 'primary', proof: 'open' }, AbortSignal.timeout(3_000))
    await connection.close()
    const engine = candidate.engine({ ...facts, version })
    const orm = createOrm(engine)
    await orm.connect()
    cleanup.after(() => engine.close(orm, 1_000))
    const statements = () => engine.statements?.(orm) ?? assert.fail('it has statements')
    return { target, candidate, engine, orm, statements, [Symbol.asyncDispose]: () => engine.close(orm, 1_000) }
  }

  const claimsIn = async (database: string): Promise<readonly unknown[]> =>
    (await server.query('select id from holdfast_attempt order by id', database)).map(({ id }) => id)

  const faultOf = async (work: Promise<unknown>): Promise<Fault> => driver.classify(await rejection(work), 'commit')

  /** A write claims, is counted, is refused a second time, and leaves no claim when it fails. */
  async function assertClaims(store: BenchStore, database: string): Promise<void> {
    const { write } = store.statements()
    const [first, second] = [randomUUID(), randomUUID()]
    assert.equal((await write(inserting, ['a', 'a'], { attempt: first, claims: true })).changed, 1)
    const known = await faultOf(write(inserting, ['b', 'b'], { attempt: first, claims: true }))
    assert.deepEqual([known.kind, known.code, known.ambiguous], ['constraint', claimKnownCode, false])
    const taken = await faultOf(write(inserting, ['a', 'a'], { attempt: second, claims: true }))
    assert.deepEqual([taken.kind, taken.code], ['constraint', '1062'])
    const update = 'update conformance_note set count = ?'
    assert.equal((await write(update, [0], { attempt: second, claims: true })).changed, 1)
    assert.deepEqual(await claimsIn(database), [first, second].sort())
    assert.deepEqual(await server.query('select id from conformance_note', database), [{ id: 'a' }])
  }

  test('a server without compound statements claims in a transaction, and replays without RETURNING', async () => {
    const database = await server.createDatabase()
    await open(database)
    const store = await openAs('8.0.36', database)
    await assertClaims(store, database)
    const attempts = Array.from({ length: 1_200 }, () => randomUUID())
    const claim = (list: readonly string[]) => inTransaction(store, (replay) => replay.claim(list))
    await claim(attempts.slice(0, 10))
    assert.deepEqual(await claim(attempts), new Set(attempts.slice(10)))
    assert.deepEqual(await claim(attempts), new Set())
  })

  test('a server that prepares no statement claims all the same', async () => {
    const database = await server.createDatabase()
    const store = await open(database)
    await server.query('set global max_prepared_stmt_count = 0')
    try {
      await assertClaims(store, database)
    } finally {
      await server.query('set global max_prepared_stmt_count = 16382')
    }
  })

  test('a write that returns rows gives them with its claim', async () => {
    const database = await server.createDatabase()
    const store = await open(database)
    const returning = `${inserting.replace('?, ?, 0', '?, ?, 0), (?, ?, 1')} returning id, count`
    const note = { attempt: randomUUID(), claims: true } as const
    const { rows, changed } = await store.statements().write(returning, ['a', 'a', 'b', 'b'], note)
    assert.deepEqual(
      [changed, rows.map((row) => ({ ...row }))],
      [
        2,
        [
          { id: 'a', count: 0 },
          { id: 'b', count: 1 },
        ],
      ],
    )
  })

  test('a write that is interrupted after its claim leaves no claim, and no transaction to the next caller', async () => {
    const database = await server.createDatabase()
    const store = await open(database, { limits: { ...limits, queryMs: 5_000, poolSize: 1, poolMaxOverflow: 0 } })
    const { write, read } = store.statements()
    await write(inserting, ['a', 'a'])
    const slow = faultOf(
      write('update conformance_note set count = sleep(4) where id = ?', ['a'], {
        attempt: randomUUID(),
        claims: true,
      }),
    )
    const [{ id } = { id: null }] = await until(async () => {
      const rows = await server.query(
        `select id from information_schema.processlist where db = '${database}' and state = 'User sleep'`,
      )
      return rows.length > 0 && rows
    })
    await server.query(`kill query ${id}`)
    assert.equal((await slow).kind, 'transient')
    assert.deepEqual(
      (await read('select @@in_transaction as open', [])).map(({ open: one }) => Number(one)),
      [0],
    )
    await write(inserting, ['b', 'b'])
    assert.deepEqual(await claimsIn(database), [])
    assert.equal(Number((await server.query('select count(*) as n from conformance_note', database))[0]?.n), 2)
  })

  test('an answer that never comes is an unknown outcome, which a claim settles', async () => {
    const database = await server.createDatabase()
    const store = await open(database, { limits: { ...limits, queryMs: 400 } })
    const settler = await open(database, { made: true })
    const attempt = randomUUID()
    await store.statements().write(inserting, ['warm', 'warm'], { attempt: randomUUID(), claims: true })
    server.pause()
    const { kind, ambiguous } = await faultOf(
      store.statements().write(inserting, ['a', 'a'], { attempt, claims: true }),
    )
    server.resume()
    assert.deepEqual([kind, ambiguous], ['lost', true])
    const isNew = await settler.engine.attempts?.(settler.orm).claim(attempt)
    assert.equal(await settler.orm.em.fork().count(Note, { id: 'a' }), isNew === true ? 0 : 1)
  })

  test('rows of many packets are replayed in several statements, and one that is too large is refused', async () => {
    const store = await open(await server.createDatabase())
    const images = Array.from({ length: 40 }, () => imageOf({ text: "'\\\n".repeat(25_000) }))
    await inTransaction(store, async ({ insert, update, lock }) => {
      assert.equal(await insert(carriedTable, images), 40)
      const updates = images.map((image) => ({ image: { ...image, order: '1' }, base: image.holdfast_attempt ?? null }))
      assert.equal(await update(carriedTable, updates), 40)
      const found = await lock(carriedTable, [images[0]?.id ?? ''])
      assert.equal([...found.values()][0]?.text, images[0]?.text)
    })
    const large = imageOf({ text: "'".repeat(packetBytes - 10_000) })
    assert.equal(
      await inTransaction(store, ({ insert }) => insert(carriedTable, [large])),
      1,
      'escaped it is too large',
    )
    const tooLarge = imageOf({ text: 'x'.repeat(packetBytes) })
    const error = await rejection(inTransaction(store, ({ insert }) => insert(carriedTable, [tooLarge])))
    assert.equal(replayOf(store).refusalOf(error), 'refused')
  })

  test('deadlocks, timeouts and losses refuse no row; signals of triggers do', async () => {
    const database = await server.createDatabase()
    const store = await open(database)
    const { refusalOf } = replayOf(store)
    const signal = (state: string, number: number): Promise<unknown> =>
      rejection(
        store.orm.em.fork().execute(`begin not atomic signal sqlstate '${state}' set mysql_errno = ${number}; end`),
      )
    for (const [state, number] of [
      ['40001', 1213],
      ['HY000', 1205],
      ['70100', 1317],
      ['42000', 1142],
      ['42000', 1064],
      ['HY000', 1021],
    ] as const) {
      assert.equal(refusalOf(await signal(state, number)), null, `${number}`)
    }
    for (const [state, number] of [
      ['45000', 1644],
      ['23000', 1452],
      ['22003', 1264],
      ['HY000', 3819],
      ['23000', 4025],
      ['HY000', 1366],
    ] as const) {
      assert.equal(refusalOf(await signal(state, number)), 'refused', `${number}`)
    }
    assert.equal(refusalOf(Object.assign(new Error('reset'), { code: 'ECONNRESET' })), null)
    await server.query('drop table holdfast_attempt', database)
    const gone = await rejection(inTransaction(store, ({ claim }) => claim([randomUUID()])))
    assert.deepEqual([driver.classify(gone, 'statement').code, refusalOf(gone)], ['CLAIM_FAILED', null])
  })

  test('a table with names that need quotes, and ids that compare by bytes, is replayed', async () => {
    const database = await server.createDatabase()
    const odd = { name: "we`ird 'column", kind: 'text' } as const
    const table: ImageTable = {
      name: 'or`der',
      columns: [
        { name: 'id', kind: 'text' },
        { name: 'holdfast_attempt', kind: 'text' },
        { name: 'given', kind: 'boolean' },
        odd,
      ],
    }
    const id = 'char(36) character set ascii collate ascii_bin'
    await server.query(
      `create table \`or\`\`der\` (id ${id} primary key, holdfast_attempt ${id}, given tinyint(1), \`we\`\`ird 'column\` text character set latin1)`,
      database,
    )
    const store = await open(database)
    const image: Image = { id: randomUUID(), holdfast_attempt: randomUUID(), given: '1', [odd.name]: 'é`"' }
    const changed: Image = { ...image, holdfast_attempt: randomUUID(), given: '0', [odd.name]: null }
    await inTransaction(store, async ({ insert, lock, update, remove }) => {
      assert.equal(await insert(table, [image]), 1)
      assert.deepEqual([...(await lock(table, [image.id ?? ''])).values()], [image])
      assert.equal(await update(table, [{ image: changed, base: image.holdfast_attempt ?? null }]), 1)
      assert.deepEqual([...(await lock(table, [image.id ?? ''])).values()], [changed])
      assert.equal(await remove(table, [{ id: image.id ?? '', base: changed.holdfast_attempt ?? null }]), 1)
    })
  })
})

function imageOf(given: Image): Image {
  return { id: randomUUID(), holdfast_attempt: randomUUID(), required: 'given', ...given }
}

function replayOf({ engine, orm }: BenchStore): Replay {
  const replay = engine.replay?.(orm)
  assert.ok(replay)
  return replay
}

function inTransaction<T>(store: BenchStore, work: (replay: Replay) => Promise<T>): Promise<T> {
  return store.orm.em.fork().transactional(() => work(replayOf(store)))
}

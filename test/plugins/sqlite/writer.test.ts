import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import type { Handle } from '../../../plugins/sqlite/handle.ts'
import { FileConnection } from '../../../plugins/sqlite/proof/file-connection.ts'
import type { MikroORM } from '../../../src/driver/orm.ts'
import { count, faultOf, limits, open, type Row, Thing, targetOf, tempFolder } from './bench.ts'

const insert = 'insert into thing (id, name) values (?, ?)'

test('a write that rolls the whole group back loses none of the others', async (t) => {
  const { run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await run.write(insert, [1, 'taken'])
  const outcomes = await Promise.allSettled([
    run.write(insert, [2, 'b']),
    run.write(insert, [3, 'c']),
    run.write('insert or rollback into thing (id, name) values (?, ?)', [4, 'taken']),
    run.write(insert, [5, 'e']),
    run.write(insert, [6, 'taken']),
  ])
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
  )
  const rows = await run.read('select id from thing order by id', [])
  assert.deepEqual(
    rows.map(({ id }) => id),
    [1, 2, 3, 5],
  )
})

test('a statement that may fail half-way leaves nothing of itself', async (t) => {
  const { run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  const half = "insert or fail into thing (id, name) values (1, 'a'), (2, 'a')"
  await assert.rejects(run.write(half, []))
  await Promise.allSettled([run.write(half, []), run.write(insert, [9, 'z'])])
  assert.deepEqual(await run.read('select id from thing', []), [{ id: 9 }])
})

test('a transaction that SQLite took back commits nothing behind its back, and frees the writer', async (t) => {
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await run.write(insert, [1, 'taken'])
  const gone = orm.em.fork().transactional(async (em) => {
    await em.insert(Thing, { id: 2, name: 'b' })
    await em.execute("insert or rollback into thing (id, name) values (3, 'taken')").catch(() => {})
    await em.insert(Thing, { id: 4, name: 'd' })
  })
  assert.equal((await faultOf(gone)).code, 'SQLITE_TRANSACTION_GONE')
  assert.equal(await count(run), 1)
  await run.write(insert, [5, 'after'])
})

test('a native write that fails inside a transaction fails alone', async (t) => {
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await orm.em.fork().transactional(async (em) => {
    await run.write(insert, [1, 'a'])
    await assert.rejects(run.write(insert, [2, 'a']), { code: 'SQLITE_CONSTRAINT_UNIQUE' })
    await em.insert(Thing, { id: 3, name: 'c' })
  })
  assert.equal(await count(run), 2)
})

test('a second transaction inside an open one is refused at once', async (t) => {
  const { orm } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await orm.em.fork().transactional(async () => {
    const startedAt = performance.now()
    const begun = await faultOf(orm.em.fork().transactional(async () => {}))
    const written = await faultOf(orm.em.fork().insert(Thing, { id: 1, name: 'a' }))
    const byHand = await faultOf(orm.em.fork().begin())
    assert.deepEqual([begun.kind, begun.code], ['transient', 'STORE_BUSY'])
    assert.deepEqual([written.code, byHand.code], ['STORE_BUSY', 'STORE_BUSY'])
    assert.ok(performance.now() - startedAt < limits.queryMs)
  })
})

test('a write waits for a transaction begun by hand up to its limit, and is told who holds the writer', async (t) => {
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  const em = orm.em.fork()
  await em.begin()
  const [native, entity] = await Promise.all([
    faultOf(run.write(insert, [1, 'a'])),
    faultOf(orm.em.fork().insert(Thing, { id: 2, name: 'b' })),
  ])
  for (const fault of [native, entity]) {
    assert.deepEqual([fault.kind, fault.code], ['transient', 'STORE_BUSY'])
    assert.match(fault.summary, /a transaction has held it for \d+ ms/)
  }
  await em.rollback()
  await run.write(insert, [3, 'c'])
  assert.equal(await count(run), 1)
})

test('an idle transaction is taken back, and its writer given on', async (t) => {
  const folder = await tempFolder(t)
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [folder] }), { ...limits, transactionMs: 100 })
  const em = orm.em.fork()
  await em.begin()
  await em.insert(Thing, { id: 1, name: 'a' })
  await run.write(insert, [2, 'b'])
  assert.equal((await faultOf(em.insert(Thing, { id: 3, name: 'c' }))).code, 'SQLITE_TRANSACTION_TIMEOUT')
  await em.rollback()
  assert.deepEqual(await run.read('select id from thing', []), [{ id: 2 }])
})

test('nested transactions are savepoints: the inner goes alone', async (t) => {
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await orm.em.fork().transactional(async (em) => {
    await em.insert(Thing, { id: 1, name: 'a' })
    await em.transactional(async (inner) => {
      await inner.insert(Thing, { id: 2, name: 'b' })
      const undone = inner.transactional(async (deepest) => {
        await deepest.insert(Thing, { id: 3, name: 'c' })
        throw new Error('on purpose')
      })
      await assert.rejects(undone, /on purpose/)
    })
  })
  assert.deepEqual(await run.read('select id from thing order by id', []), [{ id: 1 }, { id: 2 }])
})

test('a stream inside a transaction sees its rows, and lets it write', async (t) => {
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await orm.em.fork().transactional(async (em) => {
    await em.insertMany(
      Thing,
      [1, 2, 3].map((id) => ({ id, name: `n-${id}` })),
    )
    const seen: Row[] = []
    for await (const row of em.stream(Thing)) {
      seen.push(row)
      await em.insert(Thing, { id: row.id + 10, name: `m-${row.id}` })
    }
    assert.equal(seen.length, 3)
  })
  assert.equal(await count(run), 6)
})

test('streams that are left early free their handles', async (t) => {
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await orm.em.fork().insertMany(
    Thing,
    [1, 2, 3].map((id) => ({ id, name: `n-${id}` })),
  )
  for (let round = 0; round < 40; round += 1) {
    for await (const row of orm.em.fork().stream(Thing)) if (row.id === 1) break
  }
  await run.write(insert, [9, 'z'])
})

test('native statements take no transaction, no setting, and reads change nothing', async (t) => {
  const { run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  for (const sql of ['begin', 'commit', ' /* x */ rollback', 'pragma synchronous = off', "attach 'x' as y"]) {
    assert.equal((await faultOf(run.write(sql, []))).code, 'SQLITE_STATEMENT_REFUSED', sql)
    assert.equal((await faultOf(run.read(sql, []))).code, 'SQLITE_STATEMENT_REFUSED', sql)
  }
  assert.equal((await faultOf(run.read("insert into thing values (1, 'a')", []))).code, 'SQLITE_STATEMENT_REFUSED')
  const returning = "with n as (select 1) insert into thing values (1, 'a') returning id"
  assert.equal((await faultOf(run.read(returning, []))).code, 'SQLITE_STATEMENT_REFUSED')
  assert.equal(await count(run), 0)
})

test('a setting through the EntityManager reaches both handles', async (t) => {
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await orm.em.fork().execute('pragma cache_size = -4321')
  assert.deepEqual(await run.read('pragma cache_size', []), [{ cache_size: -4321 }])
  const inside = await orm.em.fork().transactional(async (em) => em.execute('pragma cache_size'))
  assert.deepEqual(inside, [{ cache_size: -4321 }])
})

test('every handle is set as durability and triggers need it', async (t) => {
  for (const [sync, synchronous] of [
    ['async', 1],
    ['full', 2],
  ] as const) {
    const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)], sync }))
    for (const [name, value] of [
      ['synchronous', synchronous],
      ['recursive_triggers', 1],
      ['foreign_keys', 1],
    ] as const) {
      assert.deepEqual(await run.read(`pragma ${name}`, []), [{ [name]: value }])
      assert.deepEqual(await orm.em.fork().transactional((em) => em.execute(`pragma ${name}`)), [{ [name]: value }])
    }
  }
})

test('booleans, dates and bytes are taken as SQLite keeps them', async (t) => {
  const { run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  const at = new Date(1_700_000_000_123)
  const rows = await run.read('select ? as yes, ? as at, ? as bytes, ? as big', [true, at, Uint8Array.of(1, 2), 5n])
  assert.deepEqual(rows, [{ yes: 1, at: 1_700_000_000_123, bytes: Buffer.of(1, 2), big: 5 }])
})

test('a dump runs whole and is there for the native statements', async (t) => {
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await orm.driver.getConnection().executeDump("insert into thing values (1, 'a'); insert into thing values (2, 'b');")
  assert.equal(await count(run), 2)
  await run.write(insert, [3, 'c'])
})

test('a failed sync refuses that write and all later ones, and reads go on', async (t) => {
  const folder = await tempFolder(t)
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [folder], sync: 'async' }))
  const { fdatasync, fdatasyncSync } = fs
  const restore = (): void => {
    Object.assign(fs, { fdatasync, fdatasyncSync })
    syncBuiltinESMExports()
  }
  t.after(restore)
  const failure = Object.assign(new Error('disk'), { code: 'EIO' })
  fs.fdatasync = Object.assign((_: number, done: (error: NodeJS.ErrnoException | null) => void) => {
    setImmediate(done, failure)
  }, fdatasync)
  fs.fdatasyncSync = () => {
    throw failure
  }
  syncBuiltinESMExports()
  const fault = await faultOf(run.write(insert, [1, 'a']))
  assert.deepEqual([fault.code, fault.kind, fault.ambiguous], ['SQLITE_SYNC_FAILED', 'unwritable', true])
  restore()
  assert.equal((await faultOf(run.write(insert, [2, 'b']))).code, 'SQLITE_SYNC_FAILED')
  assert.equal((await faultOf(orm.em.fork().insert(Thing, { id: 3, name: 'c' }))).code, 'SQLITE_SYNC_FAILED')
  assert.equal((await faultOf(orm.em.fork().transactional(async () => {}))).code, 'SQLITE_SYNC_FAILED')
  assert.ok((await count(run)) >= 0)
})

test('closing answers every write that still waits', async (t) => {
  const { run, close } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  const writes = Array.from({ length: 20 }, (_, id) => run.write(insert, [id, `n-${id}`]))
  const outcomes = Promise.allSettled(writes)
  await close()
  for (const outcome of await outcomes) {
    if (outcome.status === 'rejected') assert.equal((await faultOf(Promise.reject(outcome.reason))).kind, 'lost')
  }
  assert.equal((await faultOf(run.write(insert, [99, 'late']))).kind, 'lost')
  assert.equal((await faultOf(run.read('select 1', []))).kind, 'lost')
})

test('what refuses changes cannot be lifted by a statement or a dump, and what waits is told so', async (t) => {
  const { engine, orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  const permit = engine.file.writer.tryTake('the test')
  const waiting = run.write(insert, [1, 'a'])
  engine.setReadOnly(orm, true)
  permit?.release()
  assert.equal((await faultOf(waiting)).kind, 'read-only')
  for (const sql of ['pragma query_only = off', 'pragma query_only(0)', '/* x */ explain pragma main.query_only = 0']) {
    assert.equal((await faultOf(orm.em.fork().execute(sql))).kind, 'read-only', sql)
    const inside = orm.em.fork().transactional(async (em) => em.execute(sql))
    assert.equal((await faultOf(inside)).kind, 'read-only', sql)
    assert.equal((await faultOf(run.read(sql, []))).kind === 'statement', sql.startsWith('pragma'), sql)
  }
  const dump = "pragma query_only = off; insert into thing values (1, 'a')"
  assert.equal((await faultOf(orm.driver.getConnection().executeDump(dump))).kind, 'read-only')
  assert.equal((await faultOf(run.write(insert, [2, 'b']))).kind, 'read-only')
  engine.setReadOnly(orm, false)
  await run.write(insert, [3, 'c'])
  assert.equal(await count(run), 1)
})

/** From now on this handle cannot take anything back. */
function failRollbacks({ native }: Handle): void {
  const { exec } = native
  native.exec = (sql) => {
    if (sql === 'rollback') throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' })
    return exec.call(native, sql)
  }
}

test('a group whose rollback fails answers everybody, frees the writer, and the file is "lost"', async (t) => {
  for (const writes of [0, 1, 3]) {
    const { engine, orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
    await run.write(insert, [1, 'taken'])
    await orm.em
      .fork()
      .execute('create table other (thing integer references thing (id) deferrable initially deferred)')
    const file = engine.file
    failRollbacks(file.hot)
    const group = Array.from({ length: writes }, (_, index) => run.write(insert, [2 + index, 'taken']))
    // One that fails at its COMMIT, whatever else is in the group.
    const deferred = run.write('insert into other (thing) values (?)', [777])
    const outcomes = await Promise.allSettled([...group, deferred])
    assert.ok(outcomes.every(({ status }) => status === 'rejected'))
    assert.equal((await faultOf(run.write(insert, [9, 'next']))).kind, 'lost')
    assert.equal((await faultOf(run.read('select 1', []))).kind, 'lost')
    assert.equal((await faultOf(orm.em.fork().count(Thing))).kind, 'lost')
    assert.ok(file.writer.tryTake('the test'))
  }
})

test('a transaction or a dump whose rollback fails frees the writer, and the file is "lost"', async (t) => {
  const ways: readonly ((orm: MikroORM) => Promise<unknown>)[] = [
    (orm) =>
      orm.em.fork().transactional(async (em) => {
        await em.insert(Thing, { id: 2, name: 'undone' })
        throw new Error('on purpose')
      }),
    (orm) => orm.driver.getConnection().executeDump("begin; insert into thing values (2, 'undone'); no statement"),
  ]
  for (const fail of ways) {
    const { engine, orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
    failRollbacks(engine.file.own)
    await assert.rejects(fail(orm))
    assert.equal((await faultOf(orm.em.fork().insert(Thing, { id: 3, name: 'next' }))).kind, 'lost')
    assert.equal((await faultOf(orm.em.fork().transactional(async () => {}))).kind, 'lost')
    // Closing it took the open transaction back.
    assert.equal(await count(run), 0)
    assert.ok(engine.file.writer.tryTake('the test'))
  }
})

test('a proof whose rollback fails says that the file is lost', async (t) => {
  const native = new Database(join(await tempFolder(t), 'x.db'))
  const left = async (): Promise<void> => {}
  const connection = new FileConnection({
    native,
    path: native.name,
    isEphemeral: false,
    keepsRequests: true,
    problems: [],
    left,
  })
  t.after(() => connection.close())
  const { exec } = native
  native.exec = (sql) => {
    if (sql === 'rollback') throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' })
    exec.call(native, sql.replace('; commit', ''))
    throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' })
  }
  const proof = connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(1_000))
  assert.equal((await faultOf(proof)).code, 'SQLITE_ROLLBACK_FAILED')
})

test('a read inside a transaction that meets a lock is refused, not done outside of it', async (t) => {
  const { engine, orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await orm.em.fork().transactional(async (em) => {
    await em.insert(Thing, { id: 1, name: 'a' })
    const { own } = engine.file
    const { rows } = own
    own.rows = () => {
      throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' })
    }
    assert.equal((await faultOf(run.read('select id from thing', []))).kind, 'transient')
    own.rows = rows
    assert.deepEqual(await run.read('select id from thing', []), [{ id: 1 }])
  })
})

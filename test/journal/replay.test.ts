import assert from 'node:assert/strict'
import { copyFile } from 'node:fs/promises'
import { test } from 'node:test'
import { systemClock } from '../../src/database/store/clock.ts'
import { FaultError } from '../../src/driver/fault.ts'
import { PrimaryPast } from '../../src/journal/past/primary-past.ts'
import { Replayer } from '../../src/journal/replayer.ts'
import { idOf, imageTables, insert, never, pathIn, remove, Scene, together, update } from './bench.ts'
import { onServers } from './servers.ts'

const insertSql = `insert into everything (id, word, "createdAt", "updatedAt", version, holdfast_attempt)
  values (?, ?, 1700000000123, 1700000000123, 1, ?)`
const updateSql = 'update everything set word = ?, holdfast_attempt = ? where id = ?'

onServers('replay', (server, kind) => {
  test('what the fallback took is in the primary, exactly', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    const values = {
      small: 7,
      large: -9_007_199_254_740_991,
      real: 0.1,
      flag: 1,
      text: 'a\nb "c" \\ é 🙂',
      at: -1,
      meta: '{"b": 1, "a": [2.5, null]}',
      things: '[]',
    }
    await insert(fallback, 'a', 'one', values)
    await insert(fallback, 'b', 'two')
    await update(fallback, 'a', 'three')
    await insert(fallback, 'c', null)
    await remove(fallback, 'b')
    const entries = await fallback.journal.waiting(0, 100)
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'three', [idOf('c')]: null })
    assert.deepEqual(await scene.reasons(), [])
    assert.equal(fallback.journal.counts().entries, 0)
    // The rows that are there match the images of the fallback: they are accepted as bases.
    const image = entries[2]?.new ?? null
    assert.ok(image !== null)
    await update(fallback, 'a', 'four')
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'four', [idOf('c')]: null })
    assert.deepEqual(scene.seen.filter(({ type }) => type === 'journal.carried').length, 2)
  })

  test('each change is seen by the triggers of the primary once, with its attempt', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    for (const sql of kind.audit) await scene.server.query(sql, scene.database)
    const attempts = [
      await insert(fallback, 'a', 'one'),
      await update(fallback, 'a', 'two'),
      await update(fallback, 'a', 'three'),
    ]
    await scene.replayer().carry(fallback, primary, 0, never)
    await fallback.journal.carryAgain()
    await scene.replayer().carry(fallback, primary, 0, never)
    const seen = await scene.server.query('select attempt from audit', scene.database)
    assert.deepEqual(seen.map(({ attempt }) => attempt).sort(), [...attempts].sort())
  })

  test('a copy of the file, carried at the same time and later, doubles nothing', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, first] = [await scene.primary(), await scene.fallback()]
    for (const sql of kind.audit) await scene.server.query(sql, scene.database)
    for (let at = 0; at < 60; at += 1) await insert(first, String.fromCharCode(100 + at), `w${at}`)
    for (let at = 0; at < 60; at += 2) await update(first, String.fromCharCode(100 + at), `x${at}`)
    await first.close(1_000)
    for (const name of ['second.db', 'third.db']) await copyFile(pathIn(scene), pathIn(scene, name))
    const files = [await scene.fallback(), await scene.fallback('second.db')]
    await Promise.all(files.map((file) => scene.replayer().carry(file, primary, 0, never)))
    await scene.replayer().carry(await scene.fallback('third.db'), primary, 0, never)
    const seen = await scene.server.query(
      'select count(*) as n, count(distinct attempt) as d from audit',
      scene.database,
    )
    assert.deepEqual([Number(seen[0]?.n), Number(seen[0]?.d)], [90, 90])
    assert.deepEqual(await scene.reasons(), [])
  })

  test('a file that was set back and written on is carried; what another fork took first is parked', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, first] = [await scene.primary(), await scene.fallback()]
    await insert(first, 'a', 'one')
    await first.close(1_000)
    await copyFile(pathIn(scene), pathIn(scene, 'fork.db'))
    const [again, fork] = [await scene.fallback(), await scene.fallback('fork.db')]
    await update(again, 'a', 'again')
    await insert(again, 'b', 'b')
    await update(fork, 'a', 'fork')
    await insert(fork, 'c', 'c')
    await scene.replayer().carry(again, primary, 0, never)
    await scene.replayer().carry(fork, primary, 0, never)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'again', [idOf('b')]: 'b', [idOf('c')]: 'c' })
    assert.deepEqual(await scene.reasons(), ['update_differing'])
  })

  test('a transaction with one conflict is parked whole, and what builds on it; what does not is applied', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'a', 'a')
    await insert(fallback, 'b', 'b')
    await scene.replayer().carry(fallback, primary, 0, never)
    // Without an attempt, as an application of another kind writes.
    await scene.server.query(`update everything set word = 'theirs' where id = '${idOf('b')}'`, scene.database)
    await together(fallback, [
      [updateSql, ['ours a', 'ATTEMPT', idOf('a')]],
      [updateSql, ['ours b', 'ATTEMPT', idOf('b')]],
      [insertSql, [idOf('c'), 'ours c', 'ATTEMPT']],
    ])
    await update(fallback, 'a', 'later a')
    await update(fallback, 'c', 'later c')
    await remove(fallback, 'b')
    await insert(fallback, 'd', 'd')
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'a', [idOf('b')]: 'theirs', [idOf('d')]: 'd' })
    assert.deepEqual(await scene.reasons(), [
      'with_transaction',
      'update_differing',
      'with_transaction',
      'update_differing',
      'update_missing',
      'delete_recently_updated',
    ])
    const counted = scene.seen.filter(({ type }) => type === 'conflicts.counted').at(-1)
    assert.ok(counted?.type === 'conflicts.counted' && counted.open === 4)
  })

  test('rows that the primary refuses are parked, alone, and the rest is applied', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await scene.server.query(
      `insert into everything (id, word, ${['createdAt', 'updatedAt'].map(kind.quoted).join(', ')}, version)
       values ('${idOf('z')}', 'taken', current_timestamp, current_timestamp, 1)`,
      scene.database,
    )
    for (let at = 0; at < 30; at += 1) await insert(fallback, String.fromCharCode(97 + at), `w${at}`)
    await insert(fallback, 'T', 'taken')
    await insert(fallback, 'L', 'long '.repeat(20))
    await update(fallback, 'L', 'short')
    await insert(fallback, 'M', 'last')
    await scene.replayer().carry(fallback, primary, 0, never)
    const words = Object.values(await scene.words())
    assert.equal(words.length, 31)
    assert.ok(words.includes('last') && words.includes('w29'))
    const tooLong = kind.name === 'PostgreSQL' ? 'refused 22001' : 'refused 1406'
    assert.deepEqual(await scene.reasons(), ['insert_exists', 'multiple_unique_conflicts', tooLong, 'update_missing'])
  })

  test('a missing column or table parks, to be tried again', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'a', 'a')
    await together(fallback, [
      [`insert into plain (id, word, "createdAt", "updatedAt", version) values (?, 'p', 1, 1, 1)`, [idOf('p')]],
    ])
    await scene.server.query('alter table everything drop column flag', scene.database)
    await scene.server.query('drop table plain', scene.database)
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.reasons(), ['target_column_missing', 'target_table_missing'])
    assert.equal(fallback.journal.counts().entries, 0)
  })

  test('what has the claim of another writer is done, and never applied again', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    const attempt = await insert(fallback, 'a', 'a')
    // The first try, which the primary committed, and which somebody has deleted since.
    await scene.server.query(`insert into holdfast_attempt (id) values ('${attempt}')`, scene.database)
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual([await scene.words(), await scene.reasons()], [{}, []])
    assert.equal(fallback.journal.counts().entries, 0)
  })

  test('what is older than the watermark is parked, never applied', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'a', 'a')
    await scene.server.query(
      `update holdfast_identity set watermark = 'ffffffff-ffff-7fff-bfff-ffffffffffff'`,
      scene.database,
    )
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual([await scene.words(), await scene.reasons()], [{}, ['too_old']])
  })

  test('entries for another primary are named and never sent', async (t) => {
    const scene = await Scene.make(t, server())
    const fallback = await scene.fallback()
    await scene.replayer().opened(fallback, await scene.primary())
    await insert(fallback, 'a', 'a')
    const other = await scene.elsewhere()
    const primary = await other.primary()
    const replayer = other.replayer()
    await replayer.carry(fallback, primary, 0, never)
    assert.deepEqual(await other.words(), {})
    const [problem] = replayer.problems(fallback, primary)
    assert.equal(problem?.code, 'JOURNAL_ELSEWHERE')
    assert.match(problem?.suggestion ?? '', /holdfast replay \S+fallback\.db/)
    assert.ok(other.seen.some(({ type }) => type === 'journal.elsewhere'))
    await scene.replayer().carry(fallback, await scene.primary(), 0, never)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'a' })
  })

  test('another database that takes the place of an open primary gets nothing', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    let { identity } = primary.facts
    const replayer = new Replayer({ tables: () => imageTables, observe: () => {}, identityOf: () => identity })
    await replayer.carry(fallback, primary, 0, never)
    await insert(fallback, 'a', 'a')
    await scene.server.query(`update holdfast_identity set id = '${idOf('x')}'`, scene.database)
    await assert.rejects(replayer.carry(fallback, primary, 0, never), (error) => {
      return error instanceof FaultError && error.fault.code === 'IDENTITY_CHANGED'
    })
    identity = idOf('x')
    await replayer.carry(fallback, primary, 0, never)
    assert.deepEqual([await scene.words(), fallback.journal.counts().elsewhere], [{}, 1])
  })

  test('a primary that was set back gets everything again that the journal still has', async (t) => {
    const scene = await Scene.make(t, server())
    const fallback = await scene.fallback()
    const primary = await scene.primary()
    await insert(fallback, 'a', 'a')
    await insert(fallback, 'b', 'b')
    await scene.replayer().carry(fallback, primary, 0, never)
    const replayer = scene.replayer()
    await replayer.opened(fallback, primary)
    assert.deepEqual(replayer.problems(fallback, primary), [])
    // What a restored backup has: the first of both, with its claim.
    await scene.server.query(`delete from everything where word = 'b'`, scene.database)
    const [last] = await scene.server.query(`select holdfast_attempt as id from everything`, scene.database)
    await scene.server.query(`delete from holdfast_attempt where id <> '${last?.id}'`, scene.database)
    const again = scene.replayer()
    await again.carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'a', [idOf('b')]: 'b' })
    assert.deepEqual(await scene.reasons(), [])
    assert.deepEqual(
      again.problems(fallback, primary).map(({ code }) => code),
      ['PRIMARY_WENT_BACK'],
    )
  })

  // Only its log has positions that are compared.
  const skip = kind.name === 'PostgreSQL' ? false : 'no position is known'
  test('a primary that was later than it is gets everything again, also where the last claim is there', {
    skip,
  }, async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    const first = await insert(fallback, 'a', 'a')
    await insert(fallback, 'b', 'b')
    await scene.replayer().carry(fallback, primary, 0, never)
    await scene.server.query(`delete from everything where word = 'a'`, scene.database)
    await scene.server.query(`delete from holdfast_attempt where id = '${first}'`, scene.database)
    const { standing } = primary.facts
    assert.ok(standing !== undefined && standing.position !== null)
    await fallback.journal.keepStanding({ ...standing, position: standing.position + 1n })
    const past = new PrimaryPast({
      clock: systemClock,
      find: async () => null,
      journalFor: () => null,
      carryAgain: () => {},
      observe: (seen) => void scene.seen.push(seen),
    })
    await past.opened(primary)
    const again = new Replayer({ tables: () => imageTables, observe: (seen) => void scene.seen.push(seen), past })
    await again.carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'a', [idOf('b')]: 'b' })
    const backs = scene.seen.filter(({ type }) => type === 'primary.went-back' || type === 'journal.went-back')
    assert.deepEqual(
      backs.map(({ type }) => type),
      ['primary.went-back', 'journal.went-back'],
    )
    await again.carry(fallback, primary, 0, never)
    assert.equal(fallback.journal.counts().entries, 0, 'once')
  })

  test('an abort ends between batches or rolls one back, and the next call goes on', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    for (let at = 0; at < 20; at += 1) await insert(fallback, String.fromCharCode(97 + at), `w${at}`)
    const abort = new AbortController()
    const lock = primary.replay.lock.bind(primary.replay)
    const aborting = {
      ...primary,
      replay: {
        ...primary.replay,
        lock: async (...given: Parameters<typeof lock>) => {
          abort.abort(new Error('enough'))
          return await lock(...given)
        },
      },
    }
    await assert.rejects(scene.replayer().carry(fallback, aborting, 0, abort.signal), /enough/)
    assert.deepEqual(await scene.words(), {})
    assert.equal(fallback.journal.counts().entries, 20)
    await scene.replayer().carry(fallback, primary, 5, never)
    assert.equal(Object.keys(await scene.words()).length, 20)
  })

  test('a tail may be left, and progress is told', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = [await scene.primary(), await scene.fallback()]
    await insert(fallback, 'a', 'a')
    await scene.replayer().carry(fallback, primary, 1, never)
    assert.deepEqual(await scene.words(), {})
    const told: (readonly number[])[] = []
    await scene.replayer().carry(fallback, primary, 0, never, (done, left) => told.push([done, left]))
    assert.deepEqual(told, [[1, 0]])
  })
})

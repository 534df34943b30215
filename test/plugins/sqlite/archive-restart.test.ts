import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import { Cutter } from '../../../plugins/sqlite/archive/cutter.ts'
import { ReadMark } from '../../../plugins/sqlite/archive/marks.ts'
import { placeAtStart } from '../../../plugins/sqlite/archive/place.ts'
import { Restart } from '../../../plugins/sqlite/archive/restart.ts'
import { WalFile } from '../../../plugins/sqlite/archive/wal-file.ts'
import { Writer } from '../../../plugins/sqlite/writer.ts'
import { tempFolder } from './bench.ts'

/** Nothing is to be cut. */
const nothing = { cutMost: async () => 0, cutRest: async () => {}, isEmptied: false }

test('a commit of another process just before the WAL is emptied is noticed', async (t) => {
  for (const moment of ['before', 'never'] as const) {
    const path = join(await tempFolder(t), 'x.db')
    const other = new Database(path)
    other.pragma('journal_mode = wal')
    other.exec('create table thing (id integer primary key)')
    const commit = (): void => void other.exec('insert into thing default values')
    /** Another process that has its turn within the burst. */
    class Watched extends ReadMark {
      override release(): void {
        super.release()
        if (moment === 'before') commit()
      }
    }
    const mark = new Watched(path)
    const writer = new Writer(() => {})
    const restart = new Restart({ path, writer, limitMs: 1_000, mark })
    t.after(async () => {
      await restart.end()
      restart.close()
      mark.close()
      other.close()
    })
    const outcome = await restart.run({ ...nothing, isEmptied: true })
    const isForeign = moment === 'before'
    assert.deepEqual(outcome, { isCarried: !isForeign, isRestarted: !isForeign, isForeign }, moment)
    assert.equal(mark.frames(), 0)
    assert.notEqual(writer.tryTake('a test'), null)
  }
})

test('a restart waits neither for a foreign writer nor for a foreign checkpoint', async (t) => {
  const path = join(await tempFolder(t), 'x.db')
  const other = new Database(path)
  other.pragma('journal_mode = wal')
  other.exec('create table thing (id integer primary key); begin immediate; insert into thing default values')
  const mark = new ReadMark(path)
  const writer = new Writer(() => {})
  const restart = new Restart({ path, writer, limitMs: 1_000, mark })
  t.after(async () => {
    await restart.end()
    restart.close()
    mark.close()
    other.close()
  })
  let isCalled = false
  const outcome = await restart.run({
    ...nothing,
    async cutRest() {
      isCalled = true
    },
  })
  assert.deepEqual(outcome, { isCarried: false, isRestarted: false, isForeign: false })
  assert.equal(isCalled, false)
  other.exec('commit')
  assert.equal((await restart.run(nothing)).isRestarted, true)
})

test('after a restart that was given up, the WAL does not begin again over what is not cut yet', async (t) => {
  const path = join(await tempFolder(t), 'x.db')
  const other = new Database(path)
  other.pragma('journal_mode = wal')
  other.exec('create table thing (id integer primary key)')
  const mark = new ReadMark(path)
  const writer = new Writer(() => {})
  const restart = new Restart({ path, writer, limitMs: 1_000, mark })
  t.after(async () => {
    await restart.end()
    restart.close()
    mark.close()
    other.close()
  })
  other.exec('begin immediate')
  assert.equal((await restart.run(nothing)).isRestarted, false)
  other.exec('commit')
  const frames = mark.frames()
  assert.ok(frames > 0 && mark.isCarried())
  await restart.run({
    ...nothing,
    async cutMost() {
      other.exec('insert into thing default values')
      assert.equal(mark.frames(), frames + 1)
      return 0
    },
  })
})

test('a WAL that was to begin again, and could not be written, is no gap behind what was carried', async (t) => {
  const path = join(await tempFolder(t), 'x.db')
  const other = new Database(path)
  t.after(() => other.close())
  other.pragma('journal_mode = wal')
  other.exec('create table thing (id integer primary key)')
  const wal = new WalFile(path)
  t.after(() => wal.close())
  const cutter = new Cutter(wal, { ...placeAtStart, isCarried: false })
  assert.ok(await cutter.cut(2, 1_048_576))
  await assert.rejects(cutter.cut(0, 1_048_576), { message: /archived/ })
  cutter.carried()
  assert.equal(await cutter.cut(0, 1_048_576), null)
})

for (const [what, committed, rounds] of [
  ['becomes less', [8_000, 3_000, 500], 3],
  ['does not become less', [3_000, 3_000, 3_000], 2],
] as const) {
  test(`what is committed while most is cut is cut, too, before writers have to wait, as it ${what}`, async (t) => {
    const path = join(await tempFolder(t), 'x.db')
    const other = new Database(path)
    other.pragma('journal_mode = wal')
    other.pragma('wal_autocheckpoint = 0')
    other.exec('create table thing (id integer primary key, note text)')
    const insert = other.prepare('insert into thing (note) values (?)')
    const mark = new ReadMark(path)
    const writer = new Writer(() => {})
    const restart = new Restart({ path, writer, limitMs: 1_000, mark })
    t.after(async () => {
      await restart.end()
      restart.close()
      mark.close()
      other.close()
    })
    let calls = 0
    const outcome = await restart.run({
      isEmptied: false,
      async cutMost() {
        const permit = writer.tryTake('a test')
        assert.notEqual(permit, null)
        permit?.release()
        const before = mark.frames()
        insert.run('x'.repeat((committed[calls] ?? 0) * 4_096))
        calls += 1
        return mark.frames() - before
      },
      async cutRest() {
        assert.equal(writer.tryTake('a test'), null)
      },
    })
    assert.deepEqual([outcome.isRestarted, calls], [true, rounds])
  })
}

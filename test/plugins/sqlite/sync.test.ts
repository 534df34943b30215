import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { WalSync } from '../../../plugins/sqlite/sync.ts'
import type { FaultError } from '../../../src/driver/fault.ts'
import { until } from '../../support/until.ts'
import { faultOf, open, Thing, targetOf, tempFolder } from './bench.ts'

const real = fs.fdatasync

type Ended = (error: NodeJS.ErrnoException | null) => void

interface Disk {
  readonly file: string
  readonly sync: WalSync
  /** Waits for the next sync to be asked for; its result is the test's. */
  next(): Promise<Ended>
  /** The number of syncs that were asked for. */
  readonly asked: () => number
  /** Records which commits were answered, and how. */
  commit(name: string): void
  readonly answers: Record<string, FaultError | null>
}

/** A WAL whose syncs end when, and as, the test says. */
async function openDisk(t: TestContext): Promise<Disk> {
  const file = join(await tempFolder(t), 'x.db')
  for (const path of [file, `${file}-wal`]) fs.writeFileSync(path, '')
  const pending: Ended[] = []
  let [asked, taken] = [0, 0]
  fs.fdatasync = Object.assign((_descriptor: number, ended: Ended) => {
    asked = pending.push(ended)
  }, real)
  syncBuiltinESMExports()
  const sync = new WalSync(file, () => {})
  t.after(() => {
    fs.fdatasync = real
    syncBuiltinESMExports()
    sync.close()
  })
  const answers: Record<string, FaultError | null> = {}
  const commit = (name: string): void =>
    sync.after((error) => {
      answers[name] = error
    })
  const next = async (): Promise<Ended> => {
    const ended = await until(() => pending[taken], { what: 'a sync' })
    taken += 1
    return ended
  }
  return { file, sync, next, asked: () => asked, commit, answers }
}

/** The descriptors of this process on a file. */
function descriptorsOf(path: string): number {
  return fs.readdirSync('/proc/self/fd').filter((name) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${name}`) === path
    } catch {
      return false
    }
  }).length
}

test('one sync runs at a time, and answers only what was committed before it began', async (t) => {
  const { next, asked, commit, answers } = await openDisk(t)
  commit('a')
  const first = await next()
  commit('b')
  commit('c')
  assert.deepEqual([asked(), answers], [1, {}])
  first(null)
  assert.deepEqual([asked(), answers], [2, { a: null }])
  ;(await next())(null)
  assert.deepEqual([asked(), answers], [2, { a: null, b: null, c: null }])
})

test('after a failed sync nothing is answered as durable, whatever the next one would report', async (t) => {
  const { next, asked, commit, answers, sync } = await openDisk(t)
  commit('a')
  const first = await next()
  commit('b')
  first(Object.assign(new Error('EIO'), { code: 'EIO' }))
  commit('c')
  assert.equal(asked(), 1)
  assert.deepEqual(Object.keys(answers), ['a', 'b', 'c'])
  for (const error of [...Object.values(answers), sync.failure]) {
    assert.deepEqual([error?.fault.code, error?.fault.kind], ['SQLITE_SYNC_FAILED', 'unwritable'])
  }
  for (const error of Object.values(answers)) assert.equal(error?.fault.ambiguous, true, 'it may be on the disk')
  assert.equal(sync.failure?.fault.ambiguous, false, 'nothing is written that is refused beforehand')
})

test('a WAL that cannot be opened is a failed sync', async (t) => {
  const { file, commit, answers } = await openDisk(t)
  fs.rmSync(`${file}-wal`)
  commit('a')
  assert.equal(answers.a?.fault.code, 'SQLITE_SYNC_FAILED')
})

test('closing frees the descriptor, and while a sync runs as soon as that has ended', {
  skip: fs.existsSync('/proc/self/fd') ? false : 'the system does not show descriptors',
}, async (t) => {
  for (const isRunning of [false, true]) {
    const { file, sync, next, commit } = await openDisk(t)
    commit('a')
    const ended = await next()
    assert.equal(descriptorsOf(`${file}-wal`), 1)
    if (!isRunning) ended(null)
    sync.close()
    sync.close()
    if (isRunning) {
      assert.equal(descriptorsOf(`${file}-wal`), 1, 'closed under a sync, it might be that of another file by then')
      ended(null)
    }
    await until(() => descriptorsOf(`${file}-wal`) === 0, { what: 'the descriptor to be closed' })
  }
})

for (const sync of ['async', 'full'] as const) {
  for (const how of ['removed', 'replaced'] as const) {
    test(`a file that was ${how} under its connection takes no further write (${sync})`, async (t) => {
      const now = performance.now.bind(performance)
      let aheadMs = 0
      t.mock.method(performance, 'now', () => now() + aheadMs)
      const folder = await tempFolder(t)
      const file = join(folder, 'x.db')
      const { run, orm } = await open(t, targetOf('sqlite:x.db', { folders: [folder], sync }))
      let id = 0
      const write = (): Promise<unknown> => run.write('insert into thing (id, name) values (?, null)', [++id])
      // What was seen up to a tenth of a second ago counts.
      for (let looks = 0; looks < 2; looks += 1) {
        await write()
        aheadMs += 100
      }
      fs.renameSync(file, join(folder, 'away.db'))
      if (how === 'replaced') fs.copyFileSync(join(folder, 'away.db'), file)
      const code = async (work: Promise<unknown>): Promise<string> => (await faultOf(work)).code
      assert.equal(await code(write()), 'SQLITE_FILE_GONE')
      const inTransaction = orm.em.fork().transactional((em) => em.insert(Thing, { id: ++id, name: 'x' }))
      assert.equal(await code(inTransaction), 'SQLITE_FILE_GONE')
    })
  }
}

test('a lone write is synced here while the disk is fast, and by a thread again once it is slow', async (t) => {
  const { next, asked, sync } = await openDisk(t)
  const realHere = fs.fdatasyncSync
  let [here, takesMs, fails] = [0, 0, false]
  fs.fdatasyncSync = () => {
    here += 1
    for (const until = performance.now() + takesMs; performance.now() < until; );
    if (fails) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
  }
  syncBuiltinESMExports()
  t.after(() => {
    fs.fdatasyncSync = realHere
    syncBuiltinESMExports()
  })
  const answers: (FaultError | null)[] = []
  const commit = (isAlone: boolean): void => sync.after((error) => answers.push(error), isAlone)
  /** Commits until one is synced here. */
  const becomeFast = async (): Promise<number> => {
    for (let byThread = 0; byThread < 500; byThread += 1) {
      const before = here
      commit(true)
      if (here > before) return byThread
      ;(await next())(null)
    }
    throw new Error('No write was synced here.')
  }
  assert.ok((await becomeFast()) >= 1, 'the first sync of a disk that is not known')
  commit(false)
  commit(true)
  assert.equal(here, 1, 'a write that is not alone, and one while a sync runs')
  ;(await next())(null)
  ;(await next())(null)
  takesMs = 60
  await becomeFast()
  takesMs = 0
  const before = asked()
  assert.ok((await becomeFast()) >= 5, 'after a slow one')
  assert.ok(asked() >= before + 5)
  fails = true
  const answered = answers.length
  commit(true)
  commit(true)
  const codes = answers.slice(answered).map((error) => error?.fault.code)
  assert.deepEqual(codes, ['SQLITE_SYNC_FAILED', 'SQLITE_SYNC_FAILED'])
})

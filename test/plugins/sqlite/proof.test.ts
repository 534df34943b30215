import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import fs, { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Database from 'better-sqlite3'
import { openChecked } from '../../../plugins/sqlite/proof/checked.ts'
import { setAside } from '../../../plugins/sqlite/proof/prepare-file.ts'
import driver from '../../../plugins/sqlite/sqlite.ts'
import { count, faultOf, open, prove, subfolder, targetOf, tempFolder } from './bench.ts'

test('folders are made, and no probe is left behind', async (t) => {
  const folder = await tempFolder(t)
  const { facts } = await prove(targetOf('sqlite:///a/b/x.db', { folders: [join(folder, 'data')] }), 'write')
  assert.equal(facts.path, join(folder, 'data/a/b/x.db'))
  assert.deepEqual(await readdir(dirname(facts.path ?? '')), ['x.db'])
  assert.deepEqual(facts.problems, [])
})

for (const [what, bytes] of [
  ['a file that is no database', Buffer.from('this is a text file, and a long enough one to be read '.repeat(50))],
  ['a file of random bytes', randomBytes(9_000)],
] as const) {
  test(`${what} is set aside in the fallback role, and left untouched in a primary`, async (t) => {
    const folder = await tempFolder(t)
    const file = join(folder, 'x.db')
    await writeFile(file, bytes)
    const primary = targetOf('sqlite:x.db', { folders: [folder] })
    assert.equal((await faultOf(prove(primary))).kind, 'corrupt')
    assert.deepEqual(await readdir(folder), ['x.db'])
    assert.deepEqual(await readFile(file), bytes)

    const fallback = targetOf('sqlite:x.db', { folders: [folder], role: 'fallback' })
    const looked = await driver.inspect?.(fallback)
    assert.deepEqual(
      looked?.problems.map(({ code }) => code),
      ['SQLITE_NOT_A_DATABASE'],
    )
    assert.equal(looked?.path, file)
    const { facts } = await prove(fallback, 'write')
    const [problem] = facts.problems
    const aside = (await readdir(folder)).find((name) => name.startsWith('x.db.damaged-'))
    assert.equal(problem?.code, 'SQLITE_SET_ASIDE')
    assert.ok(aside && problem.message.includes(aside))
    assert.deepEqual(await readFile(join(folder, aside)), bytes)
  })
}

test('a database smashed in the middle is found by looking through it, and set aside with what it held', async (t) => {
  const folder = await tempFolder(t)
  const target = targetOf('sqlite:x.db', { folders: [folder], role: 'fallback' })
  const store = await open(t, target)
  await store.run.write(
    "insert into thing with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) select i, 'name ' || i from n",
    [],
  )
  await store.close()
  const bytes = await readFile(join(folder, 'x.db'))
  bytes.fill(0x5a, 8_192, 20_480)
  await writeFile(join(folder, 'x.db'), bytes)
  const again = await open(t, target)
  assert.deepEqual(
    again.facts.problems.map(({ code }) => code),
    ['SQLITE_SET_ASIDE'],
  )
  assert.equal(await count(again.run), 0)
})

/** A database of about 40 MB. */
async function largeFile(t: TestContext): Promise<{ folder: string; file: string }> {
  const folder = await tempFolder(t)
  const file = join(folder, 'x.db')
  const made = new Database(file)
  made.exec(`create table big (id integer primary key, bytes blob);
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 40) insert into big select i, zeroblob(1000000) from n`)
  made.close()
  return { folder, file }
}

/** Counts the threads that start during a test. */
function countThreads(t: TestContext): () => number {
  let started = 0
  const count = (): void => {
    started += 1
  }
  process.on('worker', count)
  t.after(() => process.off('worker', count))
  return () => started
}

test('a large file is looked through in a thread, a small one is not', async (t) => {
  const threads = countThreads(t)
  const small = targetOf('sqlite:x.db', { folders: [await tempFolder(t)] })
  await prove(small)
  await prove(small)
  assert.equal(threads(), 0)
  const { folder, file } = await largeFile(t)
  // Synced by SQLite itself: on a slow disk a thread that carries the WAL would be counted, too.
  const target = targetOf('sqlite:x.db', { folders: [folder], role: 'fallback', sync: 'full' })
  const store = await open(t, target)
  assert.equal(threads(), 1)
  // Open, it is not looked through again.
  await prove(target)
  assert.equal(threads(), 1)
  await store.close()
  assert.deepEqual(await readdir(folder), ['x.db'])

  const bytes = await readFile(file)
  bytes.fill(0x5a, 4_096, 12_288)
  await writeFile(file, bytes)
  assert.equal((await faultOf(prove(targetOf('sqlite:x.db', { folders: [folder] })))).kind, 'corrupt')
  assert.equal(threads(), 2)
  const { facts } = await prove(target)
  assert.deepEqual(
    facts.problems.map(({ code }) => code),
    ['SQLITE_SET_ASIDE'],
  )
})

test('whoever waits for the check of a large file is freed by the signal, and the next one joins that check', async (t) => {
  const threads = countThreads(t)
  const { file } = await largeFile(t)
  const abort = new AbortController()
  const started = new Promise<void>((resolve) => process.once('worker', () => resolve()))
  const opening = openChecked(file, 'wal', null, abort.signal)
  await started
  abort.abort(new Error('on purpose'))
  await assert.rejects(opening, /on purpose/)
  const checked = await openChecked(file, 'wal', null, AbortSignal.timeout(10_000))
  checked.native.close()
  assert.equal(threads(), 1)
  // What has been joined is not kept: the next opening looks anew.
  const again = await openChecked(file, 'wal', null, AbortSignal.timeout(10_000))
  again.native.close()
  assert.equal(threads(), 2)
})

test('a process that only waits for the check of a large file lives until it ends', async (t) => {
  const { file } = await largeFile(t)
  const code = `const { openChecked } = await import(${JSON.stringify(new URL('../../../plugins/sqlite/proof/checked.ts', import.meta.url).href)})
    const { native } = await openChecked(${JSON.stringify(file)}, 'wal', null, AbortSignal.timeout(20_000))
    console.log(native.pragma('page_count', { simple: true }) > 9_000)
    native.close()`
  const args = ['--input-type=module', '-e', code]
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: import.meta.dirname })
  assert.deepEqual([stdout, status], ['true\n', 0])
})

test('a damaged file is set aside after its companions, so that no new file meets them', async (t) => {
  const folder = await tempFolder(t)
  for (const name of ['x.db', 'x.db-wal', 'x.db-shm']) await writeFile(join(folder, name), 'damaged')
  const real = fs.rename
  t.after(() => {
    fs.rename = real
    syncBuiltinESMExports()
  })
  const renamed: string[] = []
  fs.rename = async (from, to) => {
    renamed.push(basename(String(from)))
    await real(from, to)
  }
  syncBuiltinESMExports()
  const aside = basename(await setAside(join(folder, 'x.db')))
  assert.deepEqual(renamed, ['x.db-shm', 'x.db-wal', 'x.db'])
  assert.deepEqual((await readdir(folder)).sort(), [aside, `${aside}-shm`, `${aside}-wal`])
})

test('an empty file is used as new', async (t) => {
  const folder = await tempFolder(t)
  await writeFile(join(folder, 'x.db'), '')
  const { facts } = await prove(targetOf('sqlite:x.db', { folders: [folder] }), 'write')
  assert.deepEqual(facts.problems, [])
  assert.deepEqual(await readdir(folder), ['x.db'])
})

test('the database of somebody else is used as it is, and its mark is kept', async (t) => {
  const folder = await tempFolder(t)
  const other = new Database(join(folder, 'x.db'))
  other.exec('create table theirs (id integer); insert into theirs values (7); pragma application_id = 4242')
  other.close()
  const target = targetOf('sqlite:x.db', { folders: [folder], role: 'fallback' })
  const looked = await driver.inspect?.(target)
  const { facts } = await prove(target, 'write')
  for (const problems of [looked?.problems, facts.problems]) {
    assert.deepEqual(
      problems?.map(({ code }) => code),
      ['SQLITE_FOREIGN_FILE'],
    )
  }
  const again = new Database(join(folder, 'x.db'))
  assert.equal(again.pragma('application_id', { simple: true }), 4242)
  assert.deepEqual(again.prepare('select * from theirs').all(), [{ id: 7 }])
  again.close()
})

test('a place that cannot be used is passed over by the fallback, and is "unwritable" for a primary', async (t) => {
  const folder = await tempFolder(t)
  const blocked = join(folder, 'blocked')
  await writeFile(blocked, 'a file where a folder should be')
  const second = await subfolder(folder, 'second')
  const primary = targetOf('sqlite:x.db', { folders: [blocked] })
  assert.equal((await faultOf(prove(primary))).kind, 'unwritable')
  const looked = await driver.inspect?.(primary)
  assert.equal(looked?.problems[0]?.severity, 'error')
  const { facts } = await prove(targetOf('sqlite:x.db', { folders: [blocked, second], role: 'fallback' }))
  assert.equal(facts.path, join(second, 'x.db'))
  assert.deepEqual(
    facts.problems.map(({ code }) => code),
    ['SQLITE_OTHER_FILE'],
  )
})

test('a folder of somebody else is "unwritable"', {
  skip: process.getuid?.() === 0 && 'root may write all',
}, async (t) => {
  const folder = await tempFolder(t)
  await chmod(folder, 0o500)
  assert.equal((await faultOf(prove(targetOf('sqlite:x.db', { folders: [folder] })))).kind, 'unwritable')
  await chmod(folder, 0o700)
})

test('a pipe at the place of the file is not waited for, and is not called a folder', async (t) => {
  const folder = await tempFolder(t)
  assert.equal(spawnSync('mkfifo', [join(folder, 'x.db')]).status, 0)
  const target = targetOf('sqlite:x.db', { folders: [folder] })
  const fault = await faultOf(prove(target))
  assert.deepEqual([fault.kind, fault.code], ['unwritable', 'SQLITE_NOT_A_FILE'])
  assert.match(fault.hint, /a pipe/)
  const [problem] = (await driver.inspect?.(target))?.problems ?? []
  assert.equal(problem?.code, 'SQLITE_NOT_A_FILE')
  assert.doesNotMatch(`${fault.summary} ${fault.hint} ${problem?.message}`, /folder/)
})

test('a folder at the place of the file is "unwritable"', async (t) => {
  const folder = await tempFolder(t)
  await mkdir(join(folder, 'x.db'))
  const target = targetOf('sqlite:x.db', { folders: [folder] })
  const fault = await faultOf(prove(target))
  assert.deepEqual([fault.kind, fault.code], ['unwritable', 'SQLITE_NOT_A_FILE'])
  assert.deepEqual(
    (await driver.inspect?.(target))?.problems.map(({ code }) => code),
    ['SQLITE_NOT_A_FILE'],
  )
})

test('a symbolic link that climbs out is refused, and nothing is made behind it', async (t) => {
  const folder = await tempFolder(t)
  const inside = await subfolder(folder, 'inside')
  const outside = await subfolder(folder, 'outside')
  await symlink(outside, join(inside, 'link'))
  for (const text of ['sqlite:link/x.db', 'sqlite:link/new/x.db']) {
    assert.equal((await faultOf(prove(targetOf(text, { folders: [inside] })))).code, 'ADDRESS_PATH_OUTSIDE')
  }
  await writeFile(join(outside, 'real.db'), '')
  await symlink(join(outside, 'real.db'), join(inside, 'x.db'))
  assert.equal((await faultOf(prove(targetOf('sqlite:x.db', { folders: [inside] })))).code, 'ADDRESS_PATH_OUTSIDE')
  assert.deepEqual(await readdir(outside), ['real.db'])
})

test('a database in memory is removed at its close, with all that was made for it', async (t) => {
  const store = await open(t, targetOf('sqlite::memory:'))
  await store.run.write('insert into thing values (1, ?)', ['a'])
  assert.equal(await count(store.run), 1)
  assert.ok(store.facts.ephemeral)
  const folder = dirname(store.facts.path ?? '')
  assert.ok((await stat(folder)).isDirectory())
  await store.close()
  await assert.rejects(stat(folder))
})

test('a database in memory removes what killed processes left, and nothing of others', async (t) => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  const name = (pid: number): string => join(tmpdir(), `holdfast-memory-${pid}-${randomUUID()}`)
  // Our own number, but not our folder: in a container each first process has the same.
  const [old, fresh] = [name(process.pid), name(process.pid)]
  const leftovers = [name(dead), old]
  const others = [fresh, name(process.ppid), name(1), join(tmpdir(), `holdfast-memory-${dead}-kept-${randomUUID()}`)]
  const goal = await tempFolder(t)
  const link = name(dead)
  t.after(() => Promise.all([...leftovers, ...others, link].map((path) => rm(path, { recursive: true, force: true }))))
  for (const path of [...leftovers, ...others]) {
    await mkdir(path)
    await writeFile(join(path, 'memory.db'), 'x')
  }
  await utimes(old, 1, 1)
  await symlink(goal, link)
  const first = await open(t, targetOf('sqlite::memory:'))
  const second = await open(t, targetOf('sqlite::memory:'))
  for (const path of leftovers) await assert.rejects(stat(path), { code: 'ENOENT' })
  for (const path of [...others, link, goal]) await stat(path)
  for (const { run } of [first, second]) await run.write('insert into thing values (1, ?)', ['a'])
})

test('what another user left in memory is not touched', {
  skip: process.getuid?.() !== 0 && 'only root may give a folder away',
}, async (t) => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  const path = join(tmpdir(), `holdfast-memory-${dead}-${randomUUID()}`)
  t.after(() => rm(path, { recursive: true, force: true }))
  await mkdir(path)
  await chown(path, 12_345, 12_345)
  await open(t, targetOf('sqlite::memory:'))
  await stat(path)
})

test('inspecting makes and changes nothing', async (t) => {
  const folder = await tempFolder(t)
  const looked = await driver.inspect?.(targetOf('sqlite:deep/x.db', { folders: [join(folder, 'data')] }))
  assert.deepEqual(looked, { problems: [], path: join(folder, 'data/deep/x.db') })
  assert.deepEqual(await readdir(folder), [])
})

test('a file locked by another process is waited for, then "transient"', async (t) => {
  const folder = await tempFolder(t)
  const target = targetOf('sqlite:x.db', { folders: [folder] })
  await prove(target)
  const other = new Database(join(folder, 'x.db'))
  other.exec('pragma locking_mode = exclusive; begin exclusive; create table held (id integer); commit')
  const startedAt = performance.now()
  const fault = await faultOf(
    prove(target, 'open', { connectMs: 300, queryMs: 100, transactionMs: 100, poolSize: 1, poolMaxOverflow: 0 }),
  )
  assert.ok(['transient', 'lost'].includes(fault.kind), fault.kind)
  assert.ok(performance.now() - startedAt < 3_000)
  other.close()
  await prove(target, 'write')
})

test('another writer that is busy is no failure of a proof', async (t) => {
  const folder = await tempFolder(t)
  const target = targetOf('sqlite:x.db', { folders: [folder] })
  await prove(target)
  const other = new Database(join(folder, 'x.db'))
  other.exec('begin immediate')
  await prove(target, 'write')
  other.close()
})

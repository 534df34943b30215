import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import { copyFile, mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { Checkpointer } from '../../../plugins/sqlite/checkpoint.ts'
import { count, faultOf, limits, open, prove, subfolder, Thing, targetOf, tempFolder } from './bench.ts'

const insert = 'insert into thing (id, name) values (?, ?)'
const writerFile = fileURLToPath(new URL('writer-process.ts', import.meta.url))

/** A process that writes to the file and prints each id once it was answered. */
function spawnWriter(
  t: TestContext,
  folder: string,
  first: number,
): { child: ChildProcess; answered: number[]; some: (n: number) => Promise<void> } {
  const child = spawn(process.execPath, [writerFile, folder, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const answered: number[] = []
  let rest = ''
  const waiting: { n: number; resolve: () => void }[] = []
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) answered.push(Number(line))
    for (const one of waiting) if (answered.length >= one.n) one.resolve()
  })
  const some = (n: number): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({ n, resolve })
      child.once('exit', () => reject(new Error('the writer ended')))
    })
  return { child, answered, some }
}

async function kill({ child }: { child: ChildProcess }): Promise<void> {
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await ended
}

test('a SIGKILL under writers loses no answered row, three times over, and damages nothing', async (t) => {
  const folder = await tempFolder(t)
  const answered: number[] = []
  for (let round = 0; round < 3; round += 1) {
    const writer = spawnWriter(t, folder, round * 1_000_000 + 1)
    await writer.some(300)
    await kill(writer)
    answered.push(...writer.answered)
  }
  const { run, facts } = await open(t, targetOf('sqlite:x.db', { folders: [folder] }))
  assert.deepEqual(facts.problems, [])
  const there = new Set((await run.read('select id from thing', [])).map(({ id }) => id))
  assert.deepEqual(
    answered.filter((id) => !there.has(id)),
    [],
  )
  assert.ok(answered.length >= 900)
  // Each transaction of the writers makes a pair: half of one would be a torn transaction.
  const torn = await run.read(
    'select count(*) as n from thing where id % 10 = 8 and not exists (select 1 from thing other where other.id = thing.id + 1)',
    [],
  )
  assert.deepEqual(torn, [{ n: 0 }])
})

test('two processes write one file: both wait for each other, and all that was answered is there', async (t) => {
  const folder = await tempFolder(t)
  const writer = spawnWriter(t, folder, 1_000_000)
  await writer.some(1)
  const { run, orm } = await open(t, targetOf('sqlite:x.db', { folders: [folder] }), { ...limits, queryMs: 10_000 })
  const own = Array.from({ length: 8 }, async (_, worker) => {
    for (let index = 0; index < 25; index += 1) {
      const id = worker * 1_000 + index
      if (index % 5 === 0) await orm.em.fork().transactional((em) => em.insert(Thing, { id, name: `own-${id}` }))
      else await run.write(insert, [id, `own-${id}`])
    }
  })
  await Promise.all(own)
  await writer.some(200)
  await kill(writer)
  const there = new Set((await run.read('select id from thing', [])).map(({ id }) => Number(id)))
  assert.equal([...there].filter((id) => id < 1_000_000).length, 200)
  assert.deepEqual(
    writer.answered.filter((id) => !there.has(id)),
    [],
  )
})

/** Runs writers and keeps what a power cut leaves: of the WAL what it had when the last answered sync began, of files and folders those whose names were synced. */
async function cutPower(t: TestContext, isHonest: boolean): Promise<{ answered: number[]; kept: Set<unknown> }> {
  const home = await tempFolder(t)
  const folder = join(home, 'deep', 'data')
  const file = join(folder, 'x.db')
  const target = targetOf('sqlite:x.db', { folders: [folder], sync: 'async' })
  const real = { fdatasync: fs.fdatasync, fdatasyncSync: fs.fdatasyncSync, open: fs.promises.open }
  t.after(() => {
    fs.fdatasync = real.fdatasync
    fs.fdatasyncSync = real.fdatasyncSync
    fs.promises.open = real.open
    syncBuiltinESMExports()
  })
  let synced = Buffer.alloc(0)
  const named = new Map<string, readonly number[]>()
  const inodeOf = (path: string): number => fs.statSync(path).ino
  const isNamed = (path: string): boolean =>
    path === home || (named.get(dirname(path))?.includes(inodeOf(path)) === true && isNamed(dirname(path)))
  fs.promises.open = async (path, ...rest) => {
    const handle = await real.open(path, ...rest)
    const sync = handle.sync.bind(handle)
    handle.sync = async () => {
      const seen = (await handle.stat()).isDirectory()
        ? fs.readdirSync(String(path)).map((name) => inodeOf(join(String(path), name)))
        : []
      await sync()
      named.set(String(path), seen)
    }
    return handle
  }
  syncBuiltinESMExports()
  const made = await open(t, target)
  await made.close()
  const after = await subfolder(home, 'after')
  if (isNamed(file)) await copyFile(file, join(after, 'x.db'))
  fs.fdatasync = Object.assign((descriptor: number, done: (error: NodeJS.ErrnoException | null) => void) => {
    const bytes = fs.readFileSync(`${file}-wal`)
    const answer = (error: NodeJS.ErrnoException | null): void => {
      if (error === null && isHonest) synced = bytes
      done(error)
    }
    real.fdatasync(descriptor, answer)
  }, real.fdatasync)
  fs.fdatasyncSync = (descriptor) => {
    const bytes = fs.readFileSync(`${file}-wal`)
    real.fdatasyncSync(descriptor)
    if (isHonest) synced = bytes
  }
  syncBuiltinESMExports()
  const { run, orm } = await open(t, target)
  const answered: number[] = []
  const work = Array.from({ length: 12 }, async (_, worker) => {
    for (let index = 0; index < 8; index += 1) {
      const id = worker * 100 + index
      if (index % 4 === 0) await orm.em.fork().transactional((em) => em.insert(Thing, { id, name: `n-${id}` }))
      else if (index % 4 === 1) await orm.em.fork().insert(Thing, { id, name: `n-${id}` })
      else await run.write(insert, [id, `n-${id}`])
      answered.push(id)
    }
  })
  await Promise.race([Promise.all(work), ...work])
  const cut = { wal: synced, isNamed: isNamed(`${file}-wal`), answered: [...answered] }
  await Promise.all(work)
  if (cut.isNamed) await writeFile(join(after, 'x.db-wal'), cut.wal)
  const left = new Database(join(after, 'x.db'))
  const kept = new Set(left.prepare('select id from thing').pluck().all())
  left.close()
  return { answered: cut.answered, kept }
}

test('a power cut loses no answered row', async (t) => {
  const { answered, kept } = await cutPower(t, true)
  assert.ok(answered.length > 10)
  assert.deepEqual(
    answered.filter((id) => !kept.has(id)),
    [],
  )
})

test('the power cut of these tests does lose rows that were not synced', async (t) => {
  const { answered, kept } = await cutPower(t, false)
  assert.ok(answered.some((id) => !kept.has(id)))
})

test('on a slow disk the WAL is carried into the file by a thread, and nothing is lost', async (t) => {
  const folder = await tempFolder(t)
  const real = fs.fdatasync
  t.after(() => {
    fs.fdatasync = real
    syncBuiltinESMExports()
  })
  fs.fdatasync = Object.assign((descriptor: number, done: (error: NodeJS.ErrnoException | null) => void) => {
    setTimeout(() => real(descriptor, done), 20)
  }, real)
  syncBuiltinESMExports()
  const { run, close } = await open(t, targetOf('sqlite:x.db', { folders: [folder], sync: 'async' }))
  const sizeBefore = fs.statSync(join(folder, 'x.db')).size
  let id = 0
  const isCarried = async (): Promise<boolean> => {
    const [row] = await run.read('pragma wal_autocheckpoint', [])
    return row?.wal_autocheckpoint === 0 && fs.statSync(join(folder, 'x.db')).size > sizeBefore + 20_000
  }
  for (const until = performance.now() + 10_000; !(await isCarried()); id += 1) {
    assert.ok(performance.now() < until, 'no thread carried the WAL')
    await run.write(insert, [id, 'x'.repeat(2_000) + id])
  }
  assert.equal(await count(run), id)
  await close()
  assert.deepEqual(fs.readdirSync(folder), ['x.db'])
  const left = new Database(join(folder, 'x.db'))
  assert.equal(left.prepare('select count(*) from thing').pluck().get(), id)
  left.close()
})

test('once a thread carries the WAL it goes on when syncs are fast again, and the WAL stays short', async (t) => {
  const folder = await tempFolder(t)
  const real = fs.fdatasync
  const restore = (): void => {
    fs.fdatasync = real
    syncBuiltinESMExports()
  }
  t.after(restore)
  fs.fdatasync = Object.assign((descriptor: number, done: (error: NodeJS.ErrnoException | null) => void) => {
    setTimeout(() => real(descriptor, done), 20)
  }, real)
  syncBuiltinESMExports()
  // A thread that carries the WAL may hold a writer for as long as a busy machine keeps it from running.
  const patient = { ...limits, queryMs: 10_000 }
  const { run } = await open(t, targetOf('sqlite:x.db', { folders: [folder], sync: 'async' }), patient)
  let id = 0
  const write = (): Promise<unknown> => run.write(insert, [++id, 'x'.repeat(20_000) + id])
  const isCarried = async (): Promise<boolean> => {
    const [row] = await run.read('pragma wal_autocheckpoint', [])
    return row?.wal_autocheckpoint === 0
  }
  for (const until = performance.now() + 10_000; !(await isCarried()); ) {
    assert.ok(performance.now() < until, 'no thread carries the WAL')
    await write()
  }
  restore()
  // Four at a time: there is always somebody who writes. About 80 MB.
  const writer = async (): Promise<void> => {
    for (let index = 0; index < 1_000; index += 1) await write()
  }
  await Promise.all([writer(), writer(), writer(), writer()])
  const { size } = fs.statSync(join(folder, 'x.db-wal'))
  assert.ok(size < 100_000_000, `the WAL has ${size} bytes`)
  assert.equal(await count(run), id)
})

test('a thread that hangs is left, and SQLite carries the WAL by itself again', { timeout: 10_000 }, async () => {
  const told: boolean[] = []
  const { promise: lost, resolve } = Promise.withResolvers<void>()
  const tell = (isAutomatic: boolean): void => {
    told.push(isAutomatic)
    if (isAutomatic) resolve()
  }
  const code = `const { parentPort } = require('node:worker_threads')
    parentPort.on('message', () => { for (;;); })
    parentPort.postMessage('ready')`
  const checkpointer = new Checkpointer('/nowhere', tell, { code, runMs: 1_500 }) // A busy machine takes its time to start a thread, too.
  checkpointer.committed(false)
  assert.deepEqual(told, [])
  checkpointer.committed(true)
  // Its own timers do not keep the process.
  const alive = setInterval(() => {}, 1_000)
  await lost.finally(() => clearInterval(alive))
  assert.deepEqual(told, [false, true])
  checkpointer.committed(true)
  await checkpointer.end()
})

/** A small disk: a tmpfs where one may be mounted, else null. */
async function smallDisk(t: TestContext, megabytes: number): Promise<string | null> {
  const disk = await mkdtemp(join(tmpdir(), 'holdfast-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', disk], { stdio: 'ignore' })
  } catch {
    await rmdir(disk)
    return null
  }
  t.after(async () => {
    execFileSync('umount', ['-l', disk], { stdio: 'ignore' })
    await rmdir(disk)
  })
  return disk
}

test('a full disk answers reads, refuses writes with "disk-full", and recovers when there is space', async (t) => {
  const disk = await smallDisk(t, 2)
  if (disk === null) return t.skip('no small disk can be mounted here; the next test has a page limit instead')
  const target = targetOf('sqlite:x.db', { folders: [disk] })
  const { orm, run } = await open(t, target)
  await run.write(insert, [1, 'first'])
  const filler = join(disk, 'filler')
  await fillUp(filler)
  const fault = await failingWrite((id) => run.write(insert, [id, 'x'.repeat(3_000) + id]))
  assert.equal(fault.kind, 'disk-full')
  const flushed = orm.em.fork().transactional((em) => em.insert(Thing, { id: 9_999, name: 'y'.repeat(90_000) }))
  assert.equal((await faultOf(flushed)).kind, 'disk-full')
  assert.ok((await count(run)) >= 1)
  assert.equal((await faultOf(prove(target, 'write'))).kind, 'disk-full')
  await rm(filler)
  await run.write(insert, [20_000, 'after'])
  await orm.em.fork().insert(Thing, { id: 20_001, name: 'after too' })
  await prove(target, 'write')
})

test('a database that may not grow frees the writer after each refusal, and recovers', async (t) => {
  const { orm, run } = await open(t, targetOf('sqlite:x.db', { folders: [await tempFolder(t)] }))
  await orm.em.fork().execute('pragma max_page_count = 12')
  const fault = await failingWrite((id) => run.write(insert, [id, 'x'.repeat(3_000) + id]))
  assert.equal(fault.kind, 'disk-full')
  const together = await Promise.allSettled(
    [1, 2, 3].map((id) => run.write(insert, [900 + id, 'z'.repeat(60_000) + id])),
  )
  assert.ok(together.every(({ status }) => status === 'rejected'))
  for (let round = 0; round < 3; round += 1) {
    const em = orm.em.fork()
    em.create(Thing, { id: 9_999, name: 'y'.repeat(90_000) })
    assert.equal((await faultOf(em.flush())).kind, 'disk-full')
  }
  assert.ok((await count(run)) >= 1)
  await orm.em.fork().execute('pragma max_page_count = 100000')
  await run.write(insert, [20_000, 'after'])
  await orm.em.fork().insert(Thing, { id: 20_001, name: 'after too' })
})

async function failingWrite(write: (id: number) => Promise<unknown>): ReturnType<typeof faultOf> {
  for (let id = 100; id < 1_000; id += 1) {
    const failed = await write(id).then(
      () => null,
      (error: unknown) => ({ error }),
    )
    if (failed !== null) return faultOf(Promise.reject(failed.error))
  }
  throw new Error('The disk never became full.')
}

async function fillUp(file: string): Promise<void> {
  for (const size of [65_536, 4_096]) {
    for (;;) {
      try {
        await writeFile(file, Buffer.alloc(size), { flag: 'a' })
      } catch {
        break
      }
    }
  }
}

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import Database from 'better-sqlite3'
import driver from '../../../plugins/sqlite/sqlite.ts'
import type { SqliteTarget } from '../../../plugins/sqlite/target.ts'
import type { Problem } from '../../../src/config/problem.ts'
import type { Life } from '../../../src/driver/address.ts'
import type { Facts } from '../../../src/driver/driver.ts'
import { faultOf, limits, open, prove, type Store, targetOf, tempFolder } from './bench.ts'
import { openJournal } from './journal-store.ts'

const collection = 'create table if not exists note (id text primary key, holdfast_attempt text)'

function target(folder: string, life: Life): SqliteTarget {
  return targetOf('sqlite:rows.db', { folders: [folder], life })
}

/** Opens the file of a life, writes a row of a collection into it where it is local, and closes it. Gives what was found. */
async function use(t: TestContext, folder: string, life: Life, row?: string): Promise<Facts> {
  const store = await open(t, target(folder, life))
  if (row !== undefined) await insert(store, row)
  await store.close()
  return store.facts
}

async function insert({ orm, engine }: Store, id: string): Promise<void> {
  engine.journal()?.serve(true)
  await orm.em.fork().execute(collection)
  await orm.em.fork().execute(`insert into note (id) values ('${id}')`)
}

function nameOf({ path }: Facts): string {
  return path?.split('/').at(-1) ?? ''
}

function rowsLeft({ problems }: { readonly problems: readonly Problem[] }): readonly string[] {
  return problems.filter(({ code }) => code === 'ROWS_LOCAL').map(({ message }) => message)
}

test('a local file with rows never stands next to a primary: the file next to it does, and goes on to', async (t) => {
  const folder = await tempFolder(t)
  assert.equal(nameOf(await use(t, folder, 'local', 'kept')), 'rows.db')
  for (const round of ['first', 'second']) {
    const facts = await use(t, folder, 'fallback', round)
    assert.equal(nameOf(facts), 'rows.fallback.db')
    assert.equal(rowsLeft(facts).length, 1)
    assert.match(rowsLeft(facts)[0] ?? '', /rows\.db has 1 row /)
    assert.match(facts.problems.map(({ suggestion }) => suggestion).join(), /holdfast replay \S+rows\.db --all-rows/)
  }
  const again = await use(t, folder, 'local')
  assert.equal(nameOf(again), 'rows.db')
  assert.deepEqual(again.problems, [])
})

test('a file that stood next to a primary is not the local store, whose own rows are then named', async (t) => {
  const folder = await tempFolder(t)
  assert.equal(nameOf(await use(t, folder, 'fallback', 'carried')), 'rows.db')
  assert.equal(nameOf(await use(t, folder, 'local', 'a')), 'rows.local.db')
  assert.equal(nameOf(await use(t, folder, 'local', 'b')), 'rows.local.db')
  const facts = await use(t, folder, 'fallback')
  assert.equal(nameOf(facts), 'rows.db')
  assert.match(rowsLeft(facts)[0] ?? '', /rows\.local\.db has 2 rows /)
})

test('a file with rows from before files had lives counts as local, an empty one as new', async (t) => {
  const folder = await tempFolder(t)
  const old = new Database(join(folder, 'rows.db'))
  old.exec(collection)
  old.close()
  assert.equal(nameOf(await use(t, folder, 'fallback')), 'rows.db')
  const other = await tempFolder(t)
  const full = new Database(join(other, 'rows.db'))
  full.exec(`${collection}; insert into note (id) values ('old')`)
  full.close()
  assert.equal(nameOf(await use(t, other, 'fallback')), 'rows.fallback.db')
  assert.equal(nameOf(await use(t, other, 'local')), 'rows.db')
})

test('a fallback is found again although its configured file is gone, empty or damaged', async (t) => {
  const folder = await tempFolder(t)
  await use(t, folder, 'local', 'kept')
  await use(t, folder, 'fallback', 'waits')
  for (const content of ['', 'no database at all, but long enough to be looked at as one '.repeat(20)]) {
    await writeFile(join(folder, 'rows.db'), content)
    const facts = await use(t, folder, 'fallback')
    assert.equal(nameOf(facts), 'rows.fallback.db')
    assert.deepEqual(facts.problems, [], 'and what is there is left alone')
  }
})

test('looking at the files leaves nothing behind, and check names the one that would be used', async (t) => {
  const folder = await tempFolder(t)
  await use(t, folder, 'local', 'kept')
  const before = await readdir(folder)
  const seen = await driver.inspect?.(target(folder, 'fallback'))
  assert.equal(seen?.path, join(folder, 'rows.fallback.db'))
  assert.equal(rowsLeft(seen ?? { problems: [] }).length, 1)
  await driver.connect(target(folder, 'fallback'), { ...limits })
  assert.deepEqual(await readdir(folder), before)
  assert.deepEqual(driver.embedded?.files(target(folder, 'fallback')), [
    join(folder, 'rows.db'),
    join(folder, 'rows.fallback.db'),
  ])
})

test('looking at a file that this process has open drops none of its locks', async (t) => {
  const folder = await tempFolder(t)
  const store = await open(t, target(folder, 'local'))
  await insert(store, 'kept')
  await driver.connect(target(folder, 'fallback'), { ...limits })
  const wal = join(folder, 'rows.db-wal')
  const code = `const D = require('better-sqlite3'); const d = new D(process.argv[1]); console.log(d.prepare('select id from note').all().length); d.close()`
  const seen = execFileSync(process.execPath, ['-e', code, join(folder, 'rows.db')], { encoding: 'utf8' })
  assert.equal(seen.trim(), '1')
  assert.ok(existsSync(wal), 'the other process was not the last user')
})

test('rows that were carried are not named again until the file serves', async (t) => {
  const folder = await tempFolder(t)
  await use(t, folder, 'local', 'kept')
  const file = new Database(join(folder, 'rows.db'))
  file.exec('update holdfast_life set carried_at = 1')
  file.close()
  assert.deepEqual(rowsLeft(await use(t, folder, 'fallback')), [])
  // As a command opens it.
  await (await open(t, targetOf('sqlite:rows.db', { folders: [folder], life: 'named' }))).close()
  assert.deepEqual(rowsLeft(await use(t, folder, 'fallback')), [])
  await use(t, folder, 'local')
  assert.equal(rowsLeft(await use(t, folder, 'fallback')).length, 1)
})

test('counts no more rows than it names', async (t) => {
  const folder = await tempFolder(t)
  await use(t, folder, 'local', 'kept')
  const file = new Database(join(folder, 'rows.db'))
  const many = 'with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000) select i from n'
  file.exec(`insert into note (id) ${many}`)
  file.close()
  assert.match(rowsLeft(await use(t, folder, 'fallback'))[0] ?? '', /has more than 10000 rows /)
})

test('what waits for a primary is named while none is configured, whichever file has it', async (t) => {
  const left = ({ problems }: Facts): readonly string[] =>
    problems.filter(({ code }) => code === 'JOURNAL_LEFT').map(({ message }) => message)
  for (const name of ['x.db', 'x.fallback.db']) {
    const folder = await tempFolder(t)
    const local = targetOf('sqlite:x.db', { folders: [folder], life: 'local' })
    if (name !== 'x.db') {
      const store = await open(t, local)
      await insert(store, 'kept')
      await store.close()
    }
    const fallback = await openJournal(folder)
    await fallback.run.write("insert into note (id) values ('waits')", [])
    await fallback.close()
    const { facts } = await prove(local)
    assert.equal(left(facts).length, 1)
    assert.ok(left(facts)[0]?.includes(`/${name} has 1 change for a primary`))
    const beside = await prove(targetOf('sqlite:x.db', { folders: [folder], life: 'fallback' }))
    assert.deepEqual(left(beside.facts), [])
  }
})

test('a file of a later release is left alone', async (t) => {
  const folder = await tempFolder(t)
  await use(t, folder, 'fallback')
  const file = new Database(join(folder, 'rows.db'))
  file.exec('update holdfast_life set format = 99')
  file.close()
  const fault = await faultOf(prove(target(folder, 'fallback')))
  assert.deepEqual([fault.kind, fault.code], ['configuration', 'FORMAT_NEWER'])
})

test('a file that stood next to a primary is not taken for one', async (t) => {
  const folder = await tempFolder(t)
  await use(t, folder, 'fallback')
  const fault = await faultOf(prove(targetOf('sqlite:rows.db', { folders: [folder] })))
  assert.deepEqual([fault.kind, fault.code], ['configuration', 'SQLITE_OTHER_LIFE'])
})

test('a damaged fallback is named with the command that carries what it has', async (t) => {
  const folder = await tempFolder(t)
  await use(t, folder, 'fallback')
  await writeFile(join(folder, 'rows.db'), 'no database '.repeat(100))
  const { problems } = await use(t, folder, 'fallback')
  const aside = (await readdir(folder)).find((name) => name.includes('.damaged-'))
  assert.ok(aside)
  assert.deepEqual(
    problems.map(({ code, suggestion }) => [code, suggestion.includes(`holdfast replay ${join(folder, aside)}`)]),
    [['SQLITE_SET_ASIDE', true]],
  )
})

test('a file that a person named is used for what it says of itself, damaged or not, and never moved', async (t) => {
  const folder = await tempFolder(t)
  const named = (name: string): SqliteTarget => targetOf(`sqlite:${name}`, { folders: [folder], life: 'named' })
  await use(t, folder, 'local', 'kept')
  await use(t, folder, 'fallback', 'waits')
  const local = await open(t, named('rows.db'))
  assert.deepEqual([local.engine.journal(), local.engine.localRows()?.fileId.length], [null, 36])
  const fallback = await open(t, named('rows.fallback.db'))
  assert.equal(fallback.engine.localRows(), null)
  assert.equal(fallback.engine.journal()?.counts().entries, 0)
  await fallback.close()
  const file = join(folder, 'rows.fallback.db')
  const damaged = new Database(file)
  damaged.exec(
    "create table junk (a text); insert into junk select hex(randomblob(2000)) from json_each('[1,2,3,4,5,6,7,8,9]')",
  )
  const page = Number(damaged.prepare("select rootpage from sqlite_master where name = 'junk'").pluck().get())
  damaged.close()
  const bytes = await readFile(file)
  await writeFile(file, bytes.fill(0xff, (page - 1) * 4096, page * 4096))
  assert.equal((await open(t, named('rows.fallback.db'))).engine.journal()?.counts().entries, 0)
  assert.equal((await faultOf(prove(named('missing.db')))).kind, 'unwritable')
  assert.deepEqual(
    (await readdir(folder)).filter((name) => /damaged|missing/.test(name)),
    [],
  )
})

test("a person's mistake changes nothing: a file of another application is refused as it is", async (t) => {
  const folder = await tempFolder(t)
  const file = join(folder, 'theirs.db')
  const theirs = new Database(file)
  theirs.exec('create table note (id text primary key, word text)')
  theirs.close()
  await writeFile(join(folder, 'empty.db'), '')
  const bytes = await readFile(file)
  for (const name of ['theirs.db', 'empty.db']) {
    const fault = await faultOf(prove(targetOf(`sqlite:${name}`, { folders: [folder], life: 'named' })))
    assert.deepEqual([fault.kind, fault.code], ['unwritable', 'SQLITE_NOT_OURS'], name)
  }
  assert.deepEqual(await readFile(file), bytes)
  assert.deepEqual((await readdir(folder)).sort(), ['empty.db', 'theirs.db'])
})

test('a link to a file is that file: it is synced, and one process has it under both names', async (t) => {
  const folder = await tempFolder(t)
  await use(t, folder, 'fallback')
  await symlink('rows.db', join(folder, 'link.db'))
  const linked = await open(t, targetOf('sqlite:link.db', { folders: [folder], life: 'fallback' }))
  await insert(linked, 'kept')
  await linked.run.write("insert into note (id) values ('synced')", [])
  assert.equal(nameOf(linked.facts), 'rows.db')
  assert.equal(existsSync(join(folder, 'rows.db.owner')), true)
  assert.equal(existsSync(join(folder, 'link.db.owner')), false)
})

test('only the owner of a fallback reads its files, which hold rows of the primary', async (t) => {
  const folder = await tempFolder(t)
  const rightsOf = async (name: string) => ((await stat(join(folder, name))).mode & 0o777).toString(8)
  const made = await openJournal(folder)
  await made.run.write("insert into note (id) values ('a')", [])
  assert.deepEqual([await rightsOf('x.db'), await rightsOf('x.db-wal')], ['600', '600'])
  await made.close()
  await chmod(join(folder, 'x.db'), 0o644)
  const again = await openJournal(folder)
  await again.run.write("insert into note (id) values ('b')", [])
  assert.deepEqual([await rightsOf('x.db'), await rightsOf('x.db-wal')], ['600', '600'])
  await again.close()
})

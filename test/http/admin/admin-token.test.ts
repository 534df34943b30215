import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, chown, link, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Secret } from '../../../src/config/secret.ts'
import { ensureAdminToken } from '../../../src/http/admin/admin-token.ts'
import { makeTempDir } from '../../support/temp.ts'

const run = promisify(execFile)

/** Only root may give a file away. */
const cannotChown = process.getuid?.() === 0 ? false : 'only root can plant such a file'

test('a configured token is used, and nothing is written', async (t) => {
  const dir = await makeTempDir(t)
  const token = new Secret('mine')
  const found = await ensureAdminToken(dir, token)
  assert.deepEqual([found.token, found.source.from], [token, 'setting'])
  assert.deepEqual(await readdir(dir), [])
})

test('a token that can be guessed is used and named, without being told', async (t) => {
  const dir = await makeTempDir(t)
  const weak = await ensureAdminToken(dir, new Secret('fifteen-letters'))
  assert.deepEqual(
    weak.problems.map(({ code, severity }) => [code, severity]),
    [['ADMIN_TOKEN_WEAK', 'warning']],
  )
  assert.doesNotMatch(JSON.stringify(weak.problems), /fifteen/)
  assert.deepEqual((await ensureAdminToken(dir, new Secret('sixteen-letters-'))).problems, [])
  await writeFile(join(dir, 'admin-token'), 'password\n', { mode: 0o600 })
  const kept = await ensureAdminToken(dir, null)
  assert.deepEqual([kept.token.reveal(), kept.problems[0]?.code], ['password', 'ADMIN_TOKEN_WEAK'])
})

test('without one a token is drawn, kept readable by its owner only, and found again', async (t) => {
  const dir = join(await makeTempDir(t), 'made', 'on', 'the', 'way')
  const first = await ensureAdminToken(dir, null)
  const path = join(dir, 'admin-token')
  assert.deepEqual(first.source, { from: 'file', path, fresh: true })
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.equal((await readFile(path, 'utf8')).trim(), first.token.reveal())
  assert.ok(first.token.reveal().length >= 32)
  assert.deepEqual(await readdir(dir), ['admin-token'])
  const second = await ensureAdminToken(dir, null)
  assert.equal(second.token.reveal(), first.token.reveal())
  assert.deepEqual(second.source, { from: 'file', path, fresh: false })
  assert.deepEqual([first.problems, second.problems], [[], []])
})

test('processes that start together end with the same token', async (t) => {
  const dir = await makeTempDir(t)
  const code = `import { ensureAdminToken } from ${JSON.stringify(new URL('../../../src/http/admin/admin-token.ts', import.meta.url).href)}
    const all = await Promise.all(Array.from({ length: 5 }, () => ensureAdminToken(process.argv[1], null)))
    for (const one of all) console.log(one.token.reveal(), one.problems.length)`
  const runs = Array.from({ length: 4 }, () => run(process.execPath, ['--input-type=module', '-e', code, dir]))
  const lines = (await Promise.all(runs)).flatMap(({ stdout }) => stdout.trim().split('\n'))
  assert.equal(lines.length, 20)
  assert.equal(new Set(lines).size, 1)
  assert.deepEqual(await readdir(dir), ['admin-token'])
})

test('a file that others can read is used, tightened and named', async (t) => {
  const dir = await makeTempDir(t)
  const path = join(dir, 'admin-token')
  await writeFile(path, 'a-token-of-a-person\n')
  await chmod(path, 0o644)
  const found = await ensureAdminToken(dir, null)
  assert.equal(found.token.reveal(), 'a-token-of-a-person')
  assert.equal(found.problems[0]?.code, 'ADMIN_TOKEN_READABLE')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
})

/** A file that holds what could be a token. */
async function planted(path: string, change: () => Promise<unknown>): Promise<void> {
  await writeFile(path, 'a-token-of-a-stranger\n')
  await change()
}

test('a file of another user is no token, though it could be read', { skip: cannotChown }, async (t) => {
  const dir = await makeTempDir(t)
  await planted(join(dir, 'admin-token'), () => chown(join(dir, 'admin-token'), 4_711, 4_711))
  const found = await ensureAdminToken(dir, null)
  assert.equal(found.source.from, 'memory')
  assert.match(found.problems[0]?.message ?? '', /another user owns it/)
})

test('an unusable token file is left alone, and admin endpoints stay locked', async (t) => {
  const elsewhere = await makeTempDir(t)
  const cases: readonly (readonly [string, (path: string) => Promise<unknown>])[] = [
    ['an empty file', (path) => writeFile(path, '')],
    ['a short one', (path) => writeFile(path, 'abc')],
    ['two lines', (path) => writeFile(path, 'first-line\nsecond-line\n')],
    ['bytes', (path) => writeFile(path, Buffer.from([0, 255, 1, 2, 3, 4, 5, 6, 7, 8]))],
    ['a large file', (path) => writeFile(path, 'x'.repeat(5_000))],
    ['a directory', (path) => mkdir(path)],
    ['a pipe', (path) => run('mkfifo', [path])],
    ['a file that its group may write', (path) => planted(path, () => chmod(path, 0o660))],
    ['a file that all may write', (path) => planted(path, () => chmod(path, 0o646))],
    ['a file with a second name', (path) => planted(path, () => link(path, join(elsewhere, 'its-second-name')))],
    ['a link to a secret', (path) => symlink('/etc/hostname', path)],
    ['a link to nothing', (path) => symlink('/nowhere/at/all', path)],
  ]
  await Promise.all(
    cases.map(async ([what, make]) => {
      const dir = await makeTempDir(t)
      await make(join(dir, 'admin-token'))
      const found = await ensureAdminToken(dir, null)
      assert.equal(found.source.from, 'memory', what)
      assert.equal(found.problems[0]?.code, 'ADMIN_TOKEN_UNUSABLE', what)
      assert.ok(found.token.reveal().length >= 32, what)
      assert.deepEqual(await readdir(dir), ['admin-token'], what)
    }),
  )
})

test('a directory that cannot be made leaves a token in memory and a problem', async (t) => {
  const file = join(await makeTempDir(t), 'file')
  await writeFile(file, '')
  const found = await ensureAdminToken(join(file, 'data'), null)
  assert.equal(found.source.from, 'memory')
  assert.match(found.problems[0]?.message ?? '', /Admin endpoints stay locked/)
})

import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, rmdir, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { chooseDataDirectory, dataFolders, temporaryFolder } from '../../src/disk/data-directory.ts'
import { settingsFromOptions } from '../support/settings.ts'
import { giveTo, makeTempDir } from '../support/temp.ts'

const { settings } = settingsFromOptions({ data: { dir: 'rows' } })

const nobody = 65_534

/** A temporary directory of this test's own, so that the place in it is nobody else's. */
async function ownTmpdir(t: TestContext): Promise<string> {
  const dir = await makeTempDir(t, 'places')
  const before = process.env.TMPDIR
  process.env.TMPDIR = dir
  t.after(() => {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  })
  return dir
}

test('the places are DATA_DIR, ./data and a folder of our own in the temporary directory, without doubles', () => {
  assert.deepEqual(dataFolders(settings, '/app'), ['/app/rows', '/app/data', temporaryFolder()])
  assert.deepEqual(dataFolders(settingsFromOptions({}).settings, '/app'), ['/app/data', temporaryFolder()])
  assert.ok(temporaryFolder().startsWith(tmpdir()))
})

test('the first place is made, folders above it included, and left empty', async (t) => {
  const place = join(await makeTempDir(t, 'places'), 'a', 'b')
  assert.deepEqual(await chooseDataDirectory([place]), { path: place, problems: [] })
  assert.deepEqual(await readdir(place), [])
})

test('a place that is a file, below a file, in /proc or a dangling link is passed over with a warning that says why', async (t) => {
  const dir = await makeTempDir(t, 'places')
  await writeFile(join(dir, 'file'), '')
  await symlink(join(dir, 'nowhere'), join(dir, 'link'))
  const bad = [join(dir, 'file'), join(dir, 'file', 'below'), '/proc/holdfast/data', join(dir, 'link')]
  const good = join(dir, 'good')
  const { path, problems } = await chooseDataDirectory([...bad, good])
  assert.equal(path, good)
  assert.deepEqual(
    problems.map(({ code, severity }) => `${code} ${severity}`),
    bad.map(() => 'DATA_DIR_UNUSABLE error'),
  )
  for (const [index, place] of bad.entries()) {
    assert.ok(problems[index]?.message.includes(place) && problems[index].message.includes(good))
  }
  assert.deepEqual((await readdir(dir)).sort(), ['file', 'good', 'link'])
})

test('a place that may not be written is passed over', async (t) => {
  const dir = await makeTempDir(t, 'places')
  await mkdir(join(dir, 'closed'), { mode: 0o500 })
  await mkdir(join(dir, 'open'))
  if (process.getuid?.() === 0) {
    // Root may write anywhere, so it is somebody else for the moment.
    await giveTo(dir, nobody, nobody)
    process.seteuid?.(nobody)
    t.after(() => process.seteuid?.(0))
  }
  const { path, problems } = await chooseDataDirectory([join(dir, 'closed'), join(dir, 'open')])
  assert.equal(path, join(dir, 'open'))
  assert.match(problems[0]?.message ?? '', /is not writable/)
})

test('the place in the temporary directory is closed to all others, also when it was open', async (t) => {
  await ownTmpdir(t)
  await mkdir(temporaryFolder(), { mode: 0o755 })
  await chmod(temporaryFolder(), 0o777)
  const { path } = await chooseDataDirectory([temporaryFolder()])
  assert.equal(path, temporaryFolder())
  assert.equal((await stat(temporaryFolder())).mode & 0o777, 0o700)
  await rmdir(temporaryFolder())
})

test('a link that somebody put in its place is refused, and then there is nowhere to go: a problem, no throw', async (t) => {
  const dir = await ownTmpdir(t)
  await mkdir(join(dir, 'trap'))
  await symlink(join(dir, 'trap'), temporaryFolder())
  const { path, problems } = await chooseDataDirectory([temporaryFolder()])
  assert.equal(path, null)
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['DATA_DIR_UNAVAILABLE'],
  )
  assert.deepEqual(await readdir(join(dir, 'trap')), [])
})

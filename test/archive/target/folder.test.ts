import assert from 'node:assert/strict'
import {
  chmod,
  mkdir,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  link as systemsLink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { FolderTarget } from '../../../src/archive/target/folder.ts'
import { folderError } from '../../../src/archive/target/folder-fault.ts'
import { objectMaxBytes, TargetError } from '../../../src/archive/target/target.ts'
import { systemClock } from '../../../src/database/store/clock.ts'
import { makeTempDir } from '../../support/temp.ts'

const tools = { clock: systemClock, random: () => 0 }
const body = new TextEncoder().encode('the rows of one segment')

function withCode(code: string, syscall = 'open'): Error {
  return Object.assign(new Error(code), { code, syscall })
}

async function isMissing(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => error instanceof TargetError && error.kind === 'missing')
}

test('only the last folder of the path is made: a volume that is not mounted is not replaced', async (t) => {
  const dir = await makeTempDir(t, 'archive')
  const target = new FolderTarget({ ...tools, path: join(dir, 'volume', 'archive') })
  await isMissing(target.putNew('a', body))
  await isMissing(target.get('a'))
  await isMissing(target.list('').next())
  assert.deepEqual(await readdir(dir), [])
  await mkdir(join(dir, 'volume'))
  assert.equal(await target.get('a'), null)
  assert.deepEqual(await readdir(join(dir, 'volume')), [])
  assert.equal(await target.putNew('a', body), 'stored')
})

test('a folder that is gone while the process runs is an error, and not made again', async (t) => {
  const dir = await makeTempDir(t, 'archive')
  const path = join(dir, 'archive')
  const target = new FolderTarget({ ...tools, path })
  await target.putNew('s/1', body)
  await rm(path, { recursive: true })
  await mkdir(path)
  await isMissing(target.putNew('s/2', body))
  assert.deepEqual(await readdir(path), [])
})

test('a folder that goes away between the steps of one object is not made again', async (t) => {
  const dir = await makeTempDir(t, 'archive')
  const path = join(dir, 'archive')
  let isAway = false
  const link = async (from: string, to: string): Promise<void> => {
    if (!to.endsWith('s/2')) return await systemsLink(from, to)
    if (!isAway) await rename(path, join(dir, 'away'))
    isAway = true
    throw withCode('ENOENT', 'link')
  }
  const target = new FolderTarget({ ...tools, path, link })
  await target.putNew('s/1', body)
  await isMissing(target.putNew('s/2', body))
  assert.deepEqual(await readdir(dir), ['away'])
})

test('on a FUSE or network file system a folder does not fence', async (t) => {
  for (const fileSystem of ['fuse', 'fuse.hf-mount', 'nfs4', 'cifs', '9p']) {
    const path = await makeTempDir(t, 'archive')
    const target = new FolderTarget({ ...tools, path, fileSystemOf: async () => fileSystem })
    assert.equal(await target.putNew('s/1', body), 'stored')
    assert.equal(target.isFencing, false, fileSystem)
    assert.deepEqual(await target.get('s/1'), Buffer.from(body))
  }
})

test('where links are refused a folder does not fence, and any other fault of theirs is an error', async (t) => {
  const path = await makeTempDir(t, 'archive')
  const refusing = (code: string): FolderTarget =>
    new FolderTarget({ ...tools, path, link: () => Promise.reject(withCode(code, 'link')) })
  for (const code of ['EPERM', 'ENOTSUP', 'ENOSYS']) {
    const target = refusing(code)
    assert.equal(await target.putNew(`s/${code}`, body), 'stored')
    assert.equal(target.isFencing, false)
  }
  const target = refusing('EACCES')
  await assert.rejects(target.putNew('s/1', body), (error) => error instanceof TargetError && error.kind === 'auth')
  assert.equal(target.isFencing, null)
})

test('links that do not refuse a name that is taken are no fence', async (t) => {
  const path = await makeTempDir(t, 'archive')
  const target = new FolderTarget({ ...tools, path, link: async () => {} })
  await target.putNew('s/1', body)
  assert.equal(target.isFencing, false)
})

test('an object has its name when it is whole: what a killed process left is not listed, and removed after a day', async (t) => {
  const path = await makeTempDir(t, 'archive')
  await new FolderTarget({ ...tools, path }).putNew('s/1', body)
  const partial = join(path, '.partial')
  assert.deepEqual(await readdir(partial), [])
  const [old, fresh] = [join(partial, 'old'), join(partial, 'fresh')]
  for (const file of [old, fresh]) await writeFile(file, body)
  const yesterday = new Date(Date.now() - 25 * 3_600_000)
  await utimes(old, yesterday, yesterday)
  const target = new FolderTarget({ ...tools, path })
  const keys: string[] = []
  for await (const page of target.list('')) keys.push(...page.map(({ key }) => key))
  assert.deepEqual(keys, ['fence.txt', 's/1'])
  await target.put('s/2', body)
  assert.deepEqual(await readdir(partial), ['fresh'])
})

test('files and folders are for their owner alone', async (t) => {
  const path = join(await makeTempDir(t, 'archive'), 'made')
  await new FolderTarget({ ...tools, path }).putNew('s/1', body)
  assert.equal((await stat(path)).mode & 0o777, 0o700)
  assert.equal((await stat(join(path, 's'))).mode & 0o777, 0o700)
  assert.equal((await stat(join(path, 's/1'))).mode & 0o777, 0o600)
})

test('an empty file, a folder, a symbolic link and a far too large file give no bytes: their readers find them damaged', async (t) => {
  const path = await makeTempDir(t, 'archive')
  const target = new FolderTarget({ ...tools, path })
  await target.put('s/1', body)
  await writeFile(join(path, 's/2'), '')
  await writeFile(join(path, 's/3'), '')
  await truncate(join(path, 's/3'), objectMaxBytes + 1)
  // Listings leave it out; where it leads does not matter.
  await symlink('nowhere', join(path, 's/4'))
  for (const key of ['s', 's/2', 's/3', 's/4']) assert.equal((await target.get(key))?.length, 0)
})

test('each fault of a disk has its kind', () => {
  const kinds = { ENOSPC: 'full', EDQUOT: 'full', EACCES: 'auth', EROFS: 'auth', ENOENT: 'missing', ENOTDIR: 'missing' }
  const more = { ENOTCONN: 'unreachable', ESTALE: 'unreachable', EIO: 'busy', EISDIR: 'odd' }
  for (const [code, kind] of Object.entries({ ...kinds, ...more })) {
    const error = folderError('store an object', '/mnt/archive', withCode(code))
    assert.equal(error.kind, kind, code)
    assert.match(error.message, new RegExp(`/mnt/archive did not store an object: ${code}`))
  }
})

test('a folder that the user may not write to is an error with its owner', {
  skip: process.getuid?.() === 0,
}, async (t) => {
  const path = await makeTempDir(t, 'archive')
  await chmod(path, 0o500)
  const target = new FolderTarget({ ...tools, path })
  await assert.rejects(target.putNew('a', body), (error) => error instanceof TargetError && error.kind === 'auth')
})

test('a folder is kept by several processes: an empty one may be removed between its making and its first file', async (t) => {
  const path = await makeTempDir(t, 'archive')
  const targets = Array.from({ length: 4 }, () => new FolderTarget({ ...tools, path }))
  const rounds = targets.map(async (target, process) => {
    for (let round = 0; round < 25; round += 1) {
      await target.putNew(`e/p/${process}-${round}`, body)
      await target.remove(`e/p/${process}-${round}`)
    }
  })
  await Promise.all(rounds)
  assert.deepEqual((await readdir(path)).sort(), ['.partial', 'fence.txt'])
})

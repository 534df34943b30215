import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { ordinaryUid, type Service, startService } from '../../support/process.ts'
import { cleanLater, giveTo } from '../../support/temp.ts'
import { canMount } from '../mounts.ts'
import { bodyOf, makeHome } from '../sight.ts'

/** The status of an answer to a request with this token. */
async function statusWith(service: Service, token: string): Promise<number> {
  return (await service.fetch('/status', { headers: { 'holdfast-token': token } })).status
}

/** Starts without ADMIN_TOKEN, twice with the same folders; `between` changes the data directory. */
async function restart(t: TestContext, cwd: string, uid: number, between: () => Promise<unknown>) {
  const env = { DATA_DIR: 'rows' }
  const first = await startService(t, { cwd, env, uid })
  const token = readFileSync(join(cwd, 'rows/admin-token'), 'utf8').trim()
  assert.equal(await statusWith(first, token), 200)
  await first.end()
  await between()
  return { token, service: await startService(t, { cwd, env, uid, give: false }) }
}

describe('the admin token that Holdfast drew', { concurrency: 2 }, () => {
  test('is the same after a restart on a data directory that cannot be written any more', async (t) => {
    const cwd = await makeHome(t)
    const rows = join(cwd, 'rows')
    const { token, service } = await restart(t, cwd, ordinaryUid, () => chmod(rows, 0o555))
    assert.equal(await statusWith(service, token), 200, service.output())
    await chmod(rows, 0o755)
    const names = await readdir(cwd, { recursive: true })
    assert.deepEqual(
      names.filter((name) => name.endsWith('admin-token')),
      ['rows/admin-token'],
    )
  })

  test('is the same after a restart on a full disk', {
    skip: canMount ? false : 'only root can mount a small disk',
  }, async (t) => {
    const cwd = await makeHome(t)
    const rows = join(cwd, 'rows')
    await mkdir(rows)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'holdfast-test', rows])
    cleanLater(t, () => void execFileSync('umount', ['-l', rows]))
    await giveTo(rows, ordinaryUid, ordinaryUid)
    const fill = () => writeFile(join(rows, 'filler'), Buffer.alloc(1_048_576)).catch(() => undefined)
    const { token, service } = await restart(t, cwd, ordinaryUid, fill)
    assert.equal(await statusWith(service, token), 200, service.output())
  })

  test('is not replaced while its folder cannot be read: admin endpoints stay locked', async (t) => {
    const cwd = await makeHome(t)
    const rows = join(cwd, 'rows')
    const { token, service } = await restart(t, cwd, ordinaryUid, () => chmod(rows, 0o000))
    assert.equal(await statusWith(service, token), 401)
    assert.ok(
      service.log().some(({ code }) => code === 'ADMIN_TOKEN_UNUSABLE'),
      service.output(),
    )
    await service.end()
    await chmod(rows, 0o755)
    const again = await startService(t, { cwd, env: { DATA_DIR: 'rows' }, uid: ordinaryUid })
    assert.equal(await statusWith(again, token), 200)
  })

  test('is read where it was written, also when DATA_DIR can be used again', async (t) => {
    const cwd = await makeHome(t, { rows: 'in the way' })
    const env = { DATA_DIR: 'rows' }
    const first = await startService(t, { cwd, env })
    const token = readFileSync(join(cwd, 'data/admin-token'), 'utf8').trim()
    await first.end()
    const again = await startService(t, { cwd, env, files: { rows: null } })
    assert.equal(await statusWith(again, token), 200)
  })
})

test('a problem about the data directory ends when its cause does', async (t) => {
  const cwd = await makeHome(t, { rows: 'in the way' })
  const token = 'an-admin-token-for-tests'
  const service = await startService(t, { cwd, env: { DATA_DIR: 'rows', ADMIN_TOKEN: token } })
  const codes = async (): Promise<readonly string[]> => {
    const { problems } = await bodyOf(await service.fetch('/status', { headers: { 'holdfast-token': token } }))
    return problems.map(({ code }: { code: string }) => code).filter((code: string) => code !== 'ACCESS_PUBLIC')
  }
  assert.deepEqual(await codes(), ['DATA_DIR_UNUSABLE'])
  execFileSync('rm', [join(cwd, 'rows')])
  const reload = await service.send('POST', '/admin/reload', undefined, token)
  assert.equal(reload.status, 200)
  assert.deepEqual(await codes(), [])
  assert.ok(
    service.log().some(({ event, code }) => event === 'problem.ended' && code === 'DATA_DIR_UNUSABLE'),
    service.output(),
  )
})

import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startService } from '../../support/process.ts'

const token = 'an-admin-token-of-some-length'
const path = 'config/collections/notes.json'
const notes = JSON.stringify({ name: 'notes', fields: { text: { type: 'string' } } })

test('a collection whose file was removed is 404, and its rows are there when the file is back', async (t) => {
  const service = await startService(t, { files: { [path]: notes }, env: { ADMIN_TOKEN: token } })
  const get = (at: string) => service.fetch(at, { headers: { authorization: `Bearer ${token}` } })
  const reload = async () => assert.equal((await service.send('POST', '/admin/reload', undefined, token)).status, 200)
  const created = await service.send('POST', '/api/notes', { text: 'stays' }, token)
  assert.equal(created.status, 201)
  const row = await created.text()
  const address = created.headers.get('location') ?? ''
  await rm(join(service.dir, path))
  await reload()
  for (const at of ['/api/notes', address, '/api/notes/schema']) {
    const answer = await get(at)
    const { code } = (await answer.json()) as { code: string } // A problem, as each error is.
    assert.deepEqual([answer.status, code], [404, 'COLLECTION_NOT_FOUND'], at)
  }
  await writeFile(join(service.dir, path), notes)
  await reload()
  assert.equal(await (await get(address)).text(), row)
})

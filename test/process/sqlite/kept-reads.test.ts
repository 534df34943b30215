import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { applySettings, openNative } from '../../../plugins/sqlite/handle.ts'
import { type Service, startService } from '../../support/process.ts'
import { admin } from '../serving.ts'

interface Item {
  readonly id: string
  readonly comment: string
  readonly version: number
}

const env = { RATE_LIMIT: '0', LOG_REQUESTS: 'false', ADMIN_TOKEN: admin, DATABASE_URL: 'sqlite:///./kept.db' }

async function itemOf(answer: Response): Promise<Item> {
  const item = (await answer.json()) as Item // Of the collection that is served.
  return item
}

async function newest(service: Service): Promise<Item | undefined> {
  const answer = await service.fetch('/api/feedback?limit=1')
  const { items } = (await answer.json()) as { items: Item[] } // A page.
  return items[0]
}

async function removeRow(service: Service, id: string): Promise<number> {
  const headers = { authorization: `Bearer ${admin}` }
  return (await service.fetch(`/api/feedback/${id}`, { method: 'DELETE', headers })).status
}

/** Keeps some connections busy with reads, so that many requests share a turn, until `work` is done. */
async function amidReads(service: Service, path: string, work: () => Promise<void>): Promise<void> {
  let isOver = false
  const readers = Array.from({ length: 8 }, async () => {
    while (!isOver) assert.equal((await itemOf(await service.fetch(path))).id, path.split('/').pop())
  })
  try {
    await work()
  } finally {
    isOver = true
    await Promise.all(readers)
  }
}

test('a read shows every change that was answered before it, of this process or another', async (t) => {
  const service = await startService(t, { env })
  const made = await itemOf(await service.send('POST', '/api/feedback', { rating: 1, comment: 'first' }))
  const path = `/api/feedback/${made.id}`
  const other = openNative(join(service.dir, 'data/kept.db'), { mustExist: true })
  t.after(() => other.close())
  applySettings(other, { synchronous: 'normal' })
  other.pragma('busy_timeout = 5000')
  const update = other.prepare('update feedback set comment = ? where id = ?')
  await amidReads(service, path, async () => {
    for (let round = 0; round < 40; round += 1) {
      update.run(`other ${round}`, made.id)
      const [row, top] = await Promise.all([service.fetch(path).then(itemOf), newest(service)])
      assert.deepEqual([row.comment, top?.comment], [`other ${round}`, `other ${round}`])
      const changed = await itemOf(await service.send('PATCH', path, { comment: `own ${round}` }, admin))
      const [again, first] = await Promise.all([service.fetch(path).then(itemOf), newest(service)])
      assert.deepEqual([again, first], [changed, changed])
    }
  })
  const added = await itemOf(await service.send('POST', '/api/feedback', { rating: 2, comment: 'second' }))
  assert.deepEqual(await newest(service), added)
  assert.equal(await removeRow(service, added.id), 204)
  assert.equal((await service.fetch(`/api/feedback/${added.id}`)).status, 404)
  assert.equal((await newest(service))?.id, made.id)
  other.prepare('delete from feedback').run()
  assert.equal((await service.fetch(path)).status, 404)
  assert.equal(await newest(service), undefined)
})

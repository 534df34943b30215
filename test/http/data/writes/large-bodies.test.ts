import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { it } from 'node:test'
import { adminToken, onDatabases } from '../../../support/databases.ts'
import { until } from '../../../support/until.ts'

const items = { name: 'items', fields: { label: { type: 'string', maxLength: 40 } } }
const env = { HTTP_BODY_LIMIT: '1024', HTTP_BULK_LIMIT: '100000' }

const rows = (length: number): string => JSON.stringify(Array.from({ length }, () => ({ label: 'x'.repeat(30) })))

onDatabases('large bodies', { collections: [items], env, kinds: ['sqlite'] }, (api) => {
  /** A request whose body stays incomplete until it is ended. */
  const begin = (text: string) => {
    const { port } = api().service
    const headers = {
      authorization: `Bearer ${adminToken}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    }
    const sent = request({ port, host: '127.0.0.1', path: '/api/items', method: 'POST', headers, agent: false })
    sent.write(text.slice(0, -1))
    const answer = once(sent, 'response').then(([{ statusCode }]) => Number(statusCode))
    return { answer, end: () => sent.end(text.slice(-1)), abort: () => sent.destroy() }
  }

  it('are four at once; more are refused at once, small ones never', async () => {
    const { call } = api()
    const open = Array.from({ length: 4 }, () => begin(rows(500)))
    const isFull = async () => (await call('POST', '/api/items', { body: rows(500) })).status === 503
    await until(isFull, { withinMs: 30_000, what: 'four large bodies to be in progress' })
    const refused = await call('POST', '/api/items', { body: rows(500) })
    assert.deepEqual([refused.status, refused.json.code], [503, 'OVERLOADED'])
    assert.equal((await call('POST', '/api/items', { body: { label: 'small' } })).status, 201)
    for (const { end } of open) end()
    assert.deepEqual(await Promise.all(open.map(({ answer }) => answer)), [201, 201, 201, 201])
    assert.equal((await call('POST', '/api/items', { body: rows(500) })).status, 201)
  })

  it('that break off make room', async () => {
    const { call } = api()
    const open = Array.from({ length: 4 }, () => begin(rows(500)))
    const isFull = async () => (await call('POST', '/api/items', { body: rows(500) })).status === 503
    await until(isFull, { what: 'four large bodies to be in progress' })
    for (const { answer, abort } of open) {
      abort()
      await assert.rejects(answer)
    }
    await until(async () => !(await isFull()), { what: 'room' })
  })
})

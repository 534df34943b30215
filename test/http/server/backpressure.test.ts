import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Polka } from 'polka'
import { dataRoutes } from '../../../src/http/data/data-routes.ts'
import { writePart } from '../../../src/http/server/backpressure.ts'
import { feedback, openHouse } from '../../collection/support.ts'
import { makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { createAuthenticator } from '../auth/support.ts'
import { httpDefaults, rawConnect, serve } from '../support.ts'

test('when answers of 64 MiB wait for their readers, further reads are refused, and taken again once these have left', async (t) => {
  const large = { ...feedback, fields: { comment: { type: 'string', maxLength: 10_000 } } } as const
  const house = openHouse(t, await makeTempDir(t), [large])
  const rows = house.rows('feedback')
  const comment = 'x'.repeat(9_000)
  for (let at = 0; at < 100; at++) await rows.create({ comment })
  const deps = {
    collections: () => house.all,
    settings: () => httpDefaults,
    authenticator: createAuthenticator('the-token'),
    trustedProxies: () => 0,
    now: () => performance.now(),
  }
  const { port, base } = await serve(t, (app: Polka) => dataRoutes(app, deps))
  const list = 'GET /api/feedback?limit=100 HTTP/1.1\r\nHost: x\r\n\r\n'
  const sleep = () => {
    const { socket } = rawConnect(t, port)
    socket.pause()
    socket.write(list.repeat(100))
    return socket
  }
  const sleepers = Array.from({ length: 12 }, sleep)
  const ask = async () => {
    const answer = await fetch(`${base}/api/feedback?limit=1`)
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), text: await answer.text() }
  }
  const refused = await until(
    async () => {
      const answer = await ask()
      if (answer.status === 503) return answer
      // What waits may stay just below the limit, when no reader takes anything any more.
      sleepers.push(sleep())
      return null
    },
    { what: 'the refusal', withinMs: 60_000 },
  )
  assert.equal(JSON.parse(refused.text).code, 'OVERLOADED')
  assert.equal(refused.retryAfter, '1')
  for (const socket of sleepers) socket.destroy()
  await until(async () => (await ask()).status === 200, { what: 'reads to be taken again', withinMs: 30_000 })
})

test('an answer in parts waits for its client, and its connection ends when the client reads nothing for too long', async (t) => {
  const part = 'x'.repeat(1024 * 1024)
  const written: string[] = []
  const limits = { stallMs: 300, bytesPerS: 1024 * 1024 * 1024 }
  const { port } = await serve(t, (app: Polka) => {
    app.get('/parts', async (req, res) => {
      for (let at = 0; at < 200 && !res.destroyed; at++) {
        await writePart(res, part, part.length, limits)
        written.push(req.search)
      }
      res.end()
    })
  })
  const sleeper = rawConnect(t, port)
  sleeper.socket.pause()
  sleeper.socket.write('GET /parts?asleep HTTP/1.1\r\nHost: x\r\n\r\n')
  const reader = await fetch(`http://127.0.0.1:${port}/parts?awake`)
  assert.equal((await reader.text()).length, 200 * part.length)
  sleeper.socket.resume()
  const received = await sleeper.closed
  assert.ok(received.length < 200 * part.length, 'the connection has ended before all was sent')
  const asleep = written.filter((search) => search === '?asleep').length
  assert.ok(asleep < 100, `${asleep} parts were written for a client that reads nothing`)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sendText } from '../../../src/http/server/answers.ts'
import { cleanLater } from '../../support/temp.ts'
import { until, within } from '../../support/until.ts'
import { rawConnect, serve } from '../support.ts'

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

/** More than the kernel takes for both sides. */
const large = 'x'.repeat(8_000_000)

test('a connection whose answers nobody reads is destroyed, also when a byte is read now and then', async (t) => {
  const { port, observations } = await serve(
    t,
    (app) => app.get('/', (_req, res) => sendText(res, 200, 'text/plain', large)),
    {
      readLimits: { stallMs: 200, bytesPerS: 64_000_000 },
    },
  )
  const connection = rawConnect(t, port)
  connection.socket.pause()
  connection.socket.write(get('/').repeat(3))
  const trickle = setInterval(() => void connection.socket.read(1), 20)
  cleanLater(t, () => clearInterval(trickle))
  await until(() => observations.filter((seen) => seen.type === 'request.answered' && seen.aborted).length === 3, {
    what: 'the end of the answers',
  })
})

test('an answer that an application writes piece by piece, or is still working on, may take its time', async (t) => {
  const { port } = await serve(
    t,
    (app) => {
      app.get('/pieces', (_req, res) => void res.write('begun'))
      app.get('/work', () => {})
    },
    { readLimits: { stallMs: 40, bytesPerS: 1_000_000 } },
  )
  const pieces = rawConnect(t, port, get('/pieces'))
  const work = rawConnect(t, port, get('/work'))
  await until(() => pieces.text().includes('begun'))
  const ended = Promise.race([pieces.closed, work.closed])
  await assert.rejects(within(ended, 200, 'the end of a connection'))
})

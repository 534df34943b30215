import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sendText } from '../../../src/http/server/answers.ts'
import { until } from '../../support/until.ts'
import { rawConnect, serve } from '../support.ts'

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

/** Larger than what the kernel takes for both sides of a connection. */
const large = 'x'.repeat(12_000_000)

test('of a pipeline a few requests are started before somebody reads the answers, then all, in their order', async (t) => {
  const started: string[] = []
  const { port, base } = await serve(t, (app) =>
    app.get('/item/:at', (req, res) => {
      started.push(req.params.at ?? '')
      sendText(res, 200, 'text/plain', req.params.at === '0' ? large : `[${req.params.at}]`)
    }),
  )
  const connection = rawConnect(t, port)
  connection.socket.pause()
  const paths = Array.from({ length: 500 }, (_, at) => `/item/${at}`)
  connection.socket.write(paths.map(get).join(''))
  await until(() => started.length === 8, { what: 'the first of them' })
  for (let times = 0; times < 20; times++) await (await fetch(`${base}/unknown`)).text()
  assert.equal(started.length, 8)
  connection.socket.resume()
  await until(() => connection.socket.bytesRead > large.length && started.length === 500, { what: 'all to be started' })
  await until(() => connection.text().endsWith('[499]'), { what: 'all to be answered' })
  const order = [...connection.text().matchAll(/\[(\d+)\]/g)].map(([, at]) => Number(at))
  assert.deepEqual(order, paths.map((_, at) => at).slice(1))
})

test('a body that comes after a pipeline is taken in its turn', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { port } = await serve(t, (app) => {
    app.get('/slow', async (_req, res) => {
      await gate.promise
      sendText(res, 200, 'text/plain', 'slow')
    })
    app.post('/body', async (req, res) => {
      let text = ''
      for await (const chunk of req) text += chunk
      sendText(res, 200, 'text/plain', `<${text}>`)
    })
  })
  const connection = rawConnect(t, port, get('/slow').repeat(20))
  connection.socket.write(`POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc`)
  await until(() => connection.socket.writableLength === 0)
  connection.socket.write(`def${get('/slow')}`)
  gate.resolve()
  await until(() => connection.text().includes('<abcdef>') && connection.text().endsWith('slow'), {
    what: 'the answers',
  })
  assert.equal(connection.text().split('slow').length, 22)
})

test('every request of a connection that was left is noticed as ended, also those that had not been started', async (t) => {
  const { port, observations } = await serve(t, (app) => app.get('/never', () => {}))
  const connection = rawConnect(t, port, get('/never').repeat(20))
  await fetch(`http://127.0.0.1:${port}/other`)
  connection.socket.destroy()
  const ended = () => observations.filter((seen) => seen.type === 'request.answered' && seen.path === '/never')
  await until(() => ended().length === 20, { what: `20 ends, got ${ended().length}` })
})

test('a connection that pipelines without end is ended, and the service lives', async (t) => {
  const { port, base } = await serve(t, (app) => app.get('/never', () => {}))
  const connection = rawConnect(t, port, get('/never').repeat(3_000))
  await connection.closed
  assert.equal((await fetch(`${base}/unknown`)).status, 404)
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { HoldfastError } from '../../../src/errors.ts'
import { readJson } from '../../../src/http/data/body.ts'
import { sendError, sendJson } from '../../../src/http/server/answers.ts'
import type { App } from '../../../src/http/server/app.ts'
import { createHttp } from '../../../src/http/server/server.ts'
import { cleanLater } from '../../support/temp.ts'
import { until, within } from '../../support/until.ts'
import { httpDefaults, parseAnswer, rawConnect, serve } from '../support.ts'

const echo = (app: App) => {
  app.get('/hello/:name', (req, res) => sendJson(res, 200, JSON.stringify({ name: req.params.name })))
  app.post('/echo', async (req, res) => sendJson(res, 200, JSON.stringify(await readJson(req, 10_000))))
  app.get('/boom', async () => {
    throw Object.assign(new Error('connect ECONNREFUSED db1:5432 hunter2'), { code: 'ECONNREFUSED', status: 200 })
  })
  app.get('/null', () => Promise.reject(null))
  app.get('/busy', async () => {
    throw new HoldfastError('OVERLOADED', { retryAfterS: 1.2 })
  })
}

test('an answer has an id, and headers that keep a browser from guessing', async (t) => {
  const { base } = await serve(t, echo)
  const answer = await fetch(`${base}/hello/world`)
  assert.deepEqual(await answer.json(), { name: 'world' })
  assert.match(answer.headers.get('x-request-id') ?? '', /^[0-9a-f]{12}-[0-9a-z]+$/)
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  assert.equal(answer.headers.get('x-frame-options'), null)
})

test('the caller may name the request, unless the name could harm a log', async (t) => {
  const { base } = await serve(t, echo)
  const named = await fetch(`${base}/hello/a`, { headers: { 'x-request-id': 'Root=1-67.a_b:c' } })
  assert.equal(named.headers.get('x-request-id'), 'Root=1-67.a_b:c')
  for (const bad of ['<b>', 'a b', 'x'.repeat(129), '{"a":1}']) {
    const answer = await fetch(`${base}/hello/a`, { headers: { 'x-request-id': bad } })
    assert.match(answer.headers.get('x-request-id') ?? '', /^[0-9a-f]{12}-[0-9a-z]+$/)
  }
})

test('an unexpected error answers 500 without a word of itself, and is noticed with its cause', async (t) => {
  const { base, observations } = await serve(t, echo)
  const answer = await fetch(`${base}/boom`)
  const text = await answer.text()
  assert.equal(answer.status, 500)
  assert.equal(answer.headers.get('content-type'), 'application/problem+json')
  assert.doesNotMatch(text, /ECONNREFUSED|hunter2|db1|at /)
  assert.equal(JSON.parse(text).code, 'INTERNAL_ERROR')
  assert.equal(JSON.parse(text).requestId, answer.headers.get('x-request-id'))
  const failed = await until(() => observations.find((seen) => seen.type === 'request.failed'))
  assert.equal(failed.route, '/boom')
  assert.match(String(failed.error), /ECONNREFUSED/)
})

test('a rejection with nothing in it is answered too', async (t) => {
  const { base } = await serve(t, echo)
  assert.equal((await fetch(`${base}/null`)).status, 500)
})

test('a refusal says what, why and when to come back', async (t) => {
  const { base } = await serve(t, echo)
  const answer = await fetch(`${base}/busy`)
  assert.equal(answer.status, 503)
  assert.equal(answer.headers.get('retry-after'), '2')
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  const body = JSON.parse(await answer.text())
  assert.deepEqual(Object.keys(body), ['type', 'title', 'status', 'code', 'hint', 'requestId'])
})

test('an unknown address is 404, a known one with another method 405 with Allow', async (t) => {
  const { base } = await serve(t, echo)
  assert.equal((await fetch(`${base}/nothing`)).status, 404)
  const answer = await fetch(`${base}/echo`, { method: 'DELETE' })
  assert.equal(answer.status, 405)
  assert.equal(answer.headers.get('allow'), 'POST, OPTIONS')
  const options = await fetch(`${base}/hello/x`, { method: 'OPTIONS' })
  assert.equal(options.status, 204)
  assert.equal(options.headers.get('allow'), 'GET, HEAD, OPTIONS')
  assert.equal((await fetch(`${base}/nothing`, { method: 'OPTIONS' })).status, 404)
})

test('HEAD answers what GET would, without the body', async (t) => {
  const { base } = await serve(t, echo)
  const answer = await fetch(`${base}/hello/world`, { method: 'HEAD' })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-length'), '16')
  assert.equal(await answer.text(), '')
})

const rawCases: readonly (readonly [string, string, number, string | null])[] = [
  ['a broken percent sign', 'GET /hello/%E0%A4%A HTTP/1.1\r\nHost: x\r\n', 400, 'ENCODING_INVALID'],
  ['invalid UTF-8 in the query', 'GET /hello/a?b=%ff HTTP/1.1\r\nHost: x\r\n', 400, 'ENCODING_INVALID'],
  ['an encoded NUL', 'GET /hello/%00 HTTP/1.1\r\nHost: x\r\n', 400, 'REQUEST_INVALID'],
  ['two slashes', 'GET //hello/a HTTP/1.1\r\nHost: x\r\n', 404, 'ROUTE_NOT_FOUND'],
  ['an absolute address', 'GET http://elsewhere.example/hello/a HTTP/1.1\r\nHost: x\r\n', 200, null],
  [
    'an absolute address of another scheme',
    'GET ftp://elsewhere.example/hello/a HTTP/1.1\r\nHost: x\r\n',
    400,
    'REQUEST_INVALID',
  ],
  ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: x\r\n', 404, 'ROUTE_NOT_FOUND'],
  ['a missing Host', 'GET /hello/a HTTP/1.1\r\n', 400, 'REQUEST_INVALID'],
  ['two Hosts', 'GET /hello/a HTTP/1.1\r\nHost: x\r\nhOst: y\r\n', 400, 'REQUEST_INVALID'],
  ['HTTP/1.0 without Host', 'GET /hello/a HTTP/1.0\r\n', 200, null],
  ['an unknown method', 'BREW /pot HTTP/1.1\r\nHost: x\r\n', 405, 'METHOD_NOT_ALLOWED'],
  ['a known method that nothing takes', 'PROPFIND /hello/a HTTP/1.1\r\nHost: x\r\n', 405, 'METHOD_NOT_ALLOWED'],
  ['TRACE', 'TRACE /hello/a HTTP/1.1\r\nHost: x\r\n', 405, 'METHOD_NOT_ALLOWED'],
  ['an address that is too long', `GET /${'a'.repeat(3_000)} HTTP/1.1\r\nHost: x\r\n`, 414, 'URL_TOO_LONG'],
  ['headers that are too large', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n`, 431, 'HEADERS_TOO_LARGE'],
  ['an upgrade', 'GET /hello/a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n', 200, null],
  ['an expectation that is met', 'GET /hello/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n', 100, null],
  ['an unknown expectation', 'GET /hello/a HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n', 400, 'REQUEST_INVALID'],
  ['something that is no HTTP', '\x16\x03\x01\x02\x00\x01\x00', 400, 'REQUEST_INVALID'],
  ['a header without a name', 'GET / HTTP/1.1\r\nHost: x\r\n: value\r\n', 400, 'REQUEST_INVALID'],
  [
    'two lengths',
    'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n',
    400,
    'REQUEST_INVALID',
  ],
  [
    'length and chunks',
    'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n',
    400,
    'REQUEST_INVALID',
  ],
]

for (const [what, head, status, code] of rawCases) {
  test(`the service answers ${status} to ${what}, and lives`, async (t) => {
    const { base, port } = await serve(t, echo)
    const connection = rawConnect(t, port, `${head}\r\n`)
    await until(() => connection.text().includes('\r\n\r\n'), { what: `an answer, got ${connection.text()}` })
    const answer = parseAnswer(connection.text())
    assert.equal(answer.status, status)
    if (code !== null) {
      await until(() => parseAnswer(connection.text()).body.endsWith('}'))
      assert.equal(JSON.parse(parseAnswer(connection.text()).body).code, code)
    }
    assert.equal((await fetch(`${base}/hello/again`)).status, 200)
  })
}

test('CONNECT is refused with a problem and closed, and the service lives', async (t) => {
  const { base, port } = await serve(t, echo)
  const connection = rawConnect(t, port, 'CONNECT db:5432 HTTP/1.1\r\nHost: db\r\n\r\n')
  const answer = parseAnswer(await within(connection.closed, 3_000))
  assert.equal(answer.status, 405)
  assert.equal(JSON.parse(answer.body).code, 'METHOD_NOT_ALLOWED')
  assert.equal((await fetch(`${base}/hello/again`)).status, 200)
})

test('an expectation that is refused has its id and is noticed', async (t) => {
  const { base, port, observations } = await serve(t, echo)
  const connection = rawConnect(t, port, 'GET /hello/a HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n')
  await until(() => connection.text().endsWith('}'))
  const id = parseAnswer(connection.text()).headers['x-request-id']
  assert.equal((await fetch(`${base}/hello/again`)).status, 200)
  assert.ok(observations.some((seen) => seen.type === 'request.answered' && seen.requestId === id))
})

test('pipelined requests are answered in their order, and a broken one last', async (t) => {
  const { port } = await serve(t, echo)
  const good = (name: string) => `GET /hello/${name} HTTP/1.1\r\nHost: x\r\n\r\n`
  const connection = rawConnect(t, port, `${good('one')}${good('two')}${good('three')}NONSENSE\r\n\r\n`)
  const text = await within(connection.closed, 3_000)
  const order = ['"one"', '"two"', '"three"'].map((name) => text.indexOf(name))
  assert.ok(order.every((at) => at > 0))
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  )
  assert.match(text, /HTTP\/1\.1 (405|400)/)
})

test('headers that come too slowly are answered 408 and closed', async (t) => {
  const { port } = await serve(t, echo, { http: { headersTimeoutS: 0.2, requestTimeoutS: 0.4 } })
  const connection = rawConnect(t, port, 'GET /hello/slow HTTP/1.1\r\nHost: x\r\n')
  const text = await within(connection.closed, 3_000)
  assert.equal(parseAnswer(text).status, 408)
  assert.equal(JSON.parse(parseAnswer(text).body).code, 'REQUEST_TIMEOUT')
})

test('a body that comes too slowly is answered 408 and closed', async (t) => {
  const { port, observations } = await serve(t, echo, { http: { headersTimeoutS: 0.2, requestTimeoutS: 0.3 } })
  const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":'
  const text = await within(rawConnect(t, port, head).closed, 3_000)
  assert.equal(parseAnswer(text).status, 408)
  await until(() => observations.some((seen) => seen.type === 'request.answered' && seen.status === 408))
})

test('a broken chunk in a body is answered 400 and closed', async (t) => {
  const { port } = await serve(t, echo)
  const head =
    'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'
  const text = await within(rawConnect(t, port, head).closed, 3_000)
  assert.equal(parseAnswer(text).status, 400)
})

test('connections over the limit are closed at once, and those below it are served', async (t) => {
  const { port, base, observations } = await serve(t, echo, { http: { maxConnections: 50 } })
  const connections = []
  let closed = 0
  while (connections.length < 1_200) {
    // In batches: the kernel's queue of unaccepted connections is shorter than that.
    const batch = Array.from({ length: 100 }, () => rawConnect(t, port))
    for (const connection of batch) void connection.closed.then(() => closed++)
    connections.push(...batch)
    await Promise.all(batch.map(({ socket }) => once(socket, 'connect').catch(() => {})))
  }
  await until(() => closed >= 1_150, { withinMs: 10_000, what: 'the surplus to be closed' })
  assert.equal(closed, 1_150)
  assert.ok(observations.some((seen) => seen.type === 'connection.dropped' && seen.limit === 50))
  for (const { socket } of connections) socket.destroy()
  await until(async () => (await fetch(`${base}/hello/again`)).status === 200)
})

test('closing answers what is in flight, closes what is idle and takes nothing new', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { http, port, base } = await serve(t, (app) => {
    app.get('/slow', async (_req, res) => {
      await gate.promise
      sendJson(res, 200, '{"done":true}')
    })
    app.get('/fast', (_req, res) => sendJson(res, 200, '{}'))
  })
  const silent = rawConnect(t, port)
  const idle = rawConnect(t, port, 'GET /fast HTTP/1.1\r\nHost: x\r\n\r\n')
  const busy = rawConnect(t, port, 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await until(() => idle.text().endsWith('{}'))
  const closing = http.close({ withinMs: 5_000 })
  await within(idle.closed, 1_000, 'the idle connection')
  await within(silent.closed, 1_000, 'the silent connection')
  await assert.rejects(fetch(`${base}/fast`))
  gate.resolve()
  const answer = parseAnswer(await busy.closed)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.connection, 'close')
  await within(closing, 1_000)
  await http.close({ withinMs: 0 })
})

test('closing destroys at the limit what does not end', async (t) => {
  const { http, port, observations } = await serve(t, (app) => app.get('/never', () => {}))
  const stuck = rawConnect(t, port, 'GET /never HTTP/1.1\r\nHost: x\r\n\r\n')
  const slow = rawConnect(t, port, 'POST /x HTTP/1.1\r\nHost: x\r\n')
  await until(() => stuck.socket.bytesWritten > 0 && slow.socket.bytesWritten > 0)
  await fetch(`http://127.0.0.1:${port}/other`)
  await within(http.close({ withinMs: 100 }), 2_000)
  await within(Promise.all([stuck.closed, slow.closed]), 1_000)
  const closed = observations.find((seen) => seen.type === 'http.closed')
  assert.equal(closed?.destroyed, 1)
})

test('close before listen is fine, and listen after close is refused', async () => {
  const settings = { http: httpDefaults }
  const http = createHttp({ settings: () => settings, trustedProxies: () => 0, observe: () => {}, routes: () => {} })
  await http.close({ withinMs: 10 })
  await assert.rejects(http.listen({ port: 0, host: '127.0.0.1' }), { name: 'ListenError' })
})

test('a caller who leaves is noticed as aborted and leaves nothing behind', async (t) => {
  const { port, observations } = await serve(t, (app) => app.get('/never', () => {}))
  const connection = rawConnect(t, port, 'GET /never HTTP/1.1\r\nHost: x\r\n\r\n')
  await until(() => connection.socket.bytesWritten > 0)
  await fetch(`http://127.0.0.1:${port}/other`)
  connection.socket.destroy()
  const seen = await until(() => observations.find((one) => one.type === 'request.answered' && one.path === '/never'))
  assert.equal(seen.type === 'request.answered' && seen.aborted, true)
})

test('the handler serves a plain node:http server, an Express-like request, and a router that restores the target', async (t) => {
  const settings = { http: httpDefaults }
  const http = createHttp({ settings: () => settings, trustedProxies: () => 0, observe: () => {}, routes: echo })
  const server = createServer((req, res) => {
    // Express gives requests getters of these names, without setters.
    const dressed = Object.create(Object.getPrototypeOf(req), {
      path: { get: () => 'express', configurable: true },
      query: { get: () => ({ express: 'yes' }), configurable: true },
    })
    if (req.headers['x-dressed'] !== undefined) Object.setPrototypeOf(req, dressed)
    const { url } = req
    if (url?.startsWith('/below/')) req.url = url.slice('/below'.length)
    http.handler(req, res)
    // As a router that has cut off a prefix may do.
    if (url !== undefined) req.url = url
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanLater(t, () => void server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  for (const headers of [{}, { 'x-dressed': '1' }]) {
    const answer = await fetch(`http://127.0.0.1:${address.port}/hello/you?a=b`, { headers })
    assert.deepEqual(await answer.json(), { name: 'you' })
  }
  const below = await fetch(`http://127.0.0.1:${address.port}/below/hello/me`)
  assert.deepEqual(await below.json(), { name: 'me' })
  server.closeAllConnections()
})

test('an answer that fails half-way is cut, not completed', async (t) => {
  const { base } = await serve(t, (app) =>
    app.get('/half', async (req, res) => {
      // In chunks: without a length only the cut tells a client that something is missing.
      res.writeHead(200)
      res.write('{"half":')
      sendError(req, res, new Error('gone'))
    }),
  )
  await assert.rejects(fetch(`${base}/half`).then((answer) => answer.text()))
})

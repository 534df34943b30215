import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { readJson, readQueryJson } from '../../../src/http/data/body.ts'
import { sendJson } from '../../../src/http/server/answers.ts'
import type { App } from '../../../src/http/server/app.ts'
import { until, within } from '../../support/until.ts'
import { parseAnswer, rawConnect, serve } from '../support.ts'

const echo = (app: App) =>
  app.post('/echo', async (req, res) => sendJson(res, 200, JSON.stringify(await readJson(req, 1_000))))

const json = { 'content-type': 'application/json' }
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

const refused: readonly (readonly [
  string,
  Record<string, string>,
  string | Uint8Array<ArrayBuffer>,
  number,
  string,
])[] = [
  ['no content type', {}, new Uint8Array([123, 125]), 415, 'CONTENT_TYPE_UNSUPPORTED'],
  ['text', { 'content-type': 'text/plain' }, '{}', 415, 'CONTENT_TYPE_UNSUPPORTED'],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'a=b', 415, 'CONTENT_TYPE_UNSUPPORTED'],
  ['another charset', { 'content-type': 'application/json; charset=latin1' }, '{}', 415, 'CONTENT_TYPE_UNSUPPORTED'],
  ['a compressed body', { ...json, 'content-encoding': 'gzip' }, '{}', 415, 'CONTENT_TYPE_UNSUPPORTED'],
  ['nothing', json, '', 400, 'JSON_INVALID'],
  ['half an object', json, '{"a":', 400, 'JSON_INVALID'],
  ['a trailing comma', json, '{"secret":"hunter2",}', 400, 'JSON_INVALID'],
  ['invalid UTF-8', json, new Uint8Array([0x22, 0xff, 0xfe, 0x22]), 400, 'ENCODING_INVALID'],
  ['half of a surrogate pair', json, '{"a":"\\ud83d"}', 400, 'ENCODING_INVALID'],
  ['a key with half of a pair', json, '{"\\uDC00":1}', 400, 'ENCODING_INVALID'],
  ['JSON that is too deep', json, nested(101), 400, 'JSON_INVALID'],
  ['a body over the limit', json, JSON.stringify('x'.repeat(1_000)), 413, 'BODY_TOO_LARGE'],
]

for (const [what, headers, body, status, code] of refused) {
  test(`${what} is answered ${status} ${code}`, async (t) => {
    const { base } = await serve(t, echo)
    const answer = await fetch(`${base}/echo`, { method: 'POST', headers, body })
    const text = await answer.text()
    assert.equal(answer.status, status)
    assert.equal(JSON.parse(text).code, code)
    assert.doesNotMatch(text, /hunter2/)
  })
}

const taken: readonly (readonly [string, string, string, unknown])[] = [
  ['a charset in any case', 'Application/JSON; charset="UTF-8"', '{"a":1}', { a: 1 }],
  ['a suffix', 'application/merge-patch+json', '[1]', [1]],
  ['a byte order mark', 'application/json', '\ufeff{"a":1}', { a: 1 }],
  ['a whole surrogate pair', 'application/json', '"\\ud83d\\ude00"', '😀'],
  ['an escaped backslash before u', 'application/json', '"\\\\ud83d"', '\\ud83d'],
  ['brackets in strings', 'application/json', JSON.stringify('[{"'.repeat(150)), '[{"'.repeat(150)],
  ['a hundred levels', 'application/json', nested(100), JSON.parse(nested(100))],
  ['a body at the limit', 'application/json', JSON.stringify('x'.repeat(998)), 'x'.repeat(998)],
]

for (const [what, type, body, expected] of taken) {
  test(`${what} is accepted`, async (t) => {
    const { base } = await serve(t, echo)
    const answer = await fetch(`${base}/echo`, { method: 'POST', headers: { 'content-type': type }, body })
    assert.equal(answer.status, 200)
    assert.deepEqual(JSON.parse(await answer.text()), expected)
  })
}

test('a transfer coding other than chunked is refused, and a chunked body is accepted', async (t) => {
  const { port } = await serve(t, echo)
  const send = async (coding: string) => {
    const head = `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n`
    const raw = rawConnect(t, port, `${head}Transfer-Encoding: ${coding}\r\n\r\n2\r\n{}\r\n0\r\n\r\n`)
    return parseAnswer(await within(raw.closed, 5_000))
  }
  const refused = await send('gzip, chunked')
  assert.deepEqual([refused.status, JSON.parse(refused.body).code], [400, 'REQUEST_INVALID'])
  assert.deepEqual([(await send('chunked')).status, (await send('Chunked')).status], [200, 200])
})

test('__proto__ in a body is an ordinary key, and no prototype changes', async (t) => {
  const { base } = await serve(t, (app) =>
    app.post('/keys', async (req, res) => {
      const body = await readJson(req, 1_000)
      const plain = typeof body === 'object' && body !== null
      sendJson(res, 200, JSON.stringify(plain && [Object.keys(body), Object.getPrototypeOf(body) === Object.prototype]))
    }),
  )
  const answer = await fetch(`${base}/keys`, { method: 'POST', headers: json, body: '{"__proto__":{"admin":true}}' })
  assert.deepEqual(await answer.json(), [['__proto__'], true])
  assert.equal('admin' in {}, false)
})

test('a sender of ten megabytes sees 413 before the connection ends, without all of it being read', async (t) => {
  const { port } = await serve(t, echo)
  const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
  const connection = rawConnect(t, port, head)
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(0x10_0000, 0x20), Buffer.from('\r\n')])
  for (let at = 0; at < 10; at++) connection.socket.write(chunk)
  await until(() => connection.text().includes('BODY_TOO_LARGE'), { what: 'the refusal while the body still comes' })
  const answer = parseAnswer(await within(connection.closed, 5_000))
  assert.equal(answer.status, 413)
  assert.equal(answer.headers.connection, 'close')
})

test('a declared length over the limit is refused before a byte of the body was read', async (t) => {
  const { port } = await serve(t, echo)
  const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n'
  const connection = rawConnect(t, port, head)
  await until(() => connection.text().includes('BODY_TOO_LARGE'))
  assert.equal(parseAnswer(connection.text()).status, 413)
  connection.socket.destroy()
})

test('a refused small body leaves the connection usable', async (t) => {
  const { port } = await serve(t, echo)
  const post = 'POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}'
  const connection = rawConnect(t, port, post)
  await until(() => connection.text().includes('ROUTE_NOT_FOUND'))
  connection.socket.write(post)
  await until(() => connection.text().split('ROUTE_NOT_FOUND').length > 3)
})

test('a client that disconnects midway is noticed as aborted, and nothing is thrown', async (t) => {
  const { port, observations } = await serve(t, echo)
  const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":'
  const connection = rawConnect(t, port, head)
  await until(() => connection.socket.bytesWritten > 0)
  await fetch(`http://127.0.0.1:${port}/other`)
  connection.socket.resetAndDestroy()
  await until(() =>
    observations.some((seen) => seen.type === 'request.answered' && seen.path === '/echo' && seen.aborted),
  )
  assert.ok(!observations.some((seen) => seen.type === 'request.failed'))
})

test('a body that another framework has already read is used, parsed or not, and one that it dropped is its defect', async (t) => {
  const { base, observations } = await serve(t, (app) => {
    app.post('/read/:as', async (req, res) => {
      const bytes = Buffer.concat(await req.toArray())
      const body = { bytes, text: bytes.toString(), value: () => JSON.parse(bytes.toString()), nothing: undefined }
      const given = Reflect.get(body, req.params.as ?? '')
      req.body = typeof given === 'function' ? given() : given
      sendJson(res, 200, JSON.stringify(await readJson(req, 100)))
    })
  })
  const send = (as: string, body: string) => fetch(`${base}/read/${as}`, { method: 'POST', headers: json, body })
  for (const as of ['value', 'text', 'bytes']) assert.deepEqual(await (await send(as, '{"a":1}')).json(), { a: 1 }, as)
  assert.equal(await (await send('value', 'null')).text(), 'null')
  assert.equal((await send('bytes', JSON.stringify('x'.repeat(100)))).status, 413)
  assert.equal((await send('text', '{"a":')).status, 400)
  assert.equal((await send('nothing', '')).status, 400)
  assert.equal((await send('nothing', '{"a":1}')).status, 500)
  const failed = observations.find((seen) => seen.type === 'request.failed')
  assert.match(String(failed?.error), /was read before the request reached Holdfast/)
})

test('the body of a query has no name twice, wherever it stands', async (t) => {
  const { base } = await serve(t, (app: App) =>
    app.post('/query', async (req, res) => sendJson(res, 200, JSON.stringify(await readQueryJson(req)))),
  )
  const send = async (body: string) => {
    const answer = await fetch(`${base}/query`, { method: 'POST', headers: json, body })
    return { status: answer.status, answer: JSON.parse(await answer.text()) }
  }
  const query = { where: { AND: [{ a: 1 }, { a: 2 }] } }
  assert.deepEqual(await send(`\ufeff${JSON.stringify(query)}`), { status: 200, answer: query })
  for (const mark of ['', '\ufeff']) {
    const { status, answer } = await send(`${mark}{"where":{"AND":[{},{"a":1,"\\u0061":2}]}}`)
    assert.deepEqual([status, answer.code, answer.errors?.[0]?.pointer], [400, 'QUERY_INVALID', '/where/AND/1/a'])
  }
  assert.equal((await send('{"where":')).answer.code, 'JSON_INVALID')
  assert.equal((await send(nested(101))).answer.code, 'JSON_INVALID')
  assert.equal((await send(JSON.stringify('x'.repeat(65_536)))).answer.code, 'BODY_TOO_LARGE')
})

test('a long body takes as long as its length says, however often such bodies come', async () => {
  const row = { rating: 4, comment: 'A row of an ordinary length. '.repeat(9), model: 'm', meta: { tags: ['a', 'b'] } }
  const body = Buffer.from(JSON.stringify(Array.from({ length: 1_000 }, () => row)))
  const before = process.cpuUsage()
  for (let at = 0; at < 200; at += 1) {
    const req = Object.assign(new IncomingMessage(new Socket()), { headers: json, body })
    Object.defineProperty(req, 'readableEnded', { value: true })
    await readJson(req, 1_000_000)
  }
  const tookMs = process.cpuUsage(before).user / 1_000
  assert.ok(tookMs < 4_000, `${tookMs} ms`)
})

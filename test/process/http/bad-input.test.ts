import assert from 'node:assert/strict'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { errorCatalogue } from '../../../src/errors.ts'
import { parseAnswer, rawConnect } from '../../http/support.ts'
import { repository, startService } from '../../support/process.ts'
import { until, within } from '../../support/until.ts'

/** Everything that the process answered to this file's requests: the last test looks through all of it. */
const seen: { status: number; body: string; path: string }[] = []
const admin = 'an-admin-token-of-some-length'
/** Has the process collect its garbage at SIGUSR2: what is in use afterwards is what is kept. */
const collecting = ['--expose-gc', '--import', 'data:text/javascript,process.on("SIGUSR2", () => gc())']
const service = await startService(
  { after },
  {
    args: [...collecting, join(repository, 'src/main.ts')],
    env: { RATE_LIMIT: '0', ADMIN_TOKEN: admin, HTTP_BODY_LIMIT: '20000' },
  },
)

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

interface Given {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly chunked?: boolean
}

/** A request as it is written here: nothing is normalised, encoded or added on the way. */
function ask({ method = 'POST', path = '/api/feedback', headers, body, chunked = false }: Given): Promise<Answer> {
  const length = body === undefined || chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const req = request(
    { port: service.port, host: '127.0.0.1', method, path, headers: { ...type, ...length, ...headers }, agent: false },
    async (res) => {
      const chunks: Buffer[] = []
      for await (const chunk of res) chunks.push(chunk)
      const answer = { status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks).toString() }
      seen.push({ status: answer.status, body: answer.body, path })
      resolve(answer)
    },
  )
  req.on('error', reject)
  if (chunked && body !== undefined) {
    req.flushHeaders()
    for (let at = 0; at < body.length; at += 4_000) req.write(body.slice(at, at + 4_000))
  } else if (body !== undefined) req.write(body)
  req.end()
  return promise
}

/** Holds the answer to RFC 9457, to the catalogue and to its own request id; gives its body. */
function problem(answer: Answer, status: number, code: string): Record<string, unknown> {
  assert.equal(answer.status, status, answer.body)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  const body: Record<string, unknown> = JSON.parse(answer.body)
  assert.equal(body.code, code)
  assert.equal(body.status, status)
  assert.ok(code in errorCatalogue)
  assert.equal(body.type, `/errors/${code}`)
  assert.equal(typeof body.title, 'string')
  assert.equal(typeof body.hint, 'string')
  assert.equal(body.requestId, answer.headers['x-request-id'])
  assert.match(String(body.requestId), /^[\w-]{8,}$/)
  return body
}

const row = (fields: string) => `{"rating":5,${fields}}`
const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`

const bodies: readonly (readonly [string, Given, number, string])[] = [
  ['half a JSON object', { body: '{"rating":' }, 400, 'JSON_INVALID'],
  ['an empty body', { body: '' }, 400, 'JSON_INVALID'],
  ['two values', { body: '{"rating":5}{"rating":5}' }, 400, 'JSON_INVALID'],
  ['single quotes', { body: "{'rating':5}" }, 400, 'JSON_INVALID'],
  ['NaN', { body: '{"rating":NaN}' }, 400, 'JSON_INVALID'],
  ['a raw NUL in a string', { body: row('"comment":"\u0000"') }, 400, 'JSON_INVALID'],
  ['bytes that are no UTF-8', { body: Buffer.from('7b22726174696e67223aff7d', 'hex') }, 400, 'ENCODING_INVALID'],
  ['an overlong encoding', { body: Buffer.from('7b2261223a22c0af227d', 'hex') }, 400, 'ENCODING_INVALID'],
  ['half of a surrogate pair', { body: row('"comment":"\\ud83d"') }, 400, 'ENCODING_INVALID'],
  ['an object nested too deep', { body: row(`"meta":${nested(120)}`) }, 400, 'JSON_INVALID'],
  ['JSON of 5,000 levels', { body: '['.repeat(5_000) }, 400, 'JSON_INVALID'],
  ['text', { body: '{"rating":5}', headers: { 'content-type': 'text/plain' } }, 415, 'CONTENT_TYPE_UNSUPPORTED'],
  [
    'a form',
    { body: 'rating=5', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    415,
    'CONTENT_TYPE_UNSUPPORTED',
  ],
  [
    'another charset',
    { body: '{"rating":5}', headers: { 'content-type': 'application/json; charset=utf-16' } },
    415,
    'CONTENT_TYPE_UNSUPPORTED',
  ],
  [
    'a compressed body',
    { body: '{"rating":5}', headers: { 'content-encoding': 'gzip' } },
    415,
    'CONTENT_TYPE_UNSUPPORTED',
  ],
  ['a body over the limit, announced', { body: row(`"comment":"${'x'.repeat(30_000)}"`) }, 413, 'BODY_TOO_LARGE'],
  [
    'a body over the limit, in chunks',
    { body: row(`"comment":"${'x'.repeat(60_000)}"`), chunked: true },
    413,
    'BODY_TOO_LARGE',
  ],
  [
    'an unknown query parameter of a create',
    { path: '/api/feedback?dry=1', body: '{"rating":5}' },
    400,
    'QUERY_INVALID',
  ],
]

for (const [what, given, status, code] of bodies) {
  test(`${what} is answered ${status} ${code}`, async () => {
    problem(await ask(given), status, code)
  })
}

const rows: readonly (readonly [string, string, readonly string[]])[] = [
  ['an unknown field', row('"colour":"red"'), ['/colour']],
  ['a field whose name needs escapes', row('"a/b~c":1'), ['/a~1b~0c']],
  ['a required field that is not there', '{"comment":"x"}', ['/rating']],
  ['a string for an integer', '{"rating":"5"}', ['/rating']],
  ['a fraction for an integer', '{"rating":4.5}', ['/rating']],
  ['a number that is infinite', '{"rating":1e999}', ['/rating']],
  ['an integer beyond all bounds', `{"rating":${'9'.repeat(400)}}`, ['/rating']],
  ['an integer out of range', '{"rating":6}', ['/rating']],
  ['minus a huge integer', '{"rating":-9223372036854775809}', ['/rating']],
  ['null for a required field', '{"rating":null}', ['/rating']],
  ['a number for a string', row('"comment":5'), ['/comment']],
  ['a string that is too long', row(`"comment":"${'x'.repeat(2_001)}"`), ['/comment']],
  ['an array for an object', row('"meta":[]'), ['/meta']],
  ['an object that is too large', row(`"meta":{"a":"${'x'.repeat(9_000)}"}`), ['/meta']],
  ['NUL in a string', row('"comment":"a\\u0000b"'), ['/comment']],
  ['NUL deep in an object', row('"meta":{"a":["\\u0000"]}'), ['/meta/a/0']],
  ['__proto__', row('"__proto__":{"isAdmin":true}'), ['/__proto__']],
  ['constructor', row('"constructor":{"prototype":{"x":1}}'), ['/constructor']],
  ['prototype', row('"prototype":1'), ['/prototype']],
  ['an id of its own', row('"id":"00000000-0000-7000-8000-000000000000"'), ['/id']],
  ['a version of its own', row('"version":7'), ['/version']],
  ['the column of the attempt', row('"holdfast_attempt":"x"'), ['/holdfast_attempt']],
  ['an array for a row of an array', '[{"rating":5},[]]', ['/1']],
  ['a string for the row', '"rating"', ['']],
  ['null for the row', 'null', ['']],
  ['several wrong fields at once', '{"rating":0,"comment":1,"more":2}', ['/comment', '/more', '/rating']],
]

for (const [what, body, pointers] of rows) {
  test(`${what} is answered 422 with a JSON pointer`, async () => {
    const { errors } = problem(await ask({ body }), 422, 'ROW_INVALID')
    assert.ok(Array.isArray(errors))
    assert.deepEqual(errors.map(({ pointer }) => pointer).sort(), pointers)
    for (const { message } of errors) assert.match(message, /\w/)
  })
}

test('__proto__ inside an object is kept as a field or refused, and touches no prototype', async () => {
  const answer = await ask({
    body: row('"meta":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
  })
  assert.ok(answer.status === 422 || answer.status === 201, answer.body)
  const { body } = await ask({ method: 'GET', path: '/api/feedback?limit=1' })
  assert.ok(!Object.hasOwn(JSON.parse(body), 'polluted'))
  const { body: next } = await ask({ body: '{"rating":4}' })
  assert.equal(JSON.parse(next).polluted, undefined)
})

const places: readonly (readonly [string, Given, number, string])[] = [
  ['an unknown collection', { method: 'GET', path: '/api/nothing' }, 404, 'COLLECTION_NOT_FOUND'],
  ['a collection called __proto__', { method: 'GET', path: '/api/__proto__' }, 404, 'COLLECTION_NOT_FOUND'],
  ['a collection called constructor', { method: 'GET', path: '/api/constructor' }, 404, 'COLLECTION_NOT_FOUND'],
  ['a create in an unknown collection', { path: '/api/nothing', body: '{}' }, 404, 'COLLECTION_NOT_FOUND'],
  ['an id that is no id', { method: 'GET', path: '/api/feedback/1' }, 404, 'ROW_NOT_FOUND'],
  ['an id with SQL in it', { method: 'GET', path: "/api/feedback/1'%20or%20'1'='1" }, 404, 'ROW_NOT_FOUND'],
  ['an id that climbs out', { method: 'GET', path: '/api/feedback/..%2f..%2fetc' }, 404, 'ROW_NOT_FOUND'],
  [
    'an id that is nowhere',
    { method: 'GET', path: '/api/feedback/00000000-0000-7000-8000-000000000000' },
    404,
    'ROW_NOT_FOUND',
  ],
  ['an unknown address', { method: 'GET', path: '/admin.php' }, 404, 'ROUTE_NOT_FOUND'],
  ['a cursor that is none', { method: 'GET', path: '/api/feedback?cursor=abc' }, 400, 'CURSOR_INVALID'],
  [
    'a cursor of 4,000 characters',
    { method: 'GET', path: `/api/feedback?cursor=${'a'.repeat(4_000)}` },
    400,
    'CURSOR_INVALID',
  ],
  [
    'a cursor that is JSON',
    { method: 'GET', path: `/api/feedback?cursor=${Buffer.from('{"id":1}').toString('base64url')}` },
    400,
    'CURSOR_INVALID',
  ],
  ['an unknown query parameter', { method: 'GET', path: '/api/feedback?where=1' }, 400, 'QUERY_INVALID'],
  ['a limit of 0', { method: 'GET', path: '/api/feedback?limit=0' }, 400, 'QUERY_INVALID'],
  ['a limit beyond all bounds', { method: 'GET', path: '/api/feedback?limit=1e9' }, 400, 'QUERY_INVALID'],
  ['two limits', { method: 'GET', path: '/api/feedback?limit=1&limit=2' }, 400, 'QUERY_INVALID'],
  ['invalid UTF-8 in the address', { method: 'GET', path: '/api/feedback?cursor=%ff' }, 400, 'ENCODING_INVALID'],
  [
    'an address over the limit',
    { method: 'GET', path: `/api/feedback?cursor=${'a'.repeat(9_000)}` },
    414,
    'URL_TOO_LONG',
  ],
  ['an unknown durability', { headers: { prefer: 'durability=best' }, body: '{"rating":5}' }, 400, 'REQUEST_INVALID'],
  ['a change without the token', { method: 'PATCH', path: '/api/feedback/1', body: '{}' }, 401, 'TOKEN_MISSING'],
  [
    'a change with another token',
    { method: 'PATCH', path: '/api/feedback/1', headers: { authorization: 'Bearer no' }, body: '{}' },
    401,
    'TOKEN_INVALID',
  ],
  ['/status without the token', { method: 'GET', path: '/status' }, 401, 'TOKEN_MISSING'],
  ['a reload without the token', { path: '/admin/reload' }, 401, 'TOKEN_MISSING'],
]

for (const [what, given, status, code] of places) {
  test(`${what} is answered ${status} ${code}`, async () => {
    problem(await ask(given), status, code)
  })
}

const wrongMethods: readonly (readonly [string, string, string])[] = [
  ['PATCH', '/api/feedback', 'GET, HEAD, POST, PUT, DELETE, OPTIONS'],
  ['POST', '/api/feedback/00000000-0000-7000-8000-000000000000', 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS'],
  ['POST', '/health', 'GET, HEAD, OPTIONS'],
  ['DELETE', '/', 'GET, HEAD, OPTIONS'],
  ['PROPFIND', '/health', 'GET, HEAD, OPTIONS'],
]

for (const [method, path, allow] of wrongMethods) {
  test(`${method} ${path.slice(0, 20)} is answered 405 with Allow`, async () => {
    const answer = await ask({ method, path })
    problem(answer, 405, 'METHOD_NOT_ALLOWED')
    assert.equal(answer.headers.allow, allow)
  })
}

test('headers over the limit are answered 431', async () => {
  const raw = rawConnect({ after }, service.port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`)
  const answer = parseAnswer(await within(raw.closed, 5_000))
  seen.push({ status: answer.status, body: answer.body, path: 'raw' })
  problem(answer, 431, 'HEADERS_TOO_LARGE')
})

test('a body in chunks that never ends is cut at the limit', async () => {
  const head =
    'POST /api/feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
  const raw = rawConnect({ after }, service.port, head)
  const chunk = `1000\r\n${' '.repeat(0x1000)}\r\n`
  const feed = setInterval(() => raw.socket.writable && raw.socket.write(chunk), 2)
  await until(() => raw.text().includes('BODY_TOO_LARGE'), { what: 'the refusal' })
  const answered = parseAnswer(raw.text())
  assert.equal(answered.status, 413)
  await within(raw.closed, 10_000, 'the end of the connection').finally(() => clearInterval(feed))
})

test('every code that was answered is explained where its type points to', async () => {
  const codes = new Set(seen.flatMap(({ body }) => /"code":"(\w+)"/.exec(body)?.[1] ?? []))
  assert.ok(codes.size >= 12, [...codes].join())
  for (const code of codes) {
    const answer = await ask({ method: 'GET', path: `/errors/${code}` })
    assert.equal(answer.status, 200, code)
    assert.match(answer.body, new RegExp(code))
  }
})

test('a caller may name its request, and a name that is none is replaced', async () => {
  const named = await ask({ method: 'GET', path: '/nowhere', headers: { 'x-request-id': 'my-request-0001' } })
  assert.equal(named.headers['x-request-id'], 'my-request-0001')
  const unnamed = await ask({ method: 'GET', path: '/nowhere', headers: { 'x-request-id': 'no"good<script>' } })
  assert.notEqual(unnamed.headers['x-request-id'], 'no"good<script>')
  problem(unnamed, 404, 'ROUTE_NOT_FOUND')
})

test('3,000 bad requests do not make the process grow', async () => {
  const token = { authorization: `Bearer ${admin}` }
  const keptMiB = async () => {
    service.child.kill('SIGUSR2')
    // Two round trips: the signal is taken between the answers.
    await ask({ method: 'GET', path: '/health' })
    const { body } = await ask({ method: 'GET', path: '/metrics', headers: token })
    return Number(/^process_heap_bytes (\S+)/m.exec(body)?.[1]) / 2 ** 20
  }
  const kinds: readonly Given[] = [...bodies, ...places].map(([, given]) => given).filter(({ chunked }) => !chunked)
  const burst = async (count: number) => {
    let next = 0
    const worker = async () => {
      while (next < count) {
        const at = next++
        const given = kinds[at % kinds.length] ?? {}
        // Each a different address and a different body: what is kept by address or body would show.
        const marked = given.method === 'GET' && !given.path?.includes('?') ? { path: `${given.path}-${at}` } : {}
        await ask({ ...given, ...marked })
      }
    }
    await Promise.all(Array.from({ length: 16 }, worker))
  }
  await burst(1_000)
  const before = await keptMiB()
  await burst(3_000)
  const grown = (await keptMiB()) - before
  assert.ok(grown < 3, `keeps ${grown.toFixed(1)} MiB more than ${before.toFixed(0)}`)
})

test('nothing was answered 500, and no answer shows a stack, a path or a word of a driver', async () => {
  assert.ok(seen.length > 3_000)
  assert.deepEqual(
    seen.filter(({ status }) => status === 500),
    [],
  )
  const traces =
    /\bat .+:\d+:\d+|node_modules|\.ts\b|\.js:|SQLITE_|SqliteError|better-sqlite3|mikro|kysely|Error: |\/tmp\/|ECONN/i
  assert.deepEqual(
    seen.filter(({ body, path }) => !path.startsWith('/errors/') && traces.test(body)),
    [],
  )
  assert.deepEqual(
    service.log().filter(({ event }) => event === 'service.defect' || event === 'request.failed'),
    [],
  )
  assert.deepEqual(await service.end(), { code: 0, signal: null })
})

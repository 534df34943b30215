import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { feedback } from '../../collection/support.ts'
import { parseAnswer, rawConnect } from '../support.ts'
import { admin, type CallOptions, openApi } from './api.ts'

describe('the data API', () => {
  it('creates a row, with its address, its store and its durability', async (t) => {
    const { call } = await openApi(t)
    const made = await call('POST', '/api/feedback', { body: { rating: 5, comment: 'works' } })
    assert.equal(made.status, 201)
    assert.match(made.json.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    assert.equal(made.headers.get('location'), `/api/feedback/${made.json.id}`)
    assert.equal(made.headers.get('content-type'), 'application/json')
    assert.equal(made.headers.get('holdfast-store'), 'local; driver=sqlite')
    assert.match(made.headers.get('holdfast-durability') ?? '', /^local(-ephemeral)?$/)
    assert.equal('holdfast_attempt' in made.json, false)
    const read = await call('GET', made.headers.get('location') ?? '')
    assert.equal(read.status, 200)
    assert.deepEqual(read.json, made.json)
    assert.equal(read.headers.get('etag'), made.headers.get('etag'))
    assert.equal(read.headers.get('holdfast-store'), 'local; driver=sqlite')
    assert.equal(read.headers.get('holdfast-durability'), null)
    const upper = await call('GET', `/api/feedback/${made.json.id.toUpperCase()}`)
    assert.equal(upper.status, 200)
  })

  it('lists the newest first, in pages that a cursor joins', async (t) => {
    const { call } = await openApi(t)
    assert.deepEqual((await call('GET', '/api/feedback')).json, { items: [], next: null })
    for (let rating = 1; rating <= 5; rating++) await call('POST', '/api/feedback', { body: { rating } })
    const first = await call('GET', '/api/feedback?limit=3')
    assert.deepEqual(
      first.json.items.map((row: { rating: number }) => row.rating),
      [5, 4, 3],
    )
    assert.equal(first.headers.get('holdfast-store'), 'local; driver=sqlite')
    const second = await call('GET', `/api/feedback?limit=3&cursor=${first.json.next}`)
    assert.deepEqual(
      second.json.items.map((row: { rating: number }) => row.rating),
      [2, 1],
    )
    assert.equal(second.json.next, null)
  })

  it('changes and removes rows for the admin, under the row’s ETag', async (t) => {
    const { call } = await openApi(t)
    const made = await call('POST', '/api/feedback', { body: { rating: 1 } })
    const path = made.headers.get('location') ?? ''
    const etag = made.headers.get('etag') ?? ''
    const changed = await call('PATCH', path, { body: { rating: 2 }, headers: { ...admin, 'if-match': etag } })
    assert.equal(changed.status, 200)
    assert.deepEqual([changed.json.rating, changed.json.version], [2, 2])
    assert.notEqual(changed.headers.get('etag'), etag)
    assert.match(changed.headers.get('holdfast-durability') ?? '', /^local/)
    const late = await call('PATCH', path, { body: { rating: 3 }, headers: { ...admin, 'if-match': etag } })
    assert.deepEqual([late.status, late.json.code], [412, 'PRECONDITION_FAILED'])
    assert.equal(late.headers.get('holdfast-store'), 'local; driver=sqlite')
    const refused = await call('DELETE', path, { headers: { ...admin, 'if-match': etag } })
    assert.equal(refused.status, 412)
    const latest = changed.headers.get('etag') ?? ''
    for (const weak of [`W/${latest}`, `${etag}, W/${latest}`]) {
      const headers = { ...admin, 'if-match': weak }
      for (const answer of [
        await call('PATCH', path, { body: { rating: 3 }, headers }),
        await call('DELETE', path, { headers }),
      ])
        assert.deepEqual([answer.status, answer.json.code], [412, 'PRECONDITION_FAILED'], weak)
    }
    assert.equal((await call('GET', path)).headers.get('etag'), latest)
    const removed = await call('DELETE', path, { headers: { ...admin, 'if-match': `W/${latest}, ${latest}` } })
    assert.deepEqual([removed.status, removed.text], [204, ''])
    assert.match(removed.headers.get('holdfast-durability') ?? '', /^local/)
    const gone = await call('GET', path)
    assert.deepEqual([gone.status, gone.json.code], [404, 'ROW_NOT_FOUND'])
    assert.equal(gone.headers.get('holdfast-store'), 'local; driver=sqlite')
  })

  it('answers 304 to a client that has the row, and HEAD without a body', async (t) => {
    const { call } = await openApi(t)
    const made = await call('POST', '/api/feedback', { body: { rating: 1 } })
    const path = made.headers.get('location') ?? ''
    const etag = made.headers.get('etag') ?? ''
    for (const known of [etag, `"x", W/${etag}`, '*']) {
      const same = await call('GET', path, { headers: { 'if-none-match': known } })
      assert.deepEqual([same.status, same.text, same.headers.get('etag')], [304, '', etag], known)
    }
    assert.equal((await call('GET', path, { headers: { 'if-none-match': '"x"' } })).status, 200)
    const head = await call('HEAD', path)
    assert.deepEqual([head.status, head.text, head.headers.get('etag')], [200, '', etag])
    assert.equal(head.headers.get('content-length'), String(made.text.length))
    assert.equal((await call('HEAD', '/api/feedback')).status, 200)
  })

  it('keeps the admin’s operations for the admin', async (t) => {
    const { call } = await openApi(t)
    const made = await call('POST', '/api/feedback', { body: { rating: 1 } })
    const path = made.headers.get('location') ?? ''
    for (const [method, at] of [
      ['PATCH', path],
      ['DELETE', path],
      ['GET', '/api/everything'],
      ['POST', '/api/everything'],
    ] as const) {
      assert.equal((await call(method, at)).json.code, 'TOKEN_MISSING', `${method} ${at}`)
      assert.equal((await call(method, at, { headers: { 'holdfast-token': 'no' } })).json.code, 'TOKEN_INVALID')
    }
    assert.equal((await call('GET', path)).json.rating, 1)
    const list = await call('GET', '/api/everything', { headers: admin })
    assert.deepEqual([list.status, list.headers.get('cache-control')], [200, 'private, no-cache'])
    assert.equal((await call('GET', path)).headers.get('cache-control'), 'no-cache')
    const known = await call('GET', path, { headers: admin })
    assert.equal(known.headers.get('cache-control'), 'private, no-cache', 'it may have fields that others do not see')
  })

  it('says that it did what "Prefer" asked for', async (t) => {
    const { call } = await openApi(t)
    const applied = async (prefer: Record<string, string>) => {
      const { status, headers } = await call('POST', '/api/feedback', { body: { rating: 1 }, headers: prefer })
      return [status, headers.get('holdfast-durability'), headers.get('preference-applied')]
    }
    assert.deepEqual(await applied({ prefer: 'durability=local' }), [201, 'local', 'durability=local'])
    assert.equal((await applied({ prefer: 'durability=journal' }))[0], 503)
    assert.deepEqual(await applied({}), [201, 'local', null])
  })

  it('takes an age in "Prefer", which what is no copy always has', async (t) => {
    const { call } = await openApi(t)
    const headers = { ...admin, prefer: 'max-age=0' }
    const made = await call('POST', '/api/feedback', { body: { rating: 1 }, headers })
    const path = `/api/feedback/${made.json.id}`
    const answers = [
      made,
      await call('GET', '/api/feedback', { headers }),
      await call('GET', path, { headers }),
      await call('PATCH', path, { body: { rating: 2 }, headers }),
      await call('PATCH', path, { body: { rating: 3 }, headers: { ...admin, prefer: 'max-age=7, durability=local' } }),
      await call('DELETE', path, { headers }),
    ]
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.get('preference-applied'), headers.get('holdfast-as-of')]),
      [
        [201, 'max-age=0', null],
        [200, 'max-age=0', null],
        [200, 'max-age=0', null],
        [200, 'max-age=0', null],
        [200, 'durability=local, max-age=7', null],
        [204, 'max-age=0', null],
      ],
    )
    for (const age of ['max-age', 'max-age=', 'max-age=-1', 'max-age=1.5', 'max-age=soon', 'max-age=9999999999']) {
      for (const [method, at] of [
        ['GET', '/api/feedback'],
        ['GET', path],
        ['POST', '/api/feedback'],
        ['PATCH', path],
        ['DELETE', path],
      ] as const) {
        const body = method === 'POST' || method === 'PATCH' ? { body: { rating: 1 } } : {}
        const { status, json } = await call(method, at, { ...body, headers: { ...admin, prefer: age } })
        assert.deepEqual([status, json.code], [400, 'REQUEST_INVALID'], `${method} ${age}`)
      }
    }
  })

  it('lists the methods that an address accepts', async (t) => {
    const { call } = await openApi(t)
    const places = [
      ['/api/feedback', 'GET, HEAD, POST, PUT, DELETE, OPTIONS', ['PATCH']],
      ['/api/feedback/01a1fa59-5117-779e-a923-656b1f8dd41a', 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS', ['POST']],
    ] as const
    for (const [path, allow, others] of places) {
      const options = await call('OPTIONS', path)
      assert.deepEqual([options.status, options.headers.get('allow')], [204, allow])
      for (const method of others) {
        const refused = await call(method, path, { headers: admin })
        assert.deepEqual([refused.status, refused.headers.get('allow')], [405, allow], `${method} ${path}`)
      }
    }
  })

  const bad: readonly (readonly [string, string, string, CallOptions, number, string])[] = [
    ['malformed JSON', 'POST', '/api/feedback', { body: '{"rating":' }, 400, 'JSON_INVALID'],
    ['an empty body', 'POST', '/api/feedback', { body: '' }, 400, 'JSON_INVALID'],
    [
      'another content type',
      'POST',
      '/api/feedback',
      { body: 'a=b', headers: { 'content-type': 'text/plain' } },
      415,
      'CONTENT_TYPE_UNSUPPORTED',
    ],
    [
      'a body over the limit',
      'POST',
      '/api/feedback',
      { body: { rating: 5, comment: 'x'.repeat(20_000) } },
      413,
      'BODY_TOO_LARGE',
    ],
    ['an unknown field', 'POST', '/api/feedback', { body: { rating: 5, stars: 1 } }, 422, 'ROW_INVALID'],
    ['a wrong type', 'POST', '/api/feedback', { body: { rating: '5' } }, 422, 'ROW_INVALID'],
    ['__proto__', 'POST', '/api/feedback', { body: '{"__proto__":{"rating":5}}' }, 422, 'ROW_INVALID'],
    ['an array', 'POST', '/api/feedback', { body: [] }, 422, 'ROW_INVALID'],
    ['an unknown collection', 'GET', '/api/nothing', {}, 404, 'COLLECTION_NOT_FOUND'],
    ['a collection of every object', 'GET', '/api/constructor', {}, 404, 'COLLECTION_NOT_FOUND'],
    ['an address that is no UTF-8', 'GET', '/api/%ff', {}, 400, 'ENCODING_INVALID'],
    ['an id that is none', 'GET', '/api/feedback/1', {}, 404, 'ROW_NOT_FOUND'],
    ['an id that tries SQL', 'GET', "/api/feedback/'%20or%201=1--", {}, 404, 'ROW_NOT_FOUND'],
    ['an id of no row', 'GET', '/api/feedback/01a1fa59-5117-779e-a923-656b1f8dd41a', {}, 404, 'ROW_NOT_FOUND'],
    ['a bad cursor', 'GET', '/api/feedback?cursor=abc', {}, 400, 'CURSOR_INVALID'],
    ['a limit of nothing', 'GET', '/api/feedback?limit=0', {}, 400, 'QUERY_INVALID'],
    ['a limit that is too large', 'GET', '/api/feedback?limit=1001', {}, 400, 'QUERY_INVALID'],
    ['a limit in words', 'GET', '/api/feedback?limit=ten', {}, 400, 'QUERY_INVALID'],
    ['a limit given twice', 'GET', '/api/feedback?limit=1&limit=2', {}, 400, 'QUERY_INVALID'],
    ['an unknown parameter', 'GET', '/api/feedback?ratng=5', {}, 400, 'QUERY_INVALID'],
    ['a parameter where there are none', 'POST', '/api/feedback?x=1', { body: { rating: 5 } }, 400, 'QUERY_INVALID'],
    [
      'a durability that is none',
      'POST',
      '/api/feedback',
      { body: { rating: 5 }, headers: { prefer: 'durability=all' } },
      400,
      'REQUEST_INVALID',
    ],
    [
      'a durability that cannot be had',
      'POST',
      '/api/feedback',
      { body: { rating: 5 }, headers: { prefer: 'durability=primary' } },
      503,
      'DURABILITY_UNMET',
    ],
  ]
  for (const [what, method, path, options, status, code] of bad) {
    it(`answers ${status} ${code} to ${what}`, async (t) => {
      const { call } = await openApi(t)
      const answer = await call(method, path, options)
      assert.deepEqual([answer.status, answer.json.code], [status, code])
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.doesNotMatch(answer.text, /\n\s+at |\/work|SQLITE|select /i)
      if (status === 422) assert.ok(answer.json.errors.length > 0)
      assert.deepEqual((await call('GET', '/api/feedback')).json.items, [])
    })
  }

  it('answers 409 to a second row of a unique key', async (t) => {
    const { call } = await openApi(t)
    const post = () => call('POST', '/api/everything', { body: { word: 'once' }, headers: admin })
    assert.equal((await post()).status, 201)
    const second = await post()
    assert.deepEqual([second.status, second.json.code], [409, 'CONFLICT'])
    assert.equal(second.headers.get('holdfast-store'), 'local; driver=sqlite')
  })

  it('answers 507 beyond maxRows', async (t) => {
    const { call } = await openApi(t, [{ ...feedback, maxRows: 2 }])
    const statuses: number[] = []
    for (let at = 0; at < 3; at++) statuses.push((await call('POST', '/api/feedback', { body: { rating: 1 } })).status)
    assert.deepEqual(statuses, [201, 201, 507])
  })

  it('limits public creates by client, but not the admin', async (t) => {
    const limited = { ...feedback, rateLimit: { requests: 2, windowS: 60 } }
    const { call } = await openApi(t, [limited], { rateLimit: 1_000, trustedProxies: 1 })
    const post = (headers: Record<string, string>) => call('POST', '/api/feedback', { body: { rating: 1 }, headers })
    const one = { 'x-forwarded-for': '192.0.2.1' }
    const first = await post(one)
    assert.equal(first.headers.get('ratelimit'), '"create";r=1;t=60')
    assert.equal((await post(one)).status, 201)
    const third = await post(one)
    assert.deepEqual([third.status, third.json.code], [429, 'RATE_LIMITED'])
    assert.ok(Number(third.headers.get('retry-after')) > 0)
    assert.equal(third.headers.get('ratelimit')?.startsWith('"create";r=0;'), true)
    assert.equal((await post({ 'x-forwarded-for': '192.0.2.2' })).status, 201)
    assert.equal((await post({ ...one, ...admin })).status, 201)
    assert.equal((await call('GET', '/api/feedback', { headers: one })).status, 200)
  })

  it('uses the limit of the settings for a collection without one, and 0 disables every limit', async (t) => {
    const { call } = await openApi(t, [feedback], { rateLimit: 1 })
    const post = () => call('POST', '/api/feedback', { body: { rating: 1 } })
    assert.deepEqual([(await post()).status, (await post()).status], [201, 429])
    const off = await openApi(t, [{ ...feedback, rateLimit: { requests: 1, windowS: 60 } }], { rateLimit: 0 })
    for (let at = 0; at < 3; at++)
      assert.equal((await off.call('POST', '/api/feedback', { body: { rating: 1 } })).status, 201)
  })

  it('finishes a row whose client has disconnected, and goes on', async (t) => {
    const { call, port } = await openApi(t)
    await call('GET', '/api/feedback')
    const body = '{"rating":5}'
    const head = `POST /api/feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    const left = rawConnect(t, port, head + body.slice(0, 5))
    left.socket.destroy()
    const stays = rawConnect(t, port, `${head.replace('Host: x', 'Host: x\r\nConnection: close')}${body}`)
    assert.equal(parseAnswer(await stays.closed).status, 201)
    assert.equal((await call('GET', '/api/feedback')).json.items.length, 1)
  })
})

import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import { type DatabaseApi, onDatabases } from '../../../support/databases.ts'
import { people, ticket, tickets } from './tickets.ts'

type Refused = readonly [search: string, code: string, detail: RegExp, pointer?: string]

const json = (value: unknown) => `where=${encodeURIComponent(JSON.stringify(value))}`
const values = (count: number) => Array.from({ length: count }, () => 'model:in=x').join('&')
const conditions = Array.from({ length: 33 }, (_, at) => `meta.m${at}=1`).join('&')
const nested = (levels: number): unknown => (levels === 1 ? { rating: 1 } : { NOT: nested(levels - 1) })

const unknown = [
  ['ratng:gte=4', 'QUERY_INVALID', /Did you mean "rating"\?/],
  ['limti=4', 'QUERY_INVALID', /Did you mean "limit"\?/],
  ['filter[rating]=4', 'QUERY_INVALID', /Unknown field or parameter/],
  ['rating:gtee=4', 'QUERY_INVALID', /Did you mean "gte"\?/],
  ['rating:contains=4', 'QUERY_INVALID', /not an operator for "rating"/],
  ['ref:gt=aaaaaaaa-0000-4000-8000-00000000000f', 'QUERY_INVALID', /not an operator for "ref"/],
  ['done:in=true', 'QUERY_INVALID', /not an operator for "done"/],
  ['list:has=1', 'QUERY_INVALID', /not an operator for "list"/],
  ['rating=4&rating=5', 'QUERY_INVALID', /appears twice/],
  ['limit=4&limit=4', 'QUERY_INVALID', /appears twice/],
  ['constructor=x', 'QUERY_INVALID', /Unknown field/],
  ['__proto__=x', 'QUERY_INVALID', /Unknown field/],
  ['meta.__proto__=x', 'QUERY_INVALID', /not a valid member/],
  ['holdfast_attempt=x', 'QUERY_INVALID', /Unknown field/],
  ['sort=ratng', 'QUERY_INVALID', /Did you mean "rating"\?/],
  ['fields=ratng', 'QUERY_INVALID', /Did you mean "rating"\?/],
  ['expand=ownr', 'QUERY_INVALID', /Did you mean "owner"\?/],
] as const satisfies readonly Refused[]

const wrongValues = [
  ['rating:gte=high', 'QUERY_INVALID', /"rating:gte" accepts a whole number/],
  ['rating=9007199254740993', 'QUERY_INVALID', /accepts a whole number/],
  ['real=1e999', 'QUERY_INVALID', /accepts a number/],
  ['price=1.005', 'QUERY_INVALID', /at most 2 of them behind the point/],
  ['big=9223372036854775808', 'QUERY_INVALID', /64 bits/],
  ['day=2026-01', 'QUERY_INVALID', /a date such as/],
  ['at=2026-01', 'QUERY_INVALID', /RFC 3339/],
  ['ref=1', 'QUERY_INVALID', /a UUID/],
  ['done=yes', 'QUERY_INVALID', /true or false/],
  ['comment=a%00b', 'REQUEST_INVALID', /NUL/],
  ['where={"comment":"a\\u0000b"}', 'QUERY_INVALID', /U\+0000/, '/comment'],
  ['meta.size=x', 'QUERY_INVALID', /a whole number/],
] as const satisfies readonly Refused[]

const wrongJson = [
  ['where={"rating":', 'QUERY_INVALID', /not valid JSON/, ''],
  ['where={"rating":1,"rating":2}', 'QUERY_INVALID', /twice/, '/rating'],
  ['where={"AND":[{"rating":1,"r\\u0061ting":2}]}', 'QUERY_INVALID', /twice/, '/AND/0/rating'],
  ['where={"__proto__":{}}', 'QUERY_INVALID', /__proto__/, '/__proto__'],
  ['where={"meta.__proto__":"x"}', 'QUERY_INVALID', /__proto__/, '/meta.__proto__'],
  ['where={"AND":5}', 'QUERY_INVALID', /array/, '/AND'],
  ['where={"OR":[{},5]}', 'QUERY_INVALID', /object/, '/OR/1'],
  [json({ rating: { gte: '4' } }), 'QUERY_INVALID', /a whole number/, '/rating/gte'],
  [json({ model: '\ud800' }), 'QUERY_INVALID', /text/, '/model'],
] as const satisfies readonly Refused[]

const tooComplex = [
  [conditions, 'QUERY_TOO_COMPLEX', /32 conditions/],
  [json(nested(6)), 'QUERY_TOO_COMPLEX', /5 levels/, '/NOT/NOT/NOT/NOT/NOT'],
  [values(201), 'QUERY_TOO_COMPLEX', /200 values/],
  ['expand=owner.boss.boss', 'QUERY_TOO_COMPLEX', /2 references/],
  ['sort=rating,votes,real,model,at', 'QUERY_TOO_COMPLEX', /4 fields/],
  [`comment:contains=${'x'.repeat(201)}`, 'QUERY_TOO_COMPLEX', /200 characters/],
  [json({ comment: 'x'.repeat(4_100) }), 'QUERY_TOO_COMPLEX', /4096 bytes/],
] as const satisfies readonly Refused[]

const unserved = [
  ['meta.other:gt=1', 'QUERY_INVALID', /Declare it in "properties" of "meta"/],
  ['sort=votes', 'QUERY_UNINDEXED', /\{"fields":\["votes"\]\}/],
  ['rating=4&sort=-votes', 'QUERY_UNINDEXED', /\{"fields":\["rating","votes"\]\}/],
  ['sort=rating,-votes', 'QUERY_UNINDEXED', /one direction/],
] as const satisfies readonly Refused[]

const pages = [
  ['limit=0', 'QUERY_INVALID', /from 1 to 1000/],
  ['limit=1001', 'QUERY_INVALID', /from 1 to 1000/],
  ['limit=x', 'QUERY_INVALID', /from 1 to 1000/],
  ['page=501', 'QUERY_INVALID', /Use "cursor"/],
  ['page=11&limit=1000', 'QUERY_INVALID', /Use "cursor"/],
  ['cursor=', 'CURSOR_INVALID', /(?:)/],
  ['cursor=AAAA', 'CURSOR_INVALID', /(?:)/],
  ['count=maybe', 'QUERY_INVALID', /true, false or exact/],
  ['format=xml', 'QUERY_INVALID', /json, ndjson, csv/],
] as const satisfies readonly Refused[]

/** What the row of the table is about, and its requests. */
const tables: Readonly<Record<string, readonly Refused[]>> = {
  'an unknown name, an operator that does not fit, a name twice': unknown,
  'a value that the field does not take': wrongValues,
  'JSON that is no filter': wrongJson,
  'more than one request may ask': tooComplex,
  'what the declaration does not serve': unserved,
  'a page that is not there': pages,
}

onDatabases('a query that is refused', { collections: [tickets, people] }, (api) => {
  before(async () => {
    const created = await api().call('POST', '/api/tickets', { body: ticket })
    assert.equal(created.status, 201, created.text)
    for (let at = 0; at < 3; at++) await api().call('POST', '/api/tickets', { body: { ...ticket, rating: 2 } })
  })

  /** What everyone gets; nothing that is refused shows what is not theirs. */
  const ask = async (path: string, token: string | null = null) => {
    const answer = await api().call('GET', path, { token })
    assert.doesNotMatch(answer.text, /secret|password|TOPSECRET|HUNTER2/)
    return answer
  }

  for (const [what, requests] of Object.entries(tables)) {
    it(`is about ${what}`, async () => {
      for (const [search, code, detail, pointer] of requests) {
        const { status, json: problem, text } = await ask(`/api/tickets?${search}`)
        assert.deepEqual([status, problem?.code], [400, code], `${search.slice(0, 200)}: ${text}`)
        assert.match(problem.detail ?? '', detail)
        if (pointer !== undefined) assert.equal(problem.errors?.[0]?.pointer, pointer, search)
      }
    })
  }

  it('says of a field that the caller does not see what it says of one that is not there', async () => {
    const searches = ['NAME=x', 'NAME:contains=x', 'sort=NAME', 'fields=NAME', 'where={"NAME":"x"}', 'expand=NAME']
    const paths = searches.map((search) => `/api/tickets?${search}`)
    paths.push('/api/tickets/aggregate?group=NAME', '/api/tickets/aggregate?select=NAME:max')
    const answerTo = async (path: string, name: string) => {
      const { status, text } = await api().call('GET', path.replace('NAME', name), { token: null })
      assert.equal(status, 400, text)
      return text.replaceAll(name, 'NAME').replace(/"requestId":"[^"]*"/, '')
    }
    for (const path of paths) {
      const absent = await answerTo(path, 'zzzzzzzz')
      for (const name of ['secret', 'password']) assert.equal(await answerTo(path, name), absent)
    }
  })

  it('has no field for the admin either that is never answered, and has the private one', async () => {
    const found = await api().call('GET', '/api/tickets?secret=TOPSECRET&fields=secret')
    assert.equal(found.json.items.length, 4, found.text)
    const refused = await api().call('GET', '/api/tickets?password=HUNTER2')
    assert.equal(refused.json.code, 'QUERY_INVALID')
  })

  it('has a cursor of another sort, of another collection, or with a page', async () => {
    const { json: first } = await ask('/api/tickets?limit=1&sort=-rating')
    assert.equal(typeof first.next, 'string')
    const cursor = first.next
    const next = await ask(`/api/tickets?limit=1&sort=-rating&cursor=${cursor}`)
    assert.equal(next.status, 200, next.text)
    const codes = await Promise.all(
      [
        `/api/tickets?cursor=${cursor}`,
        `/api/tickets?sort=rating&cursor=${cursor}`,
        `/api/people?sort=-id&cursor=${cursor}`,
        `/api/tickets?sort=-rating&cursor=${forged(cursor)}`,
        `/api/tickets?sort=-rating&cursor=${cursor}&page=2`,
      ].map(async (path) => (await ask(path)).json?.code),
    )
    assert.deepEqual(codes, ['CURSOR_INVALID', 'CURSOR_INVALID', 'CURSOR_INVALID', 'CURSOR_INVALID', 'QUERY_INVALID'])
  })

  it('is in an address that is too long, or in a body that is too large or too deep', async () => {
    const long = await ask(`/api/tickets?comment=${'x'.repeat(1_000_000)}`).catch(() => null)
    assert.ok(long === null || long.status === 414 || long.status === 431, long?.text)
    const fits = await ask(`/api/tickets?comment=${'x'.repeat(9_000)}`)
    assert.ok(fits.status === 200 || fits.status === 414, fits.text)
    const large = await query(api(), { where: { comment: 'x'.repeat(70_000) } })
    assert.deepEqual([large.status, large.json.code], [413, 'BODY_TOO_LARGE'])
    const deep = await query(api(), `{"where":${'{"NOT":'.repeat(60)}{}${'}'.repeat(60)}}`)
    assert.deepEqual([deep.status, deep.json.code], [400, 'QUERY_TOO_COMPLEX'])
  })

  it('is in a body: with a name twice, an unknown member, or in an address beside it', async () => {
    const refused: readonly (readonly [string, string])[] = [
      ['{"where":{"rating":1,"rating":2}}', '/where/rating'],
      ['{"where":{},"where":{}}', '/where'],
      ['{"srt":"rating"}', '/srt'],
      ['{"where":{"AND":1}}', '/where/AND'],
      ['[]', ''],
    ]
    for (const [body, pointer] of refused) {
      const { status, json: problem, text } = await query(api(), body)
      assert.deepEqual([status, problem.code, problem.errors?.[0]?.pointer], [400, 'QUERY_INVALID', pointer], text)
    }
    const beside = await api().call('POST', '/api/tickets/query?rating=4', { body: {}, token: null })
    assert.deepEqual([beside.status, beside.json.code], [400, 'QUERY_INVALID'])
    const works = await query(api(), { where: { rating: { gte: 4 } }, sort: '-rating', fields: 'rating' })
    assert.deepEqual(works.json.items, [{ rating: 4 }], works.text)
  })

  it('is a DELETE without conditions or a limit, or of more rows than its limit', async () => {
    const refused: readonly (readonly [string, number, string])[] = [
      ['', 400, 'QUERY_INVALID'],
      ['?max=10', 400, 'QUERY_INVALID'],
      ['?where={}&max=10', 400, 'QUERY_INVALID'],
      ['?rating=2', 400, 'QUERY_INVALID'],
      ['?rating=2&max=1001', 400, 'QUERY_INVALID'],
      ['?rating=2&max=2', 409, 'TOO_MANY'],
      ['?password=HUNTER2&max=2', 400, 'QUERY_INVALID'],
    ]
    for (const [search, status, code] of refused) {
      const answer = await api().call('DELETE', `/api/tickets${search}`)
      assert.deepEqual([answer.status, answer.json?.code], [status, code], `${search}: ${answer.text}`)
    }
    const left = await api().call('GET', '/api/tickets?rating=2&count=true')
    assert.equal(left.json.count, 3)
  })

  it('is a PUT whose parameters are no unique key', async () => {
    for (const search of ['?rating=2', '?model=m7', '?limit:eq=5', '?id=aaaaaaaa-0000-4000-8000-00000000000f']) {
      const { status, json: problem, text } = await api().call('PUT', `/api/tickets${search}`, { body: ticket })
      assert.deepEqual([status, problem?.code], [400, 'QUERY_INVALID'], text)
    }
  })

  it('is an aggregate of what is not there, or cannot be computed', async () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      ['group=ratng', /Did you mean "rating"/],
      ['group=meta', /object/],
      ['group=rating:month', /date and a time/],
      ['select=model:sum', /model:min/],
      ['select=rating:median', /rating:avg/],
      ['group=rating&sort=-votes', /neither/],
      ['limit=1001', /from 1 to 1000/],
      ['cursor=x', /Unknown field or parameter/],
    ]
    for (const [search, detail] of refused) {
      const { status, json: problem, text } = await ask(`/api/tickets/aggregate?${search}`)
      assert.deepEqual([status, problem?.code], [400, 'QUERY_INVALID'], `${search}: ${text}`)
      assert.match(problem.detail, detail)
    }
    const many = await ask('/api/tickets/aggregate?group=rating,votes,model,done')
    assert.equal(many.json.code, 'QUERY_TOO_COMPLEX')
  })

  it('is an exact sum that JSON cannot hold', async () => {
    const most = { votes: Number.MAX_SAFE_INTEGER, rating: 1 }
    for (let at = 0; at < 2; at++) await api().call('POST', '/api/tickets', { body: most })
    const { status, json: problem, text } = await ask('/api/tickets/aggregate?rating=1&select=votes:sum')
    assert.deepEqual([status, problem.code], [422, 'SUM_INEXACT'], text)
  })

  it('is accepted in no format that there is', async () => {
    const image = await api().call('GET', '/api/tickets', { token: null, headers: { accept: 'image/png' } })
    assert.deepEqual([image.status, image.json?.code], [406, 'FORMAT_NOT_ACCEPTABLE'])
  })
})

function query(api: DatabaseApi, body: unknown) {
  return api.call('POST', '/api/tickets/query', { body, token: null })
}

/** The same cursor with another value in it, of another type. */
function forged(cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url')
  return Buffer.concat([bytes.subarray(0, 21), Buffer.from('["x"]')]).toString('base64url')
}

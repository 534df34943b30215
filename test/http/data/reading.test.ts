import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { rawConnect } from '../support.ts'
import { type Api, admin, openApi } from './api.ts'

const access = { create: 'public', list: 'public', get: 'public' } as const

const teams: Collection = {
  name: 'teams',
  fields: { name: { type: 'string', maxLength: 20 }, secret: { type: 'string', maxLength: 20, private: true } },
  access,
}

const people: Collection = {
  name: 'people',
  fields: {
    name: { type: 'string', maxLength: 40, unique: true },
    team: { type: 'string', format: 'uuid', references: 'teams' },
    boss: { type: 'string', format: 'uuid', references: 'people' },
    hidden: { type: 'string', format: 'uuid', references: 'secrets' },
    wage: { type: 'integer', private: true },
    password: { type: 'string', maxLength: 20, writeOnly: true },
    price: { type: 'string', format: 'decimal', scale: 2 },
    note: { type: 'string' },
  },
  indexes: [{ fields: ['team', 'name'] }],
  access: { ...access, get: ['admin', { to: 'public', where: { name: { ne: 'ghost' } } }] },
}

const secrets: Collection = { name: 'secrets', fields: { word: { type: 'string', maxLength: 20 } } }

async function openPeople(t: Cleanup) {
  const api = await openApi(t, [teams, people, secrets])
  const make = async (name: string, body: object): Promise<string> => {
    const { status, text, json } = await api.call('POST', `/api/${name}`, { body, headers: admin })
    assert.equal(status, 201, text)
    return json.id
  }
  const team = await make('teams', { name: 'red', secret: 'x' })
  const hidden = await make('secrets', { word: 'hush' })
  const ghost = await make('people', { name: 'ghost' })
  const ann = await make('people', {
    name: 'ann',
    team,
    boss: ghost,
    hidden,
    wage: 5,
    password: 'pw',
    price: '-1.50',
    note: '=1+1',
  })
  const bob = await make('people', { name: 'bob', team, boss: ann, note: 'say "hi",\nand more' })
  return { api, team, hidden, ghost, ann, bob }
}

async function names({ call }: Api, path: string, headers = {}): Promise<unknown> {
  const { status, json } = await call('GET', path, { headers })
  return status === 200 ? json.items.map(({ name }: { name: string }) => name) : `${status} ${json.code}`
}

describe('reading over HTTP', () => {
  it('filters, sorts, and links to the next page', async (t) => {
    const { api, team } = await openPeople(t)
    assert.deepEqual(await names(api, `/api/people?team=${team}&sort=name`), ['ann', 'bob'])
    assert.deepEqual(await names(api, '/api/people?name:in=bob&name:in=ghost&sort=-name'), ['ghost', 'bob'])
    const first = await api.call('GET', `/api/people?team=${team}&sort=name&limit=1&fields=name`)
    assert.deepEqual(first.json.items, [{ name: 'ann' }])
    const [, link] = /^<([^>]*)>; rel="next"$/.exec(first.headers.get('link') ?? '') ?? []
    const second = await api.call('GET', link ?? '')
    assert.deepEqual(second.json, { items: [{ name: 'bob' }], next: null })
    assert.equal(second.headers.get('link'), null)
    const paged = await api.call('GET', '/api/people?sort=name&page=2&limit=2&count=true')
    assert.deepEqual([paged.json.items.map(({ name }: { name: string }) => name), paged.json.count], [['ghost'], 3])
  })

  it('skips the rows of earlier pages once, however many rows a page has', async (t) => {
    const { api } = await openPeople(t)
    const body = Array.from({ length: 700 }, (_, at) => ({ name: `team ${String(at).padStart(3, '0')}` }))
    assert.equal((await api.call('POST', '/api/teams', { body, headers: admin })).status, 201)
    const newest = body.toReversed().slice(300, 600)
    assert.deepEqual(
      await names(api, '/api/teams?page=2&limit=300', admin),
      newest.map(({ name }) => name),
    )
  })

  it('takes a query as a body, of those who may list', async (t) => {
    const { api, team } = await openPeople(t)
    const body = { where: { team, NOT: { name: 'ann' } }, sort: 'name', limit: 5 }
    const { json } = await api.call('POST', '/api/people/query', { body })
    assert.deepEqual(
      json.items.map(({ name }: { name: string }) => name),
      ['bob'],
    )
    assert.equal((await api.call('POST', '/api/secrets/query', { body: {} })).status, 401)
    assert.equal((await api.call('POST', '/api/people/query?limit=1', { body: {} })).json.code, 'QUERY_INVALID')
    const twice = await api.call('POST', '/api/people/query', { body: '{"where":{"name":"a","name":"b"}}' })
    assert.deepEqual([twice.status, twice.json.code], [400, 'QUERY_INVALID'])
    const get = await api.call('GET', '/api/people/query')
    assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST, OPTIONS'])
  })

  it('shows nobody a field that is private or only written, by any road', async (t) => {
    const { api, ann } = await openPeople(t)
    for (const field of ['wage', 'password', 'nothing']) {
      for (const query of [`${field}=5`, `sort=${field}`, `fields=${field}`, `where={"${field}":null}`]) {
        const { status, json, text } = await api.call('GET', `/api/people?${query}`)
        assert.deepEqual([status, json.code], [400, 'QUERY_INVALID'], query)
        assert.doesNotMatch(text.replaceAll(field, ''), /wage|password/)
      }
      const grouped = await api.call('GET', `/api/people/aggregate?group=${field}`)
      assert.deepEqual([grouped.status, grouped.json.code], [400, 'QUERY_INVALID'])
    }
    const roads = [
      '/api/people',
      `/api/people/${ann}`,
      '/api/people?format=ndjson',
      '/api/people?format=csv',
      '/api/people?expand=boss,team',
    ]
    for (const road of roads) assert.doesNotMatch((await api.call('GET', road)).text, /wage|"pw"|secret|hush/, road)
    const seen = await api.call('GET', `/api/people/${ann}`, { headers: admin })
    assert.deepEqual([seen.json.wage, 'password' in seen.json], [5, false])
    const made = await api.call('POST', '/api/people', { body: { name: 'eve', password: 'pw' } })
    assert.deepEqual([made.status, 'wage' in made.json, 'password' in made.json], [201, false, false])
  })

  it('gives a row that a rule hides the answer of one that is not there', async (t) => {
    const { api, ghost, ann } = await openPeople(t)
    assert.equal((await api.call('GET', `/api/people/${ghost}`)).json.code, 'ROW_NOT_FOUND')
    assert.equal((await api.call('GET', `/api/people/${ghost}`, { headers: admin })).json.name, 'ghost')
    const shown = await api.call('GET', `/api/people/${ann}`)
    assert.deepEqual([shown.json.name, typeof shown.headers.get('etag')], ['ann', 'string'])
    const known = await api.call('GET', `/api/people/${ann}`, {
      headers: { 'if-none-match': shown.headers.get('etag') ?? '' },
    })
    assert.equal(known.status, 304)
  })

  it('expands references by the rules of the other collection', async (t) => {
    const { api, team, ann, bob } = await openPeople(t)
    const { json } = await api.call('GET', '/api/people?sort=name&expand=team,boss.team,hidden')
    const [first, second, third] = json.items
    assert.deepEqual([first.name, first.team], ['ann', team], 'the field stays an id')
    assert.deepEqual(first.expand.team.name, 'red')
    assert.deepEqual(
      [first.expand.boss, first.expand.hidden],
      [null, null],
      'a rule hides the one, no one may get the other',
    )
    assert.deepEqual([second.id, second.expand.boss.id, second.expand.boss.expand.team.id], [bob, ann, team])
    assert.deepEqual(third.expand, { team: null, boss: null, hidden: null })
    const all = await api.call('GET', '/api/people?sort=name&expand=boss,hidden', { headers: admin })
    assert.deepEqual([all.json.items[0].expand.boss.name, all.json.items[0].expand.hidden.word], ['ghost', 'hush'])
    assert.equal((await api.call('GET', '/api/people?expand=boss.boss.boss')).json.code, 'QUERY_TOO_COMPLEX')
    assert.equal((await api.call('GET', '/api/people?expand=name')).json.code, 'QUERY_INVALID')
    assert.deepEqual(
      (await api.call('GET', '/api/people?fields=name&name=bob&expand=boss&format=ndjson')).text.split('"expand"')[0],
      '{"name":"bob",',
    )
  })

  it('groups and counts', async (t) => {
    const { api, team } = await openPeople(t)
    const { json, headers } = await api.call(
      'GET',
      '/api/people/aggregate?group=team&select=count,name:max&sort=-count',
    )
    assert.deepEqual(json, {
      items: [
        { team, count: 2, 'name:max': 'bob' },
        { team: null, count: 1, 'name:max': 'ghost' },
      ],
      isMore: false,
    })
    assert.equal(headers.get('content-type'), 'application/json')
    assert.equal((await api.call('GET', '/api/secrets/aggregate')).status, 401)
  })

  it('streams all rows as NDJSON, and as CSV in which no text is a formula', async (t) => {
    const { api, team, ann } = await openPeople(t)
    const lines = await api.call('GET', '/api/people?sort=name', { headers: { accept: 'application/x-ndjson' } })
    assert.equal(lines.headers.get('content-type'), 'application/x-ndjson')
    assert.deepEqual(
      lines.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).name),
      ['ann', 'bob', 'ghost'],
    )
    const csv = await api.call('GET', '/api/people?sort=name&fields=name,price,note,team', {
      headers: { accept: 'text/csv' },
    })
    assert.match(csv.headers.get('content-type') ?? '', /^text\/csv/)
    assert.equal(
      csv.text,
      `name,price,note,team\r\nann,-1.50,'=1+1,${team}\r\nbob,,"say ""hi"",\nand more",${team}\r\nghost,,,\r\n`,
    )
    assert.equal((await api.call('GET', '/api/people?format=csv&name=nobody&fields=id')).text, 'id\r\n')
    assert.equal((await api.call('GET', '/api/people?format=ndjson&limit=1&sort=name')).text.match(/\n/g)?.length, 1)
    assert.equal((await api.call('GET', '/api/people?format=csv&expand=boss')).json.code, 'QUERY_INVALID')
    assert.equal((await api.call('GET', '/api/people?format=ndjson&count=true')).json.code, 'QUERY_INVALID')
    assert.equal(
      (await api.call('GET', `/api/people/${ann}`, { headers: { accept: 'image/*, */*;q=0.1' } })).status,
      200,
    )
    for (const accept of ['image/png', 'text/csv;q=0', 'application/json;q=0']) {
      const refused = await api.call('GET', '/api/people', { headers: { accept } })
      assert.deepEqual([refused.status, refused.json.code], [406, 'FORMAT_NOT_ACCEPTABLE'], accept)
    }
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
    assert.equal(
      (await api.call('GET', '/api/people', { headers: { accept: browser } })).headers.get('content-type'),
      'application/json',
    )
  })

  it('answers HEAD with the head alone', async (t) => {
    const { api } = await openPeople(t)
    for (const path of ['/api/people?limit=1', '/api/people/aggregate', '/api/people?format=ndjson']) {
      const { status, text, headers } = await api.call('HEAD', path)
      assert.deepEqual([status, text, headers.get('holdfast-store')], [200, '', 'local; driver=sqlite'], path)
    }
  })

  it('reads a stream no faster than its client', async (t) => {
    const { api } = await openPeople(t)
    const { statements } = await api.house.store()
    await statements.write(
      `with recursive n (i) as (select 1 union all select i + 1 from n where i < 30000)
       insert into people (id, name, note, "createdAt", "updatedAt", version)
       select printf('%08x-0000-4000-8000-000000000000', i), 'n' || i, hex(zeroblob(1000)), 0, 0, 1 from n`,
      [],
    )
    const request = 'GET /api/people?format=ndjson HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
    const raw = rawConnect(t, api.port, request)
    await until(() => raw.text().length > 0, { what: 'the first rows' })
    raw.socket.pause()
    const before = process.memoryUsage().rss
    for (let turn = 0; turn < 20; turn++) await api.call('GET', '/api/people?limit=1')
    assert.ok(process.memoryUsage().rss - before < 48 * 1024 * 1024, 'sixty megabytes were not read ahead')
    raw.socket.resume()
    const text = await raw.closed
    assert.equal(text.match(/"note"/g)?.length, 30_003)
    assert.match(text, /0\r\n\r\n$/)
  })
})

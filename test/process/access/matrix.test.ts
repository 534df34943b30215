import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { Secret } from '../../../src/config/secret.ts'
import { createHoldfast, type Holdfast } from '../../../src/index.ts'
import { makeTempDirSync } from '../../support/temp.ts'
import {
  adminToken,
  audience,
  collectionOf,
  issuer,
  letters,
  type Marked,
  type Role,
  roles,
  rows,
  secret,
  tokens,
  type Variant,
  variants,
} from './cast.ts'

/** An answer, as far as it may say too much. */
interface Seen {
  readonly status: number
  readonly text: string
}

let holdfast: Holdfast
let base = ''
/** The id of a row, by its collection and marker. */
const ids = new Map<string, string>()

const dir = makeTempDirSync('matrix')

before(async () => {
  const jwt = { issuer, audience, secret: new Secret(secret) }
  const http = { port: 0, host: '127.0.0.1', rateLimit: 0 }
  const collections = [...variants.map(collectionOf), letters]
  holdfast = createHoldfast({
    collections,
    settings: { data: { dir }, http, tokens, auth: { jwt }, admin: { token: adminToken } },
  })
  base = (await holdfast.listen()).url
  for (const variant of variants) {
    const body = rows.map(({ marker, mood, author }) => ({
      text: marker,
      mood,
      author,
      hidden: `hidden-${marker}`,
      pin: `pin-${marker}`,
      fixed: `fixed-${marker}`,
    }))
    const made = await ask(adminRole, 'POST', `/api/${variant.name}`, body)
    assert.equal(made.status, 201, made.text)
    const { items } = JSON.parse(made.text)
    for (const { id, text } of items) ids.set(`${variant.name} ${text}`, id)
  }
  for (const { marker } of rows) {
    const refers = variants.map(({ name }) => [`to_${name}`, idOf(name, marker)])
    const made = await ask(adminRole, 'POST', '/api/letters', Object.fromEntries(refers))
    assert.equal(made.status, 201, made.text)
  }
})

after(async () => {
  await holdfast.close({ withinMs: 1_000 })
  await rm(dir, { recursive: true })
})

const adminRole = roles.find(({ is }) => is === 'admin') as Role // It is one of them.

function idOf(collection: string, marker: string): string {
  return ids.get(`${collection} ${marker}`) ?? assert.fail(`no row ${collection} ${marker}`)
}

async function ask(role: Role, method: string, path: string, body?: unknown, more: object = {}): Promise<Seen> {
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const headers = { ...type, ...role.headers, ...more }
  const answer = await fetch(base + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return {
    status: answer.status,
    text: `${JSON.stringify([...answer.headers])}\n${await answer.text()}`.replace(/^\[.*\]\n/, ''),
  }
}

/** The rows whose markers are in a text. */
function rowsIn(text: string): readonly Marked[] {
  return rows.filter(({ marker }) => new RegExp(`row-?${marker.slice(4)}(?![\\w-])`).test(text))
}

/** No answer says more than the role may see; returns it. */
function checked(role: Role, variant: Variant, seen: Seen, what: string): Seen {
  const where = `${role.name}, ${variant.name}, ${what}: ${seen.text.slice(0, 400)}`
  for (const row of rowsIn(seen.text)) assert.ok(variant.isSeen(role, row), `a row that is not theirs: ${where}`)
  assert.ok(!seen.text.includes('pin-row'), `what is written only: ${where}`)
  if (role.is !== 'admin') assert.ok(!/hidden/.test(seen.text), `a private field: ${where}`)
  assert.ok(seen.status < 500, where)
  return seen
}

/** Reads by every road that gives rows; each gives exactly those that the role may see. */
const readRoads: Readonly<Record<string, (role: Role, name: string) => Promise<Seen>>> = {
  list: (role, name) => ask(role, 'GET', `/api/${name}?limit=100`),
  filter: (role, name) =>
    ask(role, 'GET', `/api/${name}?limit=100&text:startsWith=row-&mood:in=open&mood:in=red&mood:in=sealed`),
  negation: (role, name) =>
    ask(role, 'GET', `/api/${name}?limit=100&text:ne=x&where=${encodeURIComponent('{"NOT":{"mood":"x"}}')}`),
  alternatives: (role, name) =>
    ask(
      role,
      'GET',
      `/api/${name}?limit=100&where=${encodeURIComponent('{"OR":[{"mood":"x"},{"text":{"contains":"row"}}]}')}`,
    ),
  sort: (role, name) => ask(role, 'GET', `/api/${name}?limit=100&sort=-text`),
  'page number': (role, name) => ask(role, 'GET', `/api/${name}?limit=100&page=1&sort=text`),
  fields: (role, name) => ask(role, 'GET', `/api/${name}?limit=100&fields=text`),
  query: (role, name) =>
    ask(role, 'POST', `/api/${name}/query`, { where: { text: { startsWith: 'row-' } }, limit: 100 }),
  csv: (role, name) => ask(role, 'GET', `/api/${name}?format=csv`),
  ndjson: (role, name) => ask(role, 'GET', `/api/${name}`, undefined, { accept: 'application/x-ndjson' }),
  groups: (role, name) => ask(role, 'GET', `/api/${name}/aggregate?group=text&select=count&limit=100`),
}

/** Questions with a name that may not exist for the role: the answer is the one for a name that exists for no one. */
const namedRoads: Readonly<Record<string, (role: Role, name: string, field: string) => Promise<Seen>>> = {
  filter: (role, name, field) => ask(role, 'GET', `/api/${name}?${field}:startsWith=a`),
  where: (role, name, field) =>
    ask(role, 'GET', `/api/${name}?where=${encodeURIComponent(JSON.stringify({ [field]: 'a' }))}`),
  query: (role, name, field) => ask(role, 'POST', `/api/${name}/query`, { where: { [field]: 'a' } }),
  sort: (role, name, field) => ask(role, 'GET', `/api/${name}?sort=${field}`),
  fields: (role, name, field) => ask(role, 'GET', `/api/${name}?fields=text,${field}`),
  group: (role, name, field) => ask(role, 'GET', `/api/${name}/aggregate?group=${field}&select=count`),
  select: (role, name, field) => ask(role, 'GET', `/api/${name}/aggregate?select=${field}:max`),
  expand: (role, name, field) => ask(role, 'GET', `/api/${name}?expand=${field}`),
  csv: (role, name, field) => ask(role, 'GET', `/api/${name}?format=csv&fields=${field}`),
}

/** Writes to one row; `x` is the new text. */
const writeRoads: Readonly<Record<string, (role: Role, name: string, id: string) => Promise<Seen>>> = {
  change: (role, name, id) => ask(role, 'PATCH', `/api/${name}/${id}`, { text: 'x' }),
  'merge patch': (role, name, id) =>
    ask(role, 'PATCH', `/api/${name}/${id}`, { text: 'x' }, { 'content-type': 'application/merge-patch+json' }),
  'empty change': (role, name, id) => ask(role, 'PATCH', `/api/${name}/${id}`, {}),
  'change with any tag': (role, name, id) =>
    ask(role, 'PATCH', `/api/${name}/${id}`, { text: 'x' }, { 'if-match': '*' }),
  'change with a stale tag': (role, name, id) =>
    ask(role, 'PATCH', `/api/${name}/${id}`, { text: 'x' }, { 'if-match': `"${id}x"` }),
  replace: (role, name, id) => ask(role, 'PUT', `/api/${name}/${id}`, { text: 'x' }),
  'replace as new': (role, name, id) => ask(role, 'PUT', `/api/${name}/${id}`, { text: 'x' }, { 'if-none-match': '*' }),
  'replace many': (role, name, id) => ask(role, 'PUT', `/api/${name}`, [{ id, text: 'x' }]),
  batch: (role, name, id) =>
    ask(role, 'POST', '/api', { operations: [{ method: 'PATCH', path: `/api/${name}/${id}`, body: { text: 'x' } }] }),
  'batch of deletes': (role, name, id) =>
    ask(role, 'POST', '/api', { operations: [{ method: 'DELETE', path: `/api/${name}/${id}` }] }),
  'create again': (role, name, id) => ask(role, 'POST', `/api/${name}`, { id, text: 'x' }),
  remove: (role, name, id) => ask(role, 'DELETE', `/api/${name}/${id}`),
  'remove with a tag': (role, name, id) => ask(role, 'DELETE', `/api/${name}/${id}`, undefined, { 'if-match': '*' }),
}

for (const role of roles) {
  describe(`what ${role.name} gets`, () => {
    for (const variant of variants) {
      test(`of "${variant.name}" is theirs, by every road`, async () => {
        const { name } = variant
        const theirs = rows.filter((row) => variant.isSeen(role, row))
        for (const [road, go] of Object.entries(readRoads)) {
          const seen = checked(role, variant, await go(role, name), road)
          if (variant.mayAsk(role)) {
            assert.equal(seen.status, 200, `${road}: ${seen.text}`)
            assert.deepEqual(rowsIn(seen.text), theirs, road)
          } else assert.ok(seen.status === 401 || seen.status === 403, `${road}: ${seen.status} ${seen.text}`)
        }
        for (const row of rows) {
          const path = `/api/${name}/${idOf(name, row.marker)}`
          for (const more of [{}, { 'if-none-match': '*' }]) {
            const seen = checked(role, variant, await ask(role, 'GET', path, undefined, more), 'get')
            if (variant.isSeen(role, row)) assert.ok(seen.status === 200 || seen.status === 304, seen.text)
            else assert.equal(seen.status, variant.mayAsk(role) ? 404 : seen.status)
            assert.ok(variant.isSeen(role, row) || seen.status >= 400)
          }
        }
        if (!variant.mayAsk(role)) return
        const counted = JSON.parse((await ask(role, 'GET', `/api/${name}?limit=1&count=true`)).text)
        assert.equal(counted.count, theirs.length, 'count')
        const all = JSON.parse(
          (await ask(role, 'GET', `/api/${name}/aggregate?select=count,text:max,text:distinct`)).text,
        )
        assert.equal(all.items[0].count, theirs.length, 'aggregate')
        assert.equal(
          all.items[0]['text:max'] ?? null,
          theirs
            .map(({ marker }) => marker)
            .toSorted()
            .at(-1) ?? null,
        )
      })

      test(`of "${variant.name}" names no field that is not theirs`, async () => {
        const hiddenFrom = role.is === 'admin' ? ['pin'] : ['hidden', 'pin']
        for (const [road, go] of Object.entries(namedRoads)) {
          for (const field of hiddenFrom) {
            const seen = await go(role, variant.name, field)
            const absent = await go(role, variant.name, 'nosuch')
            assert.equal(seen.status, absent.status, `${road} ${field}`)
            assert.equal(withoutNames(seen.text), withoutNames(absent.text), road)
          }
        }
        const near = await ask(role, 'GET', `/api/${variant.name}?hiddn=a&pni=1`)
        if (role.is !== 'admin') assert.ok(!near.text.includes('hidden'), near.text)
        assert.ok(!/"pin"/.test(near.text), near.text)
      })

      test(`of "${variant.name}" is changed by no road where it is not theirs`, async () => {
        const { name } = variant
        for (const row of rows.filter((one) => !variant.isSeen(role, one))) {
          const id = idOf(name, row.marker)
          for (const [road, go] of Object.entries(writeRoads)) {
            const seen = checked(role, variant, await go(role, name, id), road)
            // The admin creates rows of which it sees none.
            const refused = role.is === 'admin' && road === 'create again' ? [409] : [401, 403, 404]
            assert.ok(refused.includes(seen.status), `${role.name} ${road}: ${seen.status} ${seen.text}`)
          }
        }
        for (const { marker } of rows.filter((one) => !variant.isSeen(role, one))) {
          const many = await ask(role, 'DELETE', `/api/${name}?text=${marker}&max=100`)
          checked(role, variant, many, 'delete by a filter')
        }
        if (variant.name !== 'noones') await assertUntouched(name)
      })
    }

    test('through references is theirs', async () => {
      for (const variant of variants) {
        const asked = await ask(role, 'GET', `/api/letters?limit=100&expand=to_${variant.name}&fields=id`)
        if (!variant.mayAsk(role)) {
          checked(role, variant, asked, 'expand')
          assert.deepEqual(rowsIn(asked.text), [])
          continue
        }
        assert.equal(asked.status, 200, asked.text)
        assert.deepEqual(
          rowsIn(checked(role, variant, asked, 'expand').text),
          rows.filter((row) => variant.isSeen(role, row)),
        )
      }
    })

    test('of documents, pages and bodies names no private field', async () => {
      const named = ['/openapi.json', '/', '/health', '/docs', ...variants.map(({ name }) => `/api/${name}/schema`)]
      for (const path of named) {
        for (const accept of ['application/json', 'text/html']) {
          const { text } = await ask(role, 'GET', path, undefined, { accept })
          if (role.is !== 'admin') assert.ok(!/hidden-row|"hidden"|\bhidden[.:]/.test(text), `${path} ${accept}`)
          assert.deepEqual(rowsIn(text), [], path)
        }
      }
      if (role.is === 'admin') return
      for (const variant of variants.filter((one) => one.mayAsk(role))) {
        const [mine] = rows.filter((row) => variant.isSeen(role, row))
        const id = mine === undefined ? undefined : idOf(variant.name, mine.marker)
        if (id === undefined) continue
        const answers = ['hidden', 'nosuch'].map((field) =>
          ask(role, 'PATCH', `/api/${variant.name}/${id}`, { [field]: 'a' }),
        )
        const [hidden, absent] = (await Promise.all(answers)) as [Seen, Seen] // One each.
        assert.equal(hidden.status, 422)
        assert.equal(withoutNames(hidden.text), withoutNames(absent.text))
        const fixed = await ask(role, 'PATCH', `/api/${variant.name}/${id}`, { fixed: 'a' })
        assert.equal(fixed.status, 422, fixed.text)
      }
    })
  })
}

/** The text of an error without the name that was asked for, and without its request. */
function withoutNames(text: string): string {
  return text.replace(/"requestId":"[^"]*"/, '').replace(/hidden|pin|nosuch/g, '?')
}

async function assertUntouched(name: string): Promise<void> {
  const { text } = await ask(adminRole, 'GET', `/api/${name}?limit=100`)
  const { items } = JSON.parse(text)
  assert.equal(items.length, rows.length)
  for (const { text: marker, hidden, version } of items) {
    assert.ok(rows.some((row) => row.marker === marker))
    assert.deepEqual([hidden, version], [`hidden-${marker}`, 1])
  }
}

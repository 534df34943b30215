import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { hostService } from '../../support/hosted.ts'
import { blocksOf, readPage } from '../../support/pages.ts'

const adminToken = 'admin-token-for-the-tests'
const emma = '018f4d2e-7b1a-7c3d-9e4f-5a6b7c8d9e02'
const unknown = '018f4d2e-7b1a-7c3d-9e4f-5a6b7c8d9e99'
const austen = '018f4d2e-7b1a-7c3d-9e4f-5a6b7c8d9e01'

type Sent = readonly [
  method: string,
  url: string,
  status: number,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
]

const book = {
  id: emma,
  slug: 'emma',
  title: 'Emma',
  price: '12.50',
  state: 'offered',
  author: austen,
  tags: ['novel'],
}

/** What a client may send, right and wrong, and how it is answered. `body` as text is sent as it is. */
const requests: readonly Sent[] = [
  ['POST', '/api/authors', 201, { id: austen, name: 'Austen' }],
  ['POST', '/api/books', 201, book],
  ['POST', '/api/books', 201, [{ title: 'Persuasion' }, { title: 'Sanditon', stock: 3 }]],
  ['POST', '/api/books', 201, [{ title: 'Lady Susan' }], { prefer: 'return=minimal' }],
  ['POST', '/api/books', 204, { title: 'Evelina' }, { prefer: 'return=minimal' }],
  ['POST', '/api/books', 409, { title: 'Emma', slug: 'emma' }],
  ['POST', '/api/books', 409, { title: 'Emma', author: unknown }],
  ['POST', '/api/books', 422, [{ title: 'Camilla' }, { title: 'C', stock: -1 }]],
  ['POST', '/api/books', 400, '{"title":'],
  ['POST', '/api/books', 415, '<book/>', { 'content-type': 'text/xml' }],
  ['POST', '/api/books', 400, { title: 'Camilla' }, { 'idempotency-key': 'short' }],
  ['PUT', `/api/books/${emma}`, 200, { ...book, stock: 2 }],
  ['PUT', `/api/books/${emma}`, 412, book, { 'if-none-match': '*' }],
  ['PUT', '/api/books?slug=emma', 200, { ...book, id: undefined, stock: 2 }],
  ['PUT', '/api/books?title=Emma', 400, book],
  ['PUT', '/api/books', 200, [{ ...book, stock: 4 }]],
  ['PATCH', `/api/books/${emma}`, 200, { $inc: { stock: -1 }, meta: { pages: 474 } }],
  ['PATCH', `/api/books/${emma}`, 200, '{"meta":{"pages":null}}', { 'content-type': 'application/merge-patch+json' }],
  ['PATCH', `/api/books/${emma}`, 422, { $inc: { stock: -100 } }],
  ['PATCH', `/api/books/${emma}`, 412, { stock: 1 }, { 'if-match': `"${unknown}"` }],
  ['PATCH', `/api/books/${unknown}`, 404, { stock: 1 }],
  ['GET', `/api/books/${emma}`, 200],
  ['GET', `/api/books/${unknown}`, 404],
  ['GET', '/api/books?price:gte=1&sort=-price&limit=1&count=true', 200],
  ['GET', '/api/books?expand=author', 200],
  ['GET', '/api/books', 200, undefined, { accept: 'application/x-ndjson' }],
  ['GET', '/api/books?format=csv', 200],
  ['GET', `/api/books/${emma}?fields=title`, 400],
  ['GET', '/api/books?sort=title', 400],
  ['GET', '/api/books?price:gte=cheap', 400],
  ['GET', '/api/books?cursor=forged', 400],
  ['GET', '/api/books', 406, undefined, { accept: 'image/png' }],
  ['POST', '/api/books/query', 200, { where: { OR: [{ stock: { gt: 1 } }, { tags: { has: ['novel'] } }] }, limit: 5 }],
  ['POST', '/api/books/query', 400, { where: { OR: {} } }],
  ['GET', '/api/books/aggregate?group=state&select=count,stock:sum', 200],
  ['GET', '/api/books/aggregate?group=prices', 400],
  ['GET', '/api/books/schema', 200],
  ['POST', '/api', 200, { operations: [{ method: 'PATCH', path: `/api/books/${emma}`, body: { stock: 1 } }] }],
  ['POST', '/api', 422, { operations: [{ method: 'PATCH', path: `/api/books/${emma}`, body: { stock: 'x' } }] }],
  ['POST', '/api', 405, { operations: [{ method: 'GET', path: `/api/books/${emma}` }] }],
  ['POST', '/api', 404, { operations: [{ method: 'POST', path: '/api/nothing', body: {} }] }],
  ['DELETE', '/api/books?title=Sanditon', 400],
  ['DELETE', '/api/books?title=Sanditon&max=5', 200],
  ['DELETE', '/api/books?stock:gte=0&max=1', 409],
  ['DELETE', `/api/authors/${austen}`, 409],
  ['DELETE', `/api/books/${emma}`, 204],
  ['DELETE', `/api/books/${emma}`, 404],
]

interface Described {
  readonly responses: Readonly<
    Record<string, { readonly $ref?: string; readonly content?: Readonly<Record<string, { schema: object }>> }>
  >
}

test('every answer is one that the document describes, and its body is what the schema says', async (t) => {
  const collections = blocksOf(readPage('config/collections/README.md'), 'json')
  const files = collections.map((json) => [`config/collections/${JSON.parse(json).name}.json`, json])
  const service = await hostService(t, { files: Object.fromEntries(files), env: { ADMIN_TOKEN: adminToken } })
  const headers = { 'holdfast-token': adminToken, 'content-type': 'application/json' }
  const document = JSON.parse(await (await service.fetch('/openapi.json', { headers })).text())
  const ajv = new Ajv2020({ strict: false })
  formats.default(ajv)
  ajv.addFormat('decimal', true).addFormat('int64', true)
  ajv.addSchema(document, 'openapi')
  const found = ({ $ref, ...rest }: Described['responses'][string]): Described['responses'][string] =>
    $ref === undefined ? rest : document.components.responses[$ref.split('/').at(-1) ?? '']
  for (const [method, url, status, body, more] of requests) {
    const name = `${method} ${url}`
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const answer = await service.fetch(url, {
      method,
      headers: { ...headers, ...more },
      ...(text === undefined ? {} : { body: text }),
    })
    const given = await answer.text()
    assert.equal(answer.status, status, `${name}\n${given}`)
    const path = url.replace(/\?.*/, '').replace(/\/[0-9a-f-]{36}$/, '/{id}')
    const operation: Described = document.paths[path][method.toLowerCase()]
    const described = operation.responses[status]
    assert.ok(described !== undefined, `${name}: ${status} is not described`)
    const type = answer.headers.get('content-type')?.replace(/;.*/, '')
    const content = found(described).content ?? {}
    if (given === '') continue
    assert.ok(type !== undefined && content[type] !== undefined, `${name}: ${type} is not described`)
    if (!type.endsWith('json') || type.endsWith('ndjson')) continue
    const validate = ajv.compile(pointed(content[type].schema))
    assert.ok(validate(JSON.parse(given)), `${name}\n${given}\n${JSON.stringify(validate.errors)}`)
  }
})

/** The schema with references into the document, wherever it stands. */
function pointed(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/'))
}

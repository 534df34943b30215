import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { Secret } from '../../../src/config/secret.ts'
import { addDocsFiles } from '../../../src/http/docs/docs-files.ts'
import { addDocumentRoutes } from '../../../src/http/docs/document-routes.ts'
import { addDocsPage } from '../../../src/http/page/docs-page.ts'
import { repository } from '../../support/process.ts'
import { type Cleanup, cleanLater, makeTempDir } from '../../support/temp.ts'
import { adminToken, createSource } from '../source.ts'
import { type Served, serve } from '../support.ts'
import { customers, documented, orders } from './collections.ts'

const admin = { headers: { 'Holdfast-Token': adminToken } }

function serveDocuments(t: Cleanup, collections: () => readonly Collection[] = () => documented): Promise<Served> {
  const token = new Secret(adminToken)
  return serve(t, (app) => addDocumentRoutes(app, { version: '1.2.3', collections, token: () => token }))
}

test('the document has private fields for the admin alone, and caches know that answers differ', async (t) => {
  const { base } = await serveDocuments(t)
  const [everyone, known] = await Promise.all([fetch(`${base}/openapi.json`), fetch(`${base}/openapi.json`, admin)])
  assert.equal(everyone.headers.get('content-type'), 'application/json')
  assert.equal(everyone.headers.get('cache-control'), 'no-cache')
  assert.equal(known.headers.get('cache-control'), 'private, no-cache')
  for (const { headers } of [everyone, known]) assert.equal(headers.get('vary'), 'Authorization, Holdfast-Token')
  assert.doesNotMatch(await everyone.text(), /margin/)
  assert.match(await known.text(), /margin/)
  const wrong = await fetch(`${base}/openapi.json`, { headers: { 'Holdfast-Token': 'another' } })
  assert.doesNotMatch(await wrong.text(), /margin/)
})

test('who has the document is answered 304, until a reload changes the collections', async (t) => {
  let collections: readonly Collection[] = [customers, orders]
  const { base } = await serveDocuments(t, () => collections)
  for (const path of ['/openapi.json', '/api/orders/schema']) {
    collections = [customers, orders]
    const etag = (await fetch(base + path)).headers.get('etag') ?? ''
    const again = (given: string) => fetch(base + path, { headers: { 'if-none-match': given } })
    for (const given of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await again(given)
      assert.deepEqual([answer.status, await answer.text()], [304, ''], given)
    }
    assert.equal((await again('"other"')).status, 200)
    collections = [customers, { ...orders, fields: { ...orders.fields, added: { type: 'boolean' } } }]
    const changed = await again(etag)
    assert.match(await changed.text(), /"added"/)
  }
  collections = [customers]
  assert.equal((await fetch(`${base}/api/orders/schema`)).status, 404)
})

test('a schema is of one row, as the caller sees it; what is not there is COLLECTION_NOT_FOUND', async (t) => {
  const { base } = await serveDocuments(t)
  const answer = await fetch(`${base}/api/orders/schema`)
  assert.equal(answer.headers.get('content-type'), 'application/schema+json')
  const schema = (await answer.json()) as { properties: object } // As it is made.
  assert.deepEqual(Object.keys(schema.properties).slice(0, 2), ['id', 'title'])
  assert.ok(!Object.hasOwn(schema.properties, 'margin'))
  assert.match(await (await fetch(`${base}/api/orders/schema`, admin)).text(), /"margin"/)
  for (const name of ['nothing', '__proto__', 'constructor']) {
    const none = await fetch(`${base}/api/${name}/schema`)
    const { code } = (await none.json()) as { code: string } // A problem.
    assert.deepEqual([none.status, code], [404, 'COLLECTION_NOT_FOUND'], name)
  }
  assert.equal((await fetch(`${base}/api/orders/schema?x=1`)).status, 400)
})

test('below a prefix the document names it as its server, and has another tag', async (t) => {
  const { http } = await serveDocuments(t)
  const server = createServer((req, res) => {
    const url = req.url ?? '/'
    http.handler(url.startsWith('/data') ? Object.assign(req, { baseUrl: '/data', url: url.slice(5) }) : req, res)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  cleanLater(t, () => void server.close())
  const { port } = server.address() as AddressInfo // It listens on a port.
  const read = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}/openapi.json`)
    return { etag: answer.headers.get('etag'), document: (await answer.json()) as Record<string, unknown> } // As it is made.
  }
  const [own, below] = [await read(''), await read('/data')]
  assert.equal(own.document.servers, undefined)
  assert.deepEqual(below.document.servers, [{ url: '/data' }])
  assert.deepEqual({ ...below.document, servers: undefined }, { ...own.document, servers: undefined })
  assert.notEqual(own.etag, below.etag)
})

test('the files of the page are those that were built, and no other', async (t) => {
  const folder = `${await makeTempDir(t)}/`
  await writeFile(join(folder, 'swagger-ui-bundle.js'), 'built()')
  await writeFile(join(folder, 'secret.txt'), 'secret')
  const { base } = await serve(t, (app) => addDocsFiles(app, async () => folder))
  const bundle = await fetch(`${base}/docs/swagger-ui-bundle.js`)
  assert.deepEqual([bundle.status, await bundle.text()], [200, 'built()'])
  assert.equal(bundle.headers.get('content-type'), 'text/javascript; charset=utf-8')
  assert.match(await (await fetch(`${base}/docs/start.js`)).text(), /validatorUrl: null/)
  for (const file of ['secret.txt', '..%2Fsecret.txt', 'constructor', 'LICENSE']) {
    assert.equal((await fetch(`${base}/docs/${file}`)).status, 404, file)
  }
})

test('without a build the page says so and leads to the document', async (t) => {
  const { base } = await serve(t, (app) => {
    addDocsPage(app, createSource(), async () => null)
    addDocsFiles(app, async () => null)
  })
  const page = await (await fetch(`${base}/docs`)).text()
  assert.match(page, /npm run build/)
  assert.match(page, /href="\/openapi\.json"/)
  assert.equal((await fetch(`${base}/docs/swagger-ui-bundle.js`)).status, 404)
})

test('the build has Swagger UI with its licences', async () => {
  const licence = await readFile(join(repository, 'dist/docs/LICENSE'), 'utf8')
  assert.match(licence, /Apache License/)
  for (const file of ['NOTICE', 'swagger-ui-bundle.js', 'swagger-ui-bundle.js.LICENSE.txt', 'swagger-ui.css']) {
    const [built, installed] = await Promise.all(
      [`dist/docs/${file}`, `node_modules/swagger-ui-dist/${file}`].map((path) => readFile(join(repository, path))),
    )
    assert.ok(installed !== undefined && built?.equals(installed), file)
  }
})

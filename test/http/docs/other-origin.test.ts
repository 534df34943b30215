import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { launchChromium, noChromium } from '../../support/chromium.ts'
import { hostService } from '../../support/hosted.ts'
import { type Cleanup, cleanLater } from '../../support/temp.ts'

const bugs = {
  name: 'bugs',
  fields: { title: { type: 'string', maxLength: 120 } },
  required: ['title'],
  access: { create: 'public', list: 'public', update: 'public' },
}
const files = { 'config/collections/bugs.json': JSON.stringify(bugs) }

/** What a page of another origin does: creates, lists, changes on a condition, and reads the headers that it needs for that. */
const script = (api: string): string => `(async () => {
  const headers = { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }
  const created = await fetch('${api}/bugs', { method: 'POST', headers, body: '{"title":"From elsewhere"}' })
  const row = await created.json()
  const change = { method: 'PATCH', headers: { 'content-type': 'application/json', 'if-match': created.headers.get('etag') }, body: '{"title":"Changed"}' }
  const changed = await fetch('${api}/bugs/' + row.id, change)
  const list = await (await fetch('${api}/bugs?title:contains=Chang', { headers: { prefer: 'max-age=60' } })).json()
  return [created.status, created.headers.get('location'), changed.status, created.headers.get('holdfast-durability'), list.items.map((one) => one.title)].join()
})().catch((error) => error.name)`

describe('a page of another origin', { skip: noChromium }, () => {
  let browser: Browser

  before(async () => {
    browser = await launchChromium()
  })
  after(() => browser.close())

  test('creates, lists and changes rows when its origin is declared', async (t) => {
    const page = await openElsewhere(t, browser)
    const service = await hostService(t, { files, env: { CORS_ORIGINS: new URL(page.url()).origin } })
    const done = await page.evaluate<string>(script(`${service.url}/api`))
    assert.match(done, /^201,\/api\/bugs\/[0-9a-f-]{36},200,local(?:-ephemeral)?,Changed$/)
  })

  test('cannot, and writes nothing, when its origin is not', async (t) => {
    const page = await openElsewhere(t, browser)
    for (const env of [{}, { CORS_ORIGINS: 'https://another.example' }]) {
      const service = await hostService(t, { files, env })
      assert.equal(await page.evaluate<string>(script(`${service.url}/api`)), 'TypeError')
      const { items } = (await (await service.fetch('/api/bugs')).json()) as { items: unknown[] } // A page.
      assert.deepEqual(items, [])
      await service.end()
    }
  })
})

/** A page of a server of its own, which is an origin of its own. */
async function openElsewhere(t: Cleanup, browser: Browser): Promise<Page> {
  const server = createServer((_req, res) => void res.setHeader('content-type', 'text/html').end('<!doctype html>'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const page = await browser.newPage()
  cleanLater(t, async () => {
    await page.close()
    server.close()
  })
  const { port } = server.address() as AddressInfo // It listens on a port.
  await page.goto(`http://127.0.0.1:${port}/`)
  return page
}

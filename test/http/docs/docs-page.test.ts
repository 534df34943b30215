import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { launchChromium, noChromium } from '../../support/chromium.ts'
import { hostService } from '../../support/hosted.ts'

const bugs = {
  name: 'bugs',
  fields: { title: { type: 'string', maxLength: 120 }, severity: { type: 'string', enum: ['low', 'high'] } },
  required: ['title'],
  access: { create: 'public', list: 'public' },
}

describe('the documentation in a browser', { skip: noChromium }, () => {
  let browser: Browser

  before(async () => {
    browser = await launchChromium()
  })
  after(() => browser.close())

  test('a person reads the operations and tries one, and no request leaves the origin', async (t) => {
    const service = await hostService(t, { files: { 'config/collections/bugs.json': JSON.stringify(bugs) } })
    const page = await browser.newPage()
    const complaints: string[] = []
    const requested: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => requested.push(request.url()))
    await page.goto(`${service.url}/`)
    await page.click('text=Documentation of the API')
    const list = page.locator('.opblock', { hasText: 'List bugs' }).first()
    await list.locator('.opblock-summary').click()
    await list.getByRole('button', { name: 'Try it out' }).click()
    await list.getByRole('button', { name: 'Execute' }).click()
    await list.locator('.live-responses-table').getByText('"items"').first().waitFor()
    const create = page.locator('.opblock', { hasText: 'Create in bugs' })
    await create.locator('.opblock-summary').click()
    await create.getByRole('button', { name: 'Try it out' }).click()
    await create.locator('textarea').first().fill('{"title":"From the page"}')
    await create.getByRole('button', { name: 'Execute' }).click()
    const answer = create.locator('.live-responses-table .response-col_description')
    await answer.getByText('"From the page"').first().waitFor()
    const { items } = (await (await service.fetch('/api/bugs')).json()) as { items: { title: string }[] } // A page.
    assert.deepEqual(
      items.map(({ title }) => title),
      ['From the page'],
    )
    // Of Swagger UI itself: it looks for a field of this format, and has one for text.
    assert.deepEqual(
      complaints.filter((text) => !/^Could not find component: JsonSchema_string_[\w-]+$/.test(text)),
      [],
    )
    const outside = requested.filter((url) => !url.startsWith(`${service.url}/`) && !url.startsWith('data:'))
    assert.deepEqual(outside, [])
    assert.ok(requested.some((url) => url.endsWith('/docs/swagger-ui-bundle.js')))
    await page.close()
  })

  test('the policy of the page stops what would leave the origin', async (t) => {
    const service = await hostService(t)
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    await page.goto(`${service.url}/docs`)
    const failed = await page.evaluate<string>(`fetch('https://example.com/').then(() => 'sent', () => 'stopped')`)
    assert.equal(failed, 'stopped')
    assert.match(complaints.join(), /Content Security Policy/)
    await page.close()
  })
})

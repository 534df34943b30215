import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, BrowserContext } from 'playwright-core'
import { addFrontPage } from '../../../src/http/page/front-page.ts'
import { addStatusPage } from '../../../src/http/page/status-page.ts'
import { addHealthRoutes } from '../../../src/http/status/health.ts'
import { addStatusRoute } from '../../../src/http/status/status-routes.ts'
import { launchChromium, noChromium } from '../../support/chromium.ts'
import type { Cleanup } from '../../support/temp.ts'
import { adminToken, createSource, feedback, refusedFault } from '../source.ts'
import { type Served, serve } from '../support.ts'

function serveFrontPage(t: Cleanup, spaceId: string | null = null): Promise<Served> {
  const platform = {
    nodeEnv: 'test',
    spaceId,
    spaceHost: spaceId === null ? null : 'me-space.hf.space',
    openidProviderUrl: null,
    oauthClientId: null,
  }
  const collections = [feedback, { ...feedback, name: 'x'.repeat(60), path: `/api/${'x'.repeat(60)}` }]
  const source = createSource(
    { row: 'fallback', why: refusedFault },
    { platform: () => platform, collections: () => collections },
  )
  return serve(t, (app) => {
    addFrontPage(app, source)
    addHealthRoutes(app, source)
  })
}

describe('the front page in a browser', { skip: noChromium }, () => {
  let browser: Browser

  before(async () => {
    browser = await launchChromium()
  })
  after(() => browser.close())

  test('a person sees how the service is, and nothing is fetched or refused on the way', async (t) => {
    const { base } = await serveFrontPage(t)
    const page = await browser.newPage()
    const complaints: string[] = []
    const requested: string[] = []
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => requested.push(request.url()))
    await page.goto(base)
    assert.match((await page.textContent('#state')) ?? '', /^Serving from the fallback/)
    assert.equal(await page.textContent('#status'), 'Working, with a warning')
    assert.match((await page.textContent('pre')) ?? '', /^curl -X POST http:\/\/127\.0\.0\.1:\d+\/api\/feedback /)
    // The style is taken: without it the pill would have no border.
    assert.equal(await page.evaluate(`getComputedStyle(document.querySelector('#status')).borderTopStyle`), 'solid')
    assert.deepEqual(complaints, [])
    assert.deepEqual(
      requested.filter((url) => !url.startsWith('data:')),
      [`${base}/`],
    )
    await page.click('text=Health')
    assert.match(await page.content(), /FALLBACK_CONNECTED/)
    await page.close()
  })

  test('the link to the status leads a person to a field for the token, which the tab keeps', async (t) => {
    const source = createSource()
    const { base } = await serve(t, (app) => {
      addFrontPage(app, source)
      addStatusPage(app, source)
      addStatusRoute(app, source)
    })
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(base)
    await page.click('text=Status')
    await page.fill('#token', 'not the token')
    await page.click('button')
    await page.waitForSelector('text=The token is not the admin token.')
    await page.fill('#token', adminToken)
    await page.click('button')
    await page.waitForSelector('pre:not([hidden])')
    assert.equal(JSON.parse((await page.textContent('pre')) ?? '').service.name, 'holdfast')
    await page.reload()
    await page.waitForSelector('pre:not([hidden])')
    const other = await browser.newPage()
    await other.goto(`${base}/status`)
    assert.equal(await other.isVisible('pre'), false, 'another tab does not know it')
    assert.deepEqual(complaints, [])
    await Promise.all([page.close(), other.close()])
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`nothing is cut off on a small ${colorScheme} screen, and text stands out`, async (t) => {
      const { base } = await serveFrontPage(t)
      const page = await browser.newPage({ viewport: { width: 340, height: 700 }, colorScheme })
      await page.goto(base)
      const root = 'document.documentElement'
      const wide = await page.evaluate(`${root}.scrollWidth - ${root}.clientWidth`)
      assert.equal(wide, 0)
      // As text: this project's types know no DOM.
      const ink = await page.evaluate<string>('getComputedStyle(document.body).color')
      const paper = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
      assert.ok(Math.abs(brightness(ink) - brightness(paper)) > 150, `${ink} on ${paper}`)
      assert.equal(brightness(paper) > 128, colorScheme === 'light')
      await page.close()
    })
  }

  test('a Space’s page is shown inside a frame of Hugging Face, and of nobody else', async (t) => {
    const { base } = await serveFrontPage(t, 'me/space')
    assert.match(await framed(browser, 'https://huggingface.co/spaces/me/space', base), /^Serving from the fallback/)
    assert.equal(await framed(browser, 'https://elsewhere.example/', base), 'refused')
  })

  test('outside of a Space no other site may frame the page', async (t) => {
    const { base } = await serveFrontPage(t)
    assert.equal(await framed(browser, 'https://huggingface.co/spaces/me/space', base), 'refused')
  })
})

/** What a page at `host` shows in a frame of the service: its state, or `refused`. No name is looked up for it. */
async function framed(browser: Browser, host: string, base: string): Promise<string> {
  const context: BrowserContext = await browser.newContext()
  const frame = 'https://me-space.hf.space/'
  await context.route('**/*', (route) => route.abort())
  await context.route(host, (route) =>
    route.fulfill({ contentType: 'text/html', body: `<!doctype html><iframe src="${frame}"></iframe>` }),
  )
  await context.route(frame, async (route) => {
    const answer = await fetch(`${base}/`, { headers: { accept: 'text/html' } })
    await route.fulfill({ status: 200, headers: Object.fromEntries(answer.headers), body: await answer.text() })
  })
  const page = await context.newPage()
  const refused = page.waitForEvent('console', {
    predicate: (message) => message.text().includes('frame-ancestors'),
    timeout: 10_000,
  })
  const shown = page.frameLocator('iframe').locator('#state').textContent({ timeout: 10_000 })
  await page.goto(host)
  try {
    return await Promise.any([refused.then(() => 'refused'), shown.then((text) => text ?? '')])
  } finally {
    await context.close()
    await Promise.allSettled([refused, shown])
  }
}

/** 0 for black, 255 for white. */
function brightness(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/\d+/g) ?? []).map(Number)
  return 0.3 * red + 0.6 * green + 0.1 * blue
}

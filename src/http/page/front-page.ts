import type { IncomingMessage } from 'node:http'
import { writeBlockSentence } from '../../database/machine/write-block.ts'
import { sendJson, sendText } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import type { CollectionLine, StatusSource, TokenSource } from '../status/status-source.ts'
import { type HealthStatus, verdictOf } from '../status/verdict.ts'
import { durabilitySentence, lackingSentence, leftSentence, stateSentence } from '../status/wording.ts'
import { prefersHtml } from './accept.ts'
import { baseUrlOf } from './base-url.ts'
import { type Content, html, Markup } from './html.ts'
import { pageStyle, pageStyleHash } from './page-style.ts'
import { pagePolicy } from './security.ts'
import { curlLine, curlListLine, lineHint, pythonLine } from './snippet.ts'

const links = {
  health: '/health',
  live: '/health/live',
  ready: '/health/ready',
  status: '/status',
  metrics: '/metrics',
}

/** Adds `GET /`: one self-contained page for a person, JSON for a program. Names no host but the caller's own. */
export function addFrontPage(app: App, source: StatusSource): void {
  app.get('/', (req, res) => {
    const headers = { 'Cache-Control': 'no-store', Vary: 'Accept' }
    if (!prefersHtml(req.headers.accept)) return sendJson(res, 200, JSON.stringify(summaryOf(req, source)), headers)
    const policy = pagePolicy(source.platform().spaceId !== null, pageStyleHash)
    const page = pageOf(req, source).toString()
    sendText(res, 200, 'text/html; charset=utf-8', page, {
      ...headers,
      'Content-Security-Policy': policy,
      'Referrer-Policy': 'no-referrer',
    })
  })
}

/** What a program gets. */
function summaryOf(req: IncomingMessage, source: StatusSource): Readonly<Record<string, unknown>> {
  const base = baseUrlOf(req, source.platform().spaceHost)
  const database = source.database()
  const { store } = database
  return {
    name: 'holdfast',
    version: source.version,
    status: verdictOf(source).status,
    state: database.state,
    store: store === null ? null : { shown: store.shown, driver: store.driver },
    durability: source.durability(),
    collections: source.collections().map(({ name, path, description, access, example }) => ({
      name,
      url: base + path,
      description,
      access,
      example,
    })),
    links: Object.fromEntries(Object.entries(links).map(([name, path]) => [name, base + path])),
  }
}

function pageOf(req: IncomingMessage, source: StatusSource): Markup {
  const base = baseUrlOf(req, source.platform().spaceHost)
  const database = source.database()
  const pill = pillOf(source)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Holdfast – ${pill.words}</title>
<link rel="icon" href="${icon}">
<style>${new Markup(pageStyle)}</style>
</head>
<body>
<main>
<header><h1>Holdfast</h1><span class="pill ${pill.colour}" id="status">${pill.words}</span></header>
<p class="lead" id="state">${stateSentence(database)}</p>
${concernParagraphs(source)}
<p class="soft" id="durability">${durabilitySentence(source.durability())}</p>
${collectionsSection(base, source.collections())}
${operatorSection(source)}
<footer>Holdfast ${source.version} · in this state since <time datetime="${database.since}">${readableTime(database.since)}</time></footer>
</main>
</body>
</html>
`
}

/** What a person should see to while all is served. */
function concernParagraphs(source: StatusSource): readonly Markup[] {
  const left = source.left()
  const { writeBlock } = source.database()
  const lacking = source.lacking()
  return [
    ...(lacking.length > 0 ? [html`<p id="lacking">${lackingSentence(lacking)}</p>`] : []),
    ...(left !== null && left.total > 0 ? [html`<p id="left">${leftSentence(left)}.</p>`] : []),
    ...(writeBlock === null || writeBlock === 'setting'
      ? []
      : [html`<p id="write-block">${writeBlockSentence(writeBlock)}</p>`]),
  ]
}

const words: Readonly<Record<HealthStatus, string>> = {
  pass: 'Everything is well',
  warn: 'Working, with a warning',
  fail: 'No database',
}

/** What health says, but for a person: all may be well, and a restart still lose the rows. */
function pillOf(source: StatusSource): { readonly colour: HealthStatus; readonly words: string } {
  const { status } = verdictOf(source)
  const isLosable = status === 'pass' && (source.durability()?.endsWith('-ephemeral') ?? false)
  if (isLosable) return { colour: 'warn', words: 'Working; rows may be lost at a restart' }
  return { colour: status, words: words[status] }
}

/** An anchor, drawn here so that nothing is fetched. */
const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%230b8fa5' stroke-width='2.2' stroke-linecap='round'%3E%3Ccircle cx='12' cy='5' r='2.5'/%3E%3Cpath d='M12 7.5V21M7 11h10M4 14c0 4.5 4 7 8 7s8-2.5 8-7'/%3E%3C/svg%3E"

function collectionsSection(base: string, collections: readonly CollectionLine[]): Markup {
  if (collections.length === 0) {
    return html`<section><h2>Collections</h2><p>There is none yet. A collection is one JSON file in the collections folder; which folder that is, the start-up log and <a href="${links.status}">Status</a> say.</p></section>`
  }
  return html`<section id="collections"><h2>Collections</h2>${collections.map((one) => collectionArticle(base, one))}</section>`
}

function collectionArticle(base: string, collection: CollectionLine): Markup {
  const { path, access, description } = collection
  const hint = lineHint(collection)
  return html`<article>
<div class="row"><h3><a href="${path}">${path}</a></h3><span class="soft small">${accessLine(access)}</span></div>
${description === null ? null : html`<p>${description}</p>`}
${hint === null ? null : html`<p class="soft small">${hint}</p>`}
<p class="label">Write a row with curl</p>
<pre>${unbroken(curlLine(base, collection))}</pre>
<p class="label">The same in Python</p>
<pre>${pythonLine(base, collection)}</pre>
<p class="label">Read them</p>
<pre>${curlListLine(base, collection)}</pre>
</article>`
}

/** A browser may break a line after a hyphen, which would tear an option apart. */
function unbroken(line: string): Content {
  return line.split(/(?<= )(-\w)(?= )/).map((part) => (/^-\w$/.test(part) ? html`<span>${part}</span>` : part))
}

function accessLine(access: CollectionLine['access']): string {
  const named = (who: 'public' | 'admin') =>
    Object.entries(access)
      .filter(([, value]) => value === who)
      .map(([operation]) => operation)
  const [open, closed] = [named('public'), named('admin')]
  if (closed.length === 0) return 'open to everybody'
  if (open.length === 0) return 'admin token only'
  return `${open.join(', ')}: everybody · ${closed.join(', ')}: admin token`
}

function operatorSection(source: StatusSource): Markup {
  return html`<section>
<h2>For the operator</h2>
<nav><a href="${links.health}">Health</a><a href="${links.ready}">Readiness</a><a href="${links.metrics}">Metrics</a><span><a href="${links.status}">Status</a> <span class="soft small">(admin token)</span></span></nav>
<p class="label">Admin token</p>
${tokenParagraph(source.adminToken().source, source.platform().spaceId !== null)}
</section>`
}

function tokenParagraph(source: TokenSource, inSpace: boolean): Content {
  const how = inSpace
    ? html`To choose your own, add a secret named <code>ADMIN_TOKEN</code> in the Space’s settings.`
    : html`To choose your own, set the environment variable <code>ADMIN_TOKEN</code> and restart.`
  const use = html`<p class="soft small">Send it as <code>Authorization: Bearer …</code> or as <code>Holdfast-Token: …</code></p>`
  switch (source.from) {
    case 'setting':
      return html`<p>It is the value of the setting <code>ADMIN_TOKEN</code>.</p>${use}`
    case 'file':
      return html`<p>None was set, so one was drawn at the first start. It is in the file <code>admin-token</code> in the data directory, whose place the start-up log names. ${how}</p>${use}`
    case 'memory':
      return html`<p>None was set, and none could be kept in the data directory, so nobody is admin. ${how}</p>`
  }
}

function readableTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`
}

import { writeBlockSentence } from '../../database/machine/write-block.ts'
import { archiveSentence, isArchived, isRestoring, restoreSentence } from '../status/archive-wording.ts'
import { type HealthStatus, healthOf } from '../status/readiness.ts'
import type { CollectionLine, StatusSource, TokenSource } from '../status/status-source.ts'
import {
  conflictSentence,
  durabilitySentence,
  journalSentence,
  keylessSentence,
  lackingSentence,
  noFallbackSentence,
  outageSentence,
  stateSentence,
} from '../status/wording.ts'
import { type Content, html, Markup } from './html.ts'
import { pageStyle } from './page-style.ts'
import { curlLine, curlListLine, lineHint, pythonLine } from './snippet.ts'

/** The paths that the front page links to. */
export const links = {
  health: '/health',
  live: '/health/live',
  ready: '/health/ready',
  status: '/status',
  metrics: '/metrics',
  docs: '/docs',
  openapi: '/openapi.json',
} as const

/** Where the service is, for lines to copy (`base`) and for links (`mount`). */
interface PagePlace {
  readonly base: string
  readonly mount: string
}

/** The front page as one self-contained HTML document. */
export function renderPage(at: PagePlace, source: StatusSource): string {
  const archive = source.archive()
  const isAway = archive !== null && isRestoring(archive)
  const archived = archive === null ? null : archiveSentence(archive, Date.now())
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
<p class="lead" id="state">${isAway ? restoreSentence(archive) : stateSentence(database)}</p>
${warningParagraphs(source)}
<p class="soft" id="durability">${durabilitySentence(source.durability(), isArchived(archive))}</p>
${archived === null ? null : html`<p class="soft" id="archive">${archived}</p>`}
${collectionsSection(at, source)}
${operatorSection(at, source)}
<footer>Holdfast ${source.version} · in this state since <time datetime="${database.since}">${readableTime(database.since)}</time></footer>
</main>
</body>
</html>
`.toString()
}

/** What needs attention although the service works. */
function warningParagraphs(source: StatusSource): readonly Markup[] {
  const { writeBlock, journal, hasFallback, standby, diskFull } = source.database()
  const waiting = journal === null ? null : journalSentence(journal)
  const conflicts = source.conflicts()
  const lacking = source.lacking()
  const keyless = source.keyless()
  return [
    ...(diskFull
      ? [
          html`<p id="disk-full">The disk of the database is full: rows can be read, not written. Free space; writes resume without a restart.</p>`,
        ]
      : []),
    ...(lacking.length > 0 ? [html`<p id="lacking">${lackingSentence(lacking)}</p>`] : []),
    ...(keyless.length > 0 ? [html`<p id="keyless">${keylessSentence(keyless)}</p>`] : []),
    ...(hasFallback ? [] : [html`<p id="no-fallback">${noFallbackSentence(standby?.fault?.code ?? null)}</p>`]),
    ...(waiting === null ? [] : [html`<p id="journal">${waiting}</p>`]),
    ...(conflicts === 0 ? [] : [html`<p id="conflicts">${conflictSentence(conflicts)}</p>`]),
    ...(writeBlock === null || writeBlock === 'setting'
      ? []
      : [html`<p id="write-block">${writeBlockSentence(writeBlock)}</p>`]),
  ]
}

const statusWords: Readonly<Record<HealthStatus, string>> = {
  pass: 'Working',
  warn: 'Working, with a warning',
  fail: 'No database',
}

/** The health for a person: a service that works may still lose its rows at a restart. */
function pillOf(source: StatusSource): { readonly colour: HealthStatus; readonly words: string } {
  const { status } = healthOf(source)
  if (isRestoring(source.archive())) return { colour: 'warn', words: 'Restoring' }
  const isEphemeral = source.durability()?.endsWith('-ephemeral') ?? false
  const isLosable = status !== 'fail' && isEphemeral && !isArchived(source.archive())
  if (isLosable) return { colour: 'warn', words: `${statusWords[status]}; a restart may lose rows` }
  return { colour: status, words: statusWords[status] }
}

/** An anchor, inlined so that the page fetches nothing. */
const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%230b8fa5' stroke-width='2.2' stroke-linecap='round'%3E%3Ccircle cx='12' cy='5' r='2.5'/%3E%3Cpath d='M12 7.5V21M7 11h10M4 14c0 4.5 4 7 8 7s8-2.5 8-7'/%3E%3C/svg%3E"

function collectionsSection(at: PagePlace, source: StatusSource): Markup {
  const collections = source.collections()
  if (collections.length === 0) {
    return html`<section><h2>Collections</h2><p>No collections yet. A collection is one JSON file in the collections folder. The startup log and <a href="${at.mount}${links.status}">Status</a> name that folder.</p></section>`
  }
  return html`<section id="collections"><h2>Collections</h2><p class="small"><a href="${at.mount}${links.docs}">Documentation of the API</a> · <a href="${at.mount}${links.openapi}">OpenAPI</a></p>${collections.map((one) => collectionArticle(at, one, outageOf(source, one)))}</section>`
}

/** Null: there is no primary, or no fallback for it. */
function outageOf(source: StatusSource, { name }: CollectionLine): string | null {
  const { hasFallback, writeBlock } = source.database()
  const line = hasFallback ? source.copy().find(({ collection }) => collection === name) : undefined
  return line === undefined ? null : outageSentence(line, Date.now(), writeBlock === null)
}

function collectionArticle({ base, mount }: PagePlace, collection: CollectionLine, outage: string | null): Markup {
  const { path, access, description } = collection
  const hint = lineHint(collection)
  return html`<article>
<div class="row"><h3><a href="${mount}${path}">${mount}${path}</a></h3><span class="soft small">${accessLine(access)}</span></div>
${description === null ? null : html`<p>${description}</p>`}
${outage === null ? null : html`<p class="soft small outage">${outage}</p>`}
${hint === null ? null : html`<p class="soft small">${hint}</p>`}
<p class="label">Create a row with curl</p>
<pre>${unbroken(curlLine(base, collection))}</pre>
<p class="label">Create a row with Python</p>
<pre>${pythonLine(base, collection)}</pre>
<p class="label">List rows</p>
<pre>${curlListLine(base, collection)}</pre>
</article>`
}

/** Keeps options whole: a browser may break a line after a hyphen. */
function unbroken(line: string): Content {
  return line.split(/(?<= )(-\w)(?= )/).map((part) => (/^-\w$/.test(part) ? html`<span>${part}</span>` : part))
}

/** Grants, as people say them. */
const holders: readonly (readonly [RegExp, string])[] = [
  [/\bpublic\b/, 'everyone'],
  [/\btoken\b/, 'API token'],
  [/\buser\b/, 'signed-in user'],
  [/\badmin\b/, 'admin token'],
  [/\bnone\b/, 'no one'],
]

function accessLine(access: CollectionLine['access']): string {
  const said = (who: string): string => holders.reduce((text, [word, name]) => text.replace(word, name), who)
  const groups = Map.groupBy(Object.entries(access), ([, who]) => who)
  if (groups.size === 1 && groups.has('public')) return 'open to everyone'
  if (groups.size === 1 && groups.has('admin')) return 'admin token only'
  return [...groups].map(([who, all]) => `${all.map(([operation]) => operation).join(', ')}: ${said(who)}`).join(' · ')
}

function operatorSection({ mount }: PagePlace, source: StatusSource): Markup {
  return html`<section>
<h2>For operators</h2>
<nav><a href="${mount}${links.health}">Health</a><a href="${mount}${links.ready}">Readiness</a><a href="${mount}${links.metrics}">Metrics</a><span><a href="${mount}${links.status}">Status</a> <span class="soft small">(admin token)</span></span></nav>
<p class="label">Admin token</p>
${tokenParagraph(source.adminToken().source, source.platform().spaceId !== null)}
</section>`
}

function tokenParagraph(source: TokenSource, inSpace: boolean): Content {
  const how = inSpace
    ? html`To choose your own, add a secret named <code>ADMIN_TOKEN</code> in the settings of the Space.`
    : html`To choose your own, set the environment variable <code>ADMIN_TOKEN</code> and restart.`
  const use = html`<p class="soft small">Send it as <code>Authorization: Bearer …</code> or as <code>Holdfast-Token: …</code></p>`
  switch (source.from) {
    case 'setting':
      return html`<p>The token is the value of the setting <code>ADMIN_TOKEN</code>.</p>${use}`
    case 'file':
      return html`<p><code>ADMIN_TOKEN</code> is not set, so Holdfast created a token at its first start. It is in the file <code>admin-token</code> in the data directory; the startup log has the path. ${how}</p>${use}`
    case 'memory':
      return html`<p><code>ADMIN_TOKEN</code> is not set, and no token could be saved in the data directory. Admin endpoints stay locked until a token is available. ${how}</p>`
  }
}

function readableTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`
}

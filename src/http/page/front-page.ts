import type { IncomingMessage } from 'node:http'
import { sendJson, sendText } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { mountPrefixOf } from '../server/mount.ts'
import { healthOf } from '../status/readiness.ts'
import type { StatusSource } from '../status/status-source.ts'
import { links, renderPage } from './page-body.ts'
import { pageStyleHash } from './page-style.ts'

/** Adds `GET /`: one self-contained page for a person, JSON for a program. Names no host but the client's own. */
export function addFrontPage(app: App, source: StatusSource): void {
  app.get('/', (req, res) => {
    const headers = { 'Cache-Control': 'no-store', Vary: 'Accept' }
    const { spaceId, spaceHost } = source.platform()
    const base = baseUrlOf(req, spaceHost)
    if (!prefersHtml(req.headers.accept)) return sendJson(res, 200, JSON.stringify(summaryOf(base, source)), headers)
    sendText(res, 200, 'text/html; charset=utf-8', renderPage({ base, mount: mountPrefixOf(req) }, source), {
      ...headers,
      'Content-Security-Policy': contentPolicy(spaceId !== null),
      'Referrer-Policy': 'no-referrer',
    })
  })
}

/** The front page for a program. */
function summaryOf(base: string, source: StatusSource): Readonly<Record<string, unknown>> {
  const database = source.database()
  const { store } = database
  const archive = source.archive()
  return {
    name: 'holdfast',
    version: source.version,
    status: healthOf(source).status,
    state: database.state,
    store: store === null ? null : { shown: store.shown, driver: store.driver },
    durability: source.durability(),
    archive: archive === null ? null : { phase: archive.phase, lagSeconds: archive.lagS },
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

/** True if the client prefers a page to JSON: browsers ask for HTML, programs for nothing in particular. */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined) return false
  const html = weightOf(accept, 'text/html')
  return html > 0 && html >= weightOf(accept, 'application/json')
}

/** The `q` that the header gives to exactly this type; 0 if it does not name it. */
function weightOf(accept: string, type: string): number {
  for (const entry of accept.split(',')) {
    const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase())
    if (name !== type) continue
    const given = parameters.find((parameter) => parameter.startsWith('q='))
    const weight = given === undefined ? 1 : Number(given.slice(2))
    return weight >= 0 && weight <= 1 ? weight : 0
  }
  return 0
}

/**
 * Where the client reaches this service, for lines to copy: the host of the Space, else a valid Host header, else this
 * machine, and the prefix under which the service is mounted. It is only shown and never followed, so a client that forges it deceives only itself.
 */
export function baseUrlOf(req: IncomingMessage, spaceHost: string | null): string {
  return originOf(req, spaceHost) + mountPrefixOf(req)
}

function originOf(req: IncomingMessage, spaceHost: string | null): string {
  if (spaceHost !== null && isHost(spaceHost)) return `https://${spaceHost}`
  const host = req.headers.host
  if (host === undefined || !isHost(host)) return `http://localhost:${req.socket.localPort ?? 7860}`
  const forwarded = req.headers['x-forwarded-proto']
  const scheme = typeof forwarded === 'string' && forwarded.split(',')[0]?.trim() === 'https' ? 'https' : 'http'
  return `${scheme}://${host}`
}

function isHost(text: string): boolean {
  return text.length <= 255 && /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(text)
}

/** The content security policy of a page: allows its one style, by hash, and its icon. */
export function contentPolicy(inSpace: boolean): string {
  return `default-src 'none'; style-src '${pageStyleHash}'; img-src data:; base-uri 'none'; form-action 'none'; ${frameAncestors(inSpace)}`
}

/** Who may show a page in a frame: Hugging Face shows a Space in one of its own pages. */
export function frameAncestors(inSpace: boolean): string {
  return `frame-ancestors ${inSpace ? "'self' https://huggingface.co https://*.hf.space" : "'self'"}`
}

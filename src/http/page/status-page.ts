import crypto from 'node:crypto'
import { isAdmin } from '../auth/admin.ts'
import { sendText } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import type { StatusSource } from '../status/status-source.ts'
import { contentPolicy, prefersHtml } from './front-page.ts'
import { html, Markup } from './html.ts'
import { pageStyle } from './page-style.ts'

/** Keeps the token for the tab alone; where the browser keeps nothing for a page in a frame, until the page is left. */
const script = `
const form = document.querySelector('form'), field = document.querySelector('input')
const out = document.querySelector('pre'), said = document.querySelector('#said'), key = 'holdfast-token'
const keep = (token) => { try { token ? sessionStorage.setItem(key, token) : sessionStorage.removeItem(key) } catch {} }
const kept = () => { try { return sessionStorage.getItem(key) } catch { return null } }
const show = async (token) => {
  out.hidden = true
  said.textContent = 'Loading.'
  try {
    const answer = await fetch(location.href, { headers: { Accept: 'application/json', 'Holdfast-Token': token } })
    const text = await answer.text()
    keep(answer.ok ? token : null)
    said.textContent = answer.ok ? 'This tab keeps the token until it is closed.' : (({ detail, title }) => detail ?? title)(JSON.parse(text))
    out.textContent = answer.ok ? text : ''
    out.hidden = !answer.ok
  } catch {
    said.textContent = 'The service did not answer.'
  }
}
form.addEventListener('submit', (event) => { event.preventDefault(); void show(field.value.trim()) })
const token = kept()
if (token) void show(token)
`

const scriptHash = `sha256-${crypto.hash('sha256', script, 'base64')}`

/** Adds `GET /status` for a person without the token: a page with a field for it. Must precede the route for programs. */
export function addStatusPage(app: App, source: StatusSource): void {
  app.get('/status', (req, res, next) => {
    if (!prefersHtml(req.headers.accept) || isAdmin(req, source.adminToken().token)) return next()
    const policy = contentPolicy(source.platform().spaceId !== null)
    sendText(res, 401, 'text/html; charset=utf-8', page, {
      'Cache-Control': 'no-store',
      'WWW-Authenticate': 'Bearer realm="holdfast"',
      Vary: 'Accept',
      'Content-Security-Policy': `${policy}; script-src '${scriptHash}'; connect-src 'self'`,
      'Referrer-Policy': 'no-referrer',
    })
  })
}

const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Holdfast – Status</title>
<link rel="icon" href="data:,">
<style>${new Markup(pageStyle)}</style>
</head>
<body>
<main>
<header><h1>Status</h1></header>
<section>
<form>
<label class="label" for="token">Admin token</label>
<input id="token" type="password" autocomplete="off" required> <button>Show</button>
</form>
<p class="soft small" id="said">The value of ADMIN_TOKEN, or of the file that the startup log names.</p>
<pre hidden></pre>
<noscript><p>Without JavaScript: <code>curl -H "Holdfast-Token: …" …/status</code></p></noscript>
</section>
</main>
<script>${new Markup(script)}</script>
</body>
</html>
`.toString()

import { findDocsFolder } from '../docs/docs-files.ts'
import { sendText } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { mountPrefixOf } from '../server/mount.ts'
import type { StatusSource } from '../status/status-source.ts'
import { contentPolicy, frameAncestors } from './front-page.ts'
import { html, Markup } from './html.ts'
import { links } from './page-body.ts'
import { pageStyle } from './page-style.ts'

/** Adds `GET /docs`: Swagger UI over `/openapi.json`. Nothing on it leaves the origin. */
export function addDocsPage(
  app: App,
  source: StatusSource,
  findFolder: () => Promise<string | null> = findDocsFolder,
): void {
  app.get('/docs', async (req, res) => {
    const mount = mountPrefixOf(req)
    const inSpace = source.platform().spaceId !== null
    const isBuilt = (await findFolder()) !== null
    const page = isBuilt ? renderDocs(mount) : renderNotBuilt(mount)
    sendText(res, 200, 'text/html; charset=utf-8', page, {
      'Cache-Control': 'no-cache',
      'Content-Security-Policy': isBuilt ? docsPolicy(inSpace) : contentPolicy(inSpace),
      'Referrer-Policy': 'no-referrer',
    })
  })
}

/** Swagger UI styles its elements one by one; scripts and requests are those of this origin alone. */
function docsPolicy(inSpace: boolean): string {
  const sources = "script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
  return `default-src 'none'; ${sources}; base-uri 'none'; form-action 'none'; ${frameAncestors(inSpace)}`
}

function renderDocs(mount: string): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast: the API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${mount}${links.docs}/swagger-ui.css">
</head>
<body>
<div id="docs" data-url="${mount}${links.openapi}"></div>
<script src="${mount}${links.docs}/swagger-ui-bundle.js"></script>
<script src="${mount}${links.docs}/start.js"></script>
</body>
</html>
`.toString()
}

function renderNotBuilt(mount: string): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast: the API</title>
<link rel="icon" href="data:,">
<style>${new Markup(pageStyle)}</style>
</head>
<body>
<main>
<section><h2>The API</h2><p>This page is part of the build, and Holdfast runs from its sources: run <code>npm run build</code>. The description of the API is at <a href="${mount}${links.openapi}">${mount}${links.openapi}</a>.</p></section>
</main>
</body>
</html>
`.toString()
}

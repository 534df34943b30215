import { readFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { HoldfastError } from '../../errors.ts'
import { sendText } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { checkUnsent } from '../server/backpressure.ts'

/** Where the build puts Swagger UI: seen from the bundle, from the modules of the library, and from the sources. */
const folders: readonly URL[] = ['./docs/', '../../../../docs/', '../../../dist/docs/'].map(
  (path) => new URL(path, import.meta.url),
)

/** Starts Swagger UI. A file of its own, since the policy of the page runs no script in it. */
const startScript = `SwaggerUIBundle({
  url: document.querySelector('#docs').dataset.url,
  dom_id: '#docs',
  validatorUrl: null,
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
})
`

const contentTypes: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'start.js': 'text/javascript; charset=utf-8',
}

/** The folder with Swagger UI; null: it was not built. */
export async function findDocsFolder(candidates: readonly URL[] = folders): Promise<string | null> {
  for (const candidate of candidates) {
    const folder = fileURLToPath(candidate)
    const found = await stat(`${folder}swagger-ui-bundle.js`).catch(() => null)
    if (found !== null) return folder
  }
  return null
}

/** Adds `/docs/:file`: what the page of the documentation loads. */
export function addDocsFiles(app: App, findFolder: () => Promise<string | null> = findDocsFolder): void {
  app.get('/docs/:file', async (req, res) => {
    const file = req.params.file ?? ''
    const type = Object.hasOwn(contentTypes, file) ? contentTypes[file] : undefined
    const folder = type === undefined ? null : await findFolder()
    if (type === undefined || folder === null) throw new HoldfastError('ROUTE_NOT_FOUND')
    const text = file === 'start.js' ? startScript : await readFile(folder + file, 'utf8')
    checkUnsent(text.length)
    sendText(res, 200, type, text, { 'Cache-Control': 'public, max-age=3600' })
  })
}

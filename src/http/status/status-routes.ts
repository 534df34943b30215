import { formatOrigin } from '../../config/problem.ts'
import { copyStatusOf } from '../../copy/copy-line.ts'
import { requireAdmin } from '../auth/admin.ts'
import { sendJson, sendText } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { archiveStatusOf } from './archive-wording.ts'
import { healthOf } from './readiness.ts'
import type { StatusSource } from './status-source.ts'

/** Renders all metrics as text. The first call may take longer because it loads the metrics library. */
export type RenderMetrics = () => Promise<{ readonly contentType: string; readonly text: string }>

/** Adds `/status`, behind the admin token: everything that is known, with secrets masked. */
export function addStatusRoute(app: App, source: StatusSource): void {
  app.get('/status', (req, res) => {
    requireAdmin(req, source.adminToken().token)
    sendJson(res, 200, JSON.stringify(statusOf(source), null, 2), { 'Cache-Control': 'no-store' })
  })
}

/**
 * Adds `/metrics`. Public, as scrapers expect: it contains states, counts and durations by route pattern, but no host,
 * user, address or row value.
 */
export function addMetricsRoute(app: App, render: RenderMetrics): void {
  app.get('/metrics', async (_req, res) => {
    const { contentType, text } = await render()
    sendText(res, 200, contentType, text, { 'Cache-Control': 'no-store' })
  })
}

/** The body of `/status`. */
function statusOf(source: StatusSource): Readonly<Record<string, unknown>> {
  const { status, ready } = healthOf(source)
  const { transitions, ...database } = source.database()
  const archive = source.archive()
  return {
    service: {
      name: 'holdfast',
      version: source.version,
      node: process.version,
      pid: process.pid,
      startedAt: source.startedAt.toISOString(),
      closing: source.isClosing(),
    },
    health: { status, ready },
    database: {
      ...database,
      durability: source.durability(),
      conflicts: source.conflicts(),
      validationErrors: source.problems().flatMap(({ severity, message }) => (severity === 'error' ? [message] : [])),
    },
    copy: source.copy().map(copyStatusOf),
    archive: archive === null ? null : archiveStatusOf(archive),
    adminToken: source.adminToken().source,
    problems: source.problems(),
    transitions,
    collections: source.collections().map(({ name, path, access }) => ({ name, path, access })),
    settings: source.settings().map(({ name, value, origin }) => ({ name, value, origin: formatOrigin(origin) })),
  }
}

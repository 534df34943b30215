import { formatOrigin } from '../../config/problem.ts'
import { sendJson } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { requireAdmin } from '../server/auth.ts'
import type { StatusSource } from './status-source.ts'
import { verdictOf } from './verdict.ts'

/** Adds `/status`, behind the admin token: everything that is known, secrets masked. */
export function addStatusRoute(app: App, source: StatusSource): void {
  app.get('/status', (req, res) => {
    requireAdmin(req, source.adminToken().token)
    sendJson(res, 200, JSON.stringify(statusOf(source), null, 2), { 'Cache-Control': 'no-store' })
  })
}

/** The body of `/status`. */
export function statusOf(source: StatusSource): Readonly<Record<string, unknown>> {
  const { status, ready } = verdictOf(source)
  const { transitions, ...database } = source.database()
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
    database: { ...database, durability: source.durability(), left: source.left() },
    adminToken: source.adminToken().source,
    problems: source.problems(),
    transitions,
    collections: source.collections().map(({ name, path, access }) => ({ name, path, access })),
    settings: source.settings().map(({ name, value, origin }) => ({ name, value, origin: formatOrigin(origin) })),
  }
}

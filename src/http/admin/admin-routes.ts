import type { Problem } from '../../config/problem.ts'
import type { Secret } from '../../config/secret.ts'
import { sendJson } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { requireAdmin } from '../server/auth.ts'

/** What a reload did. Settings are named by key; no values. */
export interface ReloadReport {
  /** In force now. */
  readonly changed: readonly string[]
  /** Read, but in force only after a restart. */
  readonly needsRestart: readonly string[]
  /** False: the files were so wrong that the running configuration was left as it is. */
  readonly applied: boolean
  readonly problems: readonly Problem[]
}

/** Adds `POST /admin/reload`, behind the admin token. A second call while one runs gets the same report. */
export function addAdminRoutes(
  app: App,
  parts: { readonly token: () => Secret; readonly reload: () => Promise<ReloadReport> },
): void {
  let running: Promise<ReloadReport> | null = null
  app.post('/admin/reload', async (req, res) => {
    requireAdmin(req, parts.token())
    running ??= parts.reload().finally(() => {
      running = null
    })
    const { applied, changed, needsRestart, problems } = await running
    const body = JSON.stringify({ applied, changed, needsRestart, problems }, null, 2)
    sendJson(res, 200, body, { 'Cache-Control': 'no-store' })
  })
}

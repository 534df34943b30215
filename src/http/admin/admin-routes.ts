import type { Problem } from '../../config/problem.ts'
import type { Secret } from '../../config/secret.ts'
import { requireAdmin } from '../auth/admin.ts'
import { sendJson } from '../server/answers.ts'
import type { App } from '../server/app.ts'

/** The result of a reload. Names settings by key, without values. */
export interface Reloaded {
  /** False: the new configuration has errors, and the running one stays. */
  readonly applied: boolean
  /** In force now. */
  readonly changed: readonly string[]
  /** In force only after a restart. */
  readonly needsRestart: readonly string[]
  readonly problems: readonly Problem[]
}

/** Adds `POST /admin/reload`, behind the admin token. A call while another runs gets the same report. */
export function addAdminRoutes(
  app: App,
  parts: { readonly token: () => Secret; readonly reload: () => Promise<Reloaded> },
): void {
  let running: Promise<Reloaded> | null = null
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

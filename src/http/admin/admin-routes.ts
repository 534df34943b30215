import type { Problem } from '../../config/problem.ts'
import type { Secret } from '../../config/secret.ts'
import { sendJson } from '../server/answers.ts'
import type { App } from '../server/app.ts'
import { requireAdmin } from '../server/auth.ts'

/** The result of a reload. Names settings by key, without values. */
export interface ReloadReport {
  /** Settings that changed and are in use now. */
  readonly changed: readonly string[]
  /** Settings that changed but take effect only after a restart. */
  readonly needsRestart: readonly string[]
  /** False if the files could not be used and the running configuration was kept. */
  readonly applied: boolean
  readonly problems: readonly Problem[]
}

/** Adds `POST /admin/reload`, behind the admin token. A call while another runs gets the same report. */
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

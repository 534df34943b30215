import type { Secret } from '../config/secret.ts'
import { addAdminRoutes, type Reloaded } from '../http/admin/admin-routes.ts'
import { addConflictRoutes } from '../http/admin/conflict-routes.ts'
import { Authenticator } from '../http/auth/authenticator.ts'
import { dataRoutes } from '../http/data/data-routes.ts'
import { addDocsFiles } from '../http/docs/docs-files.ts'
import { addDocumentRoutes } from '../http/docs/document-routes.ts'
import { addDocsPage } from '../http/page/docs-page.ts'
import { addErrorPages } from '../http/page/error-pages.ts'
import { addFrontPage } from '../http/page/front-page.ts'
import { addStatusPage } from '../http/page/status-page.ts'
import type { App } from '../http/server/app.ts'
import { addHealthRoutes } from '../http/status/health.ts'
import { addMetricsRoute, addStatusRoute, type RenderMetrics } from '../http/status/status-routes.ts'
import type { StatusSource } from '../http/status/status-source.ts'
import type { Conflicts } from '../journal/conflict/conflicts.ts'
import type { ActiveConfig } from './active-config.ts'

/** What the routes need. Functions where a reload replaces what is behind them. */
export interface RouteParts {
  readonly active: () => ActiveConfig
  readonly token: Secret
  readonly view: StatusSource
  readonly render: RenderMetrics
  readonly reload: () => Promise<Reloaded>
  /** Null while no primary is open. */
  readonly conflicts: () => Conflicts | null
}

/** Adds every route of the service itself. */
export function addRoutes(app: App, parts: RouteParts): void {
  const { active, view, render, reload } = parts
  const token = (): Secret => parts.token
  const settings = () => active().found.resolved.settings
  addDocumentRoutes(app, { version: view.version, collections: () => active().collections, token })
  dataRoutes(app, {
    collections: () => active().served,
    authenticator: new Authenticator({ adminToken: token, settings, now: () => performance.now() }),
    settings: () => settings().http,
    trustedProxies: () => active().trustedProxies,
    now: () => performance.now(),
  })
  addFrontPage(app, view)
  addDocsPage(app, view)
  addDocsFiles(app)
  addHealthRoutes(app, view)
  addStatusPage(app, view)
  addStatusRoute(app, view)
  addMetricsRoute(app, render)
  addErrorPages(app)
  addAdminRoutes(app, { token, reload })
  addConflictRoutes(app, { token, conflicts: parts.conflicts })
}

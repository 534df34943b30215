import type { Secret } from '../config/secret.ts'
import type { Settings } from '../config/settings.ts'
import { addAdminRoutes, type ReloadReport } from '../http/admin/admin-routes.ts'
import { dataRoutes } from '../http/data/data-routes.ts'
import { addErrorPages } from '../http/page/error-pages.ts'
import { addFrontPage } from '../http/page/front-page.ts'
import type { App } from '../http/server/app.ts'
import { addHealthRoutes } from '../http/status/health.ts'
import { addMetricsRoute, addStatusRoute, type RenderMetrics } from '../http/status/status-routes.ts'
import type { StatusSource } from '../http/status/status-source.ts'
import type { Snapshot } from './active-config.ts'

/** What the routes are made with. Functions, because a reload replaces what is behind them. */
export interface RouteParts {
  readonly snapshot: () => Snapshot
  readonly token: () => Secret
  readonly view: StatusSource
  readonly render: RenderMetrics
  readonly reload: () => Promise<ReloadReport>
}

/** Adds everything that the service itself answers. */
export function addRoutes(app: App, { snapshot, token, view, render, reload }: RouteParts): void {
  const settings = (): Settings => snapshot().found.resolved.settings
  dataRoutes(app, {
    collections: () => snapshot().rows,
    settings: () => settings().http,
    token,
    // A Space stands behind one proxy; elsewhere anybody could write the header.
    trustedProxies: () => settings().http.trustedProxies ?? (settings().platform.spaceId === null ? 0 : 1),
    now: () => performance.now(),
  })
  addFrontPage(app, view)
  addHealthRoutes(app, view)
  addStatusRoute(app, view)
  addMetricsRoute(app, render)
  addErrorPages(app)
  addAdminRoutes(app, { token, reload })
}

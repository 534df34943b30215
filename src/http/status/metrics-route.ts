import { sendText } from '../server/answers.ts'
import type { App } from '../server/app.ts'

/** Renders all metrics as text; the first call may take longer, since it loads the library. */
export type RenderMetrics = () => Promise<{ readonly contentType: string; readonly text: string }>

/**
 * Adds `/metrics`. Open to everybody, as scrapers expect: it holds states, counts and times by route pattern, and no
 * host, user, address or value of a row.
 */
export function addMetricsRoute(app: App, render: RenderMetrics): void {
  app.get('/metrics', async (_req, res) => {
    const { contentType, text } = await render()
    sendText(res, 200, contentType, text, { 'Cache-Control': 'no-store' })
  })
}

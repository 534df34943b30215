import type { RenderMetrics } from '../http/status/status-routes.ts'
import { Counts } from './counts.ts'
import type { Observation } from './observation.ts'
import type { MetricsSource } from './registry.ts'

/** Counts observations and renders them as metrics. */
export interface Metrics {
  observe(seen: Observation): void
  /** All metrics in the Prometheus text format. The first call loads the library. */
  readonly render: RenderMetrics
  /** Stops measuring. Safe to call twice. */
  close(): void
}

/** Starts counting. The first scrape loads the metrics library, which would take a fifth of the startup time. */
export function createMetrics(source: MetricsSource): Metrics {
  let rendering: Promise<RenderMetrics> | null = null
  const load = () => {
    rendering ??= import('./registry.ts').then(({ createRenderer }) => createRenderer(source, counts))
    // A failed load is not cached: the next scrape tries again.
    rendering.catch(() => {
      rendering = null
    })
    return rendering
  }
  const counts = new Counts()
  return {
    observe: (seen) => counts.add(seen),
    render: async () => (await load())(),
    close: () => counts.close(),
  }
}

import type { RenderMetrics } from '../http/status/metrics-route.ts'
import { Counts } from './counts.ts'
import type { MetricsSource } from './metrics-source.ts'
import type { Observation } from './observation.ts'

/** Counts observations, and renders them. */
export interface Metrics {
  observe(seen: Observation): void
  /** All metrics in Prometheus' text format. The first call loads the library. */
  readonly render: RenderMetrics
  /** Stops what measures. Safe to call twice. */
  close(): void
}

/** Begins to count. The metrics library is loaded by the first scrape: it would be a fifth of the start. */
export function createMetrics(source: MetricsSource): Metrics {
  let rendering: Promise<RenderMetrics> | null = null
  const load = () => {
    rendering ??= import('./registry.ts').then(({ createRenderer }) => createRenderer(source, counts))
    // A failed load is not kept: the next scrape tries again.
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

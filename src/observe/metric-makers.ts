import { Counter, Gauge, type Registry } from 'prom-client'
import type { Tally } from './counts.ts'

type Put = (labels: Readonly<Record<string, string>>, value: number) => void

/** Takes the values of the last scrape away. */
function clear(metric: Pick<Gauge, 'reset' | 'remove'>, labelNames: readonly string[]): void {
  metric.reset()
  // Without labels a reset leaves a zero, which would be a value.
  if (labelNames.length === 0) metric.remove()
}

/** A gauge whose values are read at each scrape. */
export function gauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  read: (set: Put) => void,
): void {
  new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      clear(this, labelNames)
      read((labels, value) => this.set({ ...labels }, value))
    },
  })
}

/** A counter whose values are read at each scrape. */
export function counter(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  read: (add: Put) => void,
): void {
  new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      clear(this, labelNames)
      read((labels, value) => this.inc({ ...labels }, value))
    },
  })
}

/** A counter of a tally. */
export function tallied<L extends Readonly<Record<string, string>>>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  tally: Tally<L>,
): void {
  counter(registry, name, help, labelNames, (add) => {
    for (const { labels, value } of tally.series()) add(labels, value)
  })
}

/** How long ago, in seconds; null: never. */
export function ageS(asOfMs: number | null): number | null {
  return asOfMs === null ? null : Math.max(0, Date.now() - asOfMs) / 1000
}

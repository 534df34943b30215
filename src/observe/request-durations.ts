import type { HttpObservation } from '../http/server/observation.ts'

/** The durations of one route, method and class of status. */
export interface DurationSeries {
  readonly route: string
  readonly method: string
  /** `2xx`. */
  readonly status: string
  /** The number of requests per bucket; the last one is for durations above all bounds. */
  readonly counts: readonly number[]
  /** Seconds. */
  readonly sum: number
}

interface Counting extends DurationSeries {
  readonly counts: number[]
  sum: number
}

/** The upper bounds of the buckets, in seconds. */
export const durationBuckets: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

const methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const maxRoutes = 100
const otherRoute = '(other)'

/**
 * A histogram of request durations with a bounded number of series. The metrics library would build a text of the labels
 * per request; counting here, it is not even loaded before the first scrape.
 */
export class RequestDurations {
  /** By route, then by class of status and method; sparse. */
  readonly #routes = new Map<string, (Counting | undefined)[]>()

  /** Counts a request. */
  add({ route, method, status, durationMs }: Extract<HttpObservation, { type: 'request.answered' }>): void {
    const seconds = durationMs / 1000
    const statusClass = Math.floor(status / 100)
    const ofRoute = this.#routes.get(route) ?? this.#began(route)
    // An unknown method has the index -1 + 1.
    const index = statusClass * (methods.length + 1) + methods.indexOf(method) + 1
    let series = ofRoute[index]
    if (series === undefined) {
      series = began(this.#routes.has(route) ? route : otherRoute, method, statusClass)
      ofRoute[index] = series
    }
    series.sum += seconds
    let bucket = 0
    while (bucket < durationBuckets.length && seconds > (durationBuckets[bucket] ?? 0)) bucket += 1
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
  }

  /** All series. */
  *series(): Iterable<DurationSeries> {
    for (const ofRoute of this.#routes.values()) for (const series of ofRoute) if (series !== undefined) yield series
  }

  /** Routes above the maximum are counted together. */
  #began(route: string): (Counting | undefined)[] {
    const name = this.#routes.size < maxRoutes ? route : otherRoute
    const known = this.#routes.get(name)
    if (known !== undefined) return known
    const made: (Counting | undefined)[] = []
    this.#routes.set(name, made)
    return made
  }
}

function began(route: string, method: string, statusClass: number): Counting {
  const counts = new Array<number>(durationBuckets.length + 1).fill(0)
  return { route, method: methods.includes(method) ? method : 'other', status: `${statusClass}xx`, counts, sum: 0 }
}

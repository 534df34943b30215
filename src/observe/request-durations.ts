import type { HttpObservation } from '../http/server/observation.ts'

/** The answered requests of one route, method and class of status. */
export interface DurationSeries {
  readonly route: string
  readonly method: string
  /** `2xx`. */
  readonly status: string
  /** How many fell between each bound and the one before it; the last place is for those above all. */
  readonly counts: readonly number[]
  /** Seconds. */
  readonly sum: number
}

interface Counting extends DurationSeries {
  readonly counts: number[]
  sum: number
}

/** The upper bounds of the histogram, in seconds. */
export const durationBuckets: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

const methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const maxRoutes = 100
const otherRoute = '(other)'

/**
 * A histogram of durations in plain numbers, its labels within bounds. The metrics library would make a text of the
 * labels at each request; like this it is not even loaded before somebody scrapes.
 */
export class RequestDurations {
  /** By route; within it by class of status and method; sparse. */
  readonly #routes = new Map<string, (Counting | undefined)[]>()

  /** Counts an answered request. */
  add({ route, method, status, durationMs }: Extract<HttpObservation, { type: 'request.answered' }>): void {
    const seconds = durationMs / 1000
    const statusClass = Math.floor(status / 100)
    const ofRoute = this.#routes.get(route) ?? this.#began(route)
    // An unknown method has the place -1 + 1.
    const place = statusClass * (methods.length + 1) + methods.indexOf(method) + 1
    let series = ofRoute[place]
    if (series === undefined) {
      series = began(this.#routes.has(route) ? route : otherRoute, method, statusClass)
      ofRoute[place] = series
    }
    series.sum += seconds
    let bucket = 0
    while (bucket < durationBuckets.length && seconds > (durationBuckets[bucket] ?? 0)) bucket += 1
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
  }

  /** Everything counted so far. */
  *series(): Iterable<DurationSeries> {
    for (const ofRoute of this.#routes.values()) for (const series of ofRoute) if (series !== undefined) yield series
  }

  /** Routes over the bound are counted together. */
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

import type { Cleanup } from '../../support/temp.ts'
import { compareBuilds } from '../build-comparison.ts'
import type { Part } from '../part.ts'
import { judge } from '../verdict.ts'
import type { CollectionsBenchOptions } from './collections-options.ts'
import { databaseName } from './measurement.ts'

/** What a plain request may cost, times what it cost before. */
const goal = { atMost: 1.05 } as const

const only = ['get', 'list', 'create1', 'create64', 'change64']

/** Rows of the collection, as in `npm run bench`. */
const rows = 10_000

/** Processor time of requests that need nothing of the data API, next to that of another build. */
export async function measurePlain(
  t: Cleanup,
  { against, on, repeat, seconds }: CollectionsBenchOptions & { readonly against: string },
): Promise<Part> {
  const options = { on, repeat, seconds, rows, only, against, warmUpSeconds: 0.5, json: false }
  const { cases } = await compareBuilds(t, options, against)
  return {
    name: `plain: processor time of a request, next to ${against}, ${databaseName({ on })}`,
    figures: cases.flatMap(({ name, cpuUs }) => [
      { what: `${name}, before, µs`, is: cpuUs.against },
      { what: `${name}, µs`, is: cpuUs.own },
    ]),
    verdicts: cases.map(({ name, ratios }) => judge(`${name} to before`, ratios, goal)),
  }
}

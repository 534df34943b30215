/**
 * `npm run bench [-- --on postgresql --seconds 2 --repeat 5 --only get,list --rows 10000 --json]`: Holdfast, without and with
 * its request log, next to a server written by hand and to Fastify with Drizzle, in one run.
 * `npm run bench -- --against <folder> [...]`: processor time per request as a ratio to the build of that folder.
 */

// Plain JavaScript: the launcher that an old Node reads first.
import { isBuilt } from '../../src/cli/entry.js'
import type { Cleanup } from '../support/temp.ts'
import { compareBuilds, showComparison } from './build-comparison.ts'
import { cases } from './cases.ts'
import { contest } from './contest.ts'
import { showContest } from './contest-text.ts'
import { endLoad } from './load/generator.ts'
import { type BenchOptions, readOptions, withCleanup } from './options.ts'

const options = read()
if (options !== null) {
  // From the sources it starts in three times the time, holds half as much more, and is slower.
  if (!isBuilt()) throw new Error('The sources are newer than the build: "npm run bench" builds first.')
  await withCleanup(async (t) => {
    t.after(endLoad)
    console.log(await measure(t, options))
  })
}

async function measure(t: Cleanup, wanted: BenchOptions): Promise<string> {
  const { against, json } = wanted
  if (against === null) {
    const result = await contest(t, wanted)
    return json ? JSON.stringify(result, null, 2) : showContest(result)
  }
  const result = await compareBuilds(t, wanted, against)
  return json ? JSON.stringify(result, null, 2) : showComparison(result)
}

function read(): BenchOptions | null {
  try {
    return readOptions(
      process.argv.slice(2),
      cases.map(({ name }) => name),
    )
  } catch (error) {
    console.error(`bench: ${(error as Error).message}`) // `parseArgs` and we throw Errors.
    process.exitCode = 1
    return null
  }
}

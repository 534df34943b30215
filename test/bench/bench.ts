/**
 * `npm run bench [-- --on postgresql --seconds 1 --repeat 2 --only get,list --rows 1000]`: requests per second as ratios to
 * a server written by hand, in the same run.
 * `npm run bench -- --against <folder> [--json ...]`: processor time per request as a ratio to the build of that folder.
 */

// Plain JavaScript: the launcher that an old Node reads first.
import { isBuilt } from '../../src/cli/entry.js'
import { compareBuilds } from './build-comparison.ts'
import { compareByHand } from './by-hand-comparison.ts'
import { endLoad } from './contestant.ts'
import { cases } from './measure.ts'
import { type BenchOptions, readOptions, withCleanup } from './options.ts'

const options = read()
if (options !== null) {
  // From the sources it starts in three times the time, holds half as much more, and is slower.
  if (!isBuilt()) throw new Error('The sources are newer than the build: "npm run bench" builds first.')
  const { against } = options
  await withCleanup((t) => {
    t.after(endLoad)
    return against === null ? compareByHand(t, options) : compareBuilds(t, options, against)
  })
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

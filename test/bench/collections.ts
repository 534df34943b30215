/**
 * `npm run bench:collections [-- --on sqlite|postgresql --only list,plain,pages,search,bulk,stream,keyed --rows 1000000
 * --repeat 5 --seconds 2 --against <folder> --json]`: what filters, sorts, streams, bulk writes and keys cost.
 */
import { parseArgs } from 'node:util'
// Plain JavaScript: the launcher that an old Node reads first.
import { isBuilt } from '../../src/cli/entry.js'
import { prepareRows } from './collections/asked-rows.ts'
import { bulkCreates } from './collections/bulk.ts'
import type { CollectionsBenchOptions } from './collections/collections-options.ts'
import { filteredList } from './collections/filtered.ts'
import { keyedCreates } from './collections/keyed.ts'
import type { Measurement, Values } from './collections/measurement.ts'
import { sortedPages } from './collections/pages.ts'
import { measurePlain } from './collections/plain-requests.ts'
import { search } from './collections/search.ts'
import { stream } from './collections/stream.ts'
import { endLoad } from './load/generator.ts'
import { readCount, readFolder, readNumber, withCleanup } from './options.ts'
import { type Part, showPart } from './part.ts'

/** In the order in which they run: those that add rows last. */
const measurements: Readonly<Record<string, Measurement>> = {
  list: filteredList,
  pages: sortedPages,
  search,
  stream,
  keyed: keyedCreates,
  bulk: bulkCreates,
}

const plain = 'plain'
const names = [plain, ...Object.keys(measurements)]

const { values } = parseArgs({
  options: {
    on: { type: 'string', default: 'sqlite' },
    only: { type: 'string', default: names.join(',') },
    repeat: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    rows: { type: 'string', default: '1000000' },
    against: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const { on, json } = values
if (on !== 'sqlite' && on !== 'postgresql') throw new Error(`--on accepts sqlite or postgresql, not "${on}".`)
const options: CollectionsBenchOptions = {
  on,
  repeat: readCount('repeat', values.repeat),
  seconds: readNumber('seconds', values.seconds),
  rows: readCount('rows', values.rows),
  against: values.against === undefined ? null : readFolder(values.against),
}
const only = values.only.split(',')
const unknown = only.find((name) => !names.includes(name))
if (unknown !== undefined) throw new Error(`--only: "${unknown}" is none of ${names.join(', ')}.`)
if (!isBuilt()) throw new Error('The sources are newer than the build: "npm run bench:collections" builds first.')

await withCleanup(async (t) => {
  t.after(endLoad)
  const parts: Part[] = []
  const tell = (part: Part): void => {
    parts.push(part)
    if (!json) console.log(`${showPart(part)}\n`)
  }
  const { against } = options
  if (only.includes(plain) && against !== null) tell(await measurePlain(t, { ...options, against }))
  const wanted = Object.entries(measurements).filter(([name]) => only.includes(name))
  if (wanted.length > 0) for (const part of await measureAll(wanted.map(([, one]) => one))) tell(part)
  if (json) console.log(JSON.stringify({ ...options, node: process.version, parts }, null, 2))
})

/** Each repetition starts both servers again, on the same rows. */
async function measureAll(wanted: readonly Measurement[]): Promise<readonly Part[]> {
  return await withCleanup(async (t) => {
    const prepared = await prepareRows(t, options.on, options.rows)
    const found = wanted.map((measurement) => ({ measurement, all: [] as Values[] }))
    for (let at = 0; at < options.repeat; at += 1) {
      await withCleanup(async (scope) => {
        const rows = await prepared.enter(scope)
        for (const { measurement, all } of found) {
          const measured = await measurement.measure(rows, options)
          if (measured !== null) all.push(measured)
        }
      })
      process.stderr.write(`repetition ${at + 1} of ${options.repeat}\n`)
    }
    return found.flatMap(({ measurement, all }) => (all.length === 0 ? [] : [measurement.partOf(all, options)]))
  })
}

/**
 * `npm run bench:journal [-- --only creates,replay,large,return,kill --repeat 5 --seconds 2 --entries 30000 --large 1000000
 * --json]`: what a journal costs, and how fast it is carried.
 */
import { parseArgs } from 'node:util'
// Plain JavaScript: the launcher that an old Node reads first.
import { isBuilt } from '../../src/cli/entry.js'
import type { Cleanup } from '../support/temp.ts'
import { measureCreates } from './journal/creates.ts'
import type { JournalBenchOptions } from './journal/journal-options.ts'
import { measureLarge } from './journal/large.ts'
import { measureReplay } from './journal/replays.ts'
import { measureKill, measureReturn } from './journal/returns.ts'
import { endLoad } from './load/generator.ts'
import { readCount, readNumber, withCleanup } from './options.ts'
import { type Part, showPart } from './part.ts'

const parts: Readonly<Record<string, (t: Cleanup, options: JournalBenchOptions) => Promise<readonly Part[]>>> = {
  creates: measureCreates,
  replay: measureReplay,
  large: measureLarge,
  return: measureReturn,
  kill: measureKill,
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(parts).join(',') },
    repeat: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    entries: { type: 'string', default: '30000' },
    large: { type: 'string', default: '1000000' },
    json: { type: 'boolean', default: false },
  },
})
const options: JournalBenchOptions = {
  repeat: readCount('repeat', values.repeat),
  seconds: readNumber('seconds', values.seconds),
  entries: readCount('entries', values.entries),
  large: readCount('large', values.large),
}
if (!isBuilt()) throw new Error('The sources are newer than the build: "npm run bench:journal" builds first.')
const wanted = values.only.split(',').map((name) => {
  const measure = parts[name]
  if (measure === undefined) throw new Error(`--only: "${name}" is none of ${Object.keys(parts).join(', ')}.`)
  return measure
})
await withCleanup(async (t) => {
  t.after(endLoad)
  const measured: Part[] = []
  for (const measure of wanted) {
    const found = await measure(t, options)
    measured.push(...found)
    if (!values.json) for (const part of found) console.log(`${showPart(part)}\n`)
  }
  if (values.json) console.log(JSON.stringify({ ...options, node: process.version, parts: measured }, null, 2))
})

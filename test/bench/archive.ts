/**
 * `npm run bench:archive [-- --only rate,confirmed,restored,memory,idle --repeat 5 --seconds 2 --rows 10000 --large 1000000
 * --watched 30 --json]`: what an archive costs, and how fast rows come back from it.
 */
import { parseArgs } from 'node:util'
// Plain JavaScript: the launcher that an old Node reads first.
import { isBuilt } from '../../src/cli/entry.js'
import type { Cleanup } from '../support/temp.ts'
import { measureArchiveMemory } from './archive/archive-memory.ts'
import type { ArchiveBenchOptions } from './archive/archive-options.ts'
import { measureConfirmed } from './archive/confirmed.ts'
import { measureIdle } from './archive/idle.ts'
import { measureRate } from './archive/rate.ts'
import { measureRestored } from './archive/restored.ts'
import { endLoad } from './load/generator.ts'
import { readCount, readNumber, withCleanup } from './options.ts'
import { type Part, showPart } from './part.ts'

const parts: Readonly<Record<string, (t: Cleanup, options: ArchiveBenchOptions) => Promise<readonly Part[]>>> = {
  rate: measureRate,
  confirmed: measureConfirmed,
  restored: measureRestored,
  memory: measureArchiveMemory,
  idle: measureIdle,
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(parts).join(',') },
    repeat: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    rows: { type: 'string', default: '10000' },
    large: { type: 'string', default: '1000000' },
    watched: { type: 'string', default: '30' },
    json: { type: 'boolean', default: false },
  },
})
const options: ArchiveBenchOptions = {
  repeat: readCount('repeat', values.repeat),
  seconds: readNumber('seconds', values.seconds),
  rows: readCount('rows', values.rows),
  large: readCount('large', values.large),
  watchedS: readNumber('watched', values.watched),
}
if (!isBuilt()) throw new Error('The sources are newer than the build: "npm run bench:archive" builds first.')
const wanted = values.only.split(',').map((name) => {
  const measure = parts[name]
  if (measure === undefined) throw new Error(`--only: "${name}" is none of ${Object.keys(parts).join(', ')}.`)
  return measure
})
await withCleanup(async (t) => {
  t.after(endLoad)
  const measured: Part[] = []
  for (const measure of wanted) {
    const found = await withCleanup((scope) => measure(scope, options))
    measured.push(...found)
    if (!values.json) for (const part of found) console.log(`${showPart(part)}\n`)
  }
  if (values.json) console.log(JSON.stringify({ ...options, node: process.version, parts: measured }, null, 2))
})

/**
 * `npm run bench:copy [-- --on postgresql|mysql --only lag,fill,steady,loss,memory --repeat 5 --seconds 2 --rows 100000
 * --large 1000000 --minutes 5 --json]`: what the copy of a primary costs, and how soon it answers.
 */
import { parseArgs } from 'node:util'
// Plain JavaScript: the launcher that an old Node reads first.
import { isBuilt } from '../../src/cli/entry.js'
import type { Cleanup } from '../support/temp.ts'
import type { CopyBenchOptions } from './copy/copy-options.ts'
import { measureFill } from './copy/fill.ts'
import { measureLag } from './copy/lag.ts'
import { measureLoss } from './copy/loss.ts'
import { measureMemory } from './copy/memory.ts'
import { measureSteady } from './copy/steady.ts'
import { endLoad } from './load/generator.ts'
import { readCount, readNumber, withCleanup } from './options.ts'
import { type Part, showPart } from './part.ts'

const parts: Readonly<Record<string, (t: Cleanup, options: CopyBenchOptions) => Promise<readonly Part[]>>> = {
  lag: measureLag,
  fill: measureFill,
  steady: measureSteady,
  loss: measureLoss,
  memory: measureMemory,
}

const { values } = parseArgs({
  options: {
    on: { type: 'string', default: 'postgresql' },
    only: { type: 'string', default: Object.keys(parts).join(',') },
    repeat: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    rows: { type: 'string', default: '100000' },
    large: { type: 'string', default: '1000000' },
    minutes: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
})
const { on } = values
if (on !== 'postgresql' && on !== 'mysql') throw new Error(`--on accepts postgresql or mysql, not "${on}".`)
const options: CopyBenchOptions = {
  on,
  repeat: readCount('repeat', values.repeat),
  seconds: readNumber('seconds', values.seconds),
  rows: readCount('rows', values.rows),
  large: readCount('large', values.large),
  minutes: readNumber('minutes', values.minutes),
}
if (!isBuilt()) throw new Error('The sources are newer than the build: "npm run bench:copy" builds first.')
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

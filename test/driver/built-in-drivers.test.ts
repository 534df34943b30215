import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { coreSchema } from '../../src/config/schema/schema.ts'
import { repository, runProcess } from '../support/process.ts'

/** Imports what it is given and prints each module of a package that came with it. */
const watcher = `
import { registerHooks } from 'node:module'
const packages = []
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context)
    if (found.url.includes('/node_modules/')) packages.push(specifier)
    return found
  },
})
for (const url of process.argv.slice(1)) await import(url)
console.log(JSON.stringify(packages))
`

for (const name of coreSchema.drivers.default) {
  test(`importing the driver "${name}" loads no client and no other package`, async (t) => {
    const module = join(repository, `plugins/${name}/${name}.ts`)
    const { stdout, stderr } = await runProcess(t, { args: ['--input-type=module', '-e', watcher, module] })
    assert.equal(stderr, '')
    assert.deepEqual(JSON.parse(stdout), [])
  })
}

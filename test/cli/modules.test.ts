import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { repository, runProcess, startService } from '../support/process.ts'
import type { Cleanup } from '../support/temp.ts'

/** Says in the output which of the two mains were loaded. */
const spy =
  'data:text/javascript,import{registerHooks}from"node:module";' +
  'registerHooks({load(url,context,next){if(/\\/main\\.(js|ts)$/.test(url))console.error("loads "+url);return next(url,context)}})'

/** A driver that only says that it is one; what it can do is not asked for as long as nothing names its scheme. */
const foreign = `
const never = () => { throw new Error('not asked for') }
export default {
  contract: 1, name: 'foreign', schemes: ['foreign'],
  parse: never, describe: () => 'foreign', classify: never, connect: never,
}`

before(async () => {
  const clean: Cleanup = { after: () => undefined }
  const built = await runProcess(clean, { cwd: repository, args: ['src/cli/build.js', '--stale'], withinMs: 60_000 })
  assert.equal(built.code, 0, built.stderr)
})

test('the process runs from its bundle', async (t) => {
  const service = await startService(t, { args: ['--import', spy, join(repository, 'src/cli/start.js')] })
  assert.deepEqual(mains(service.output()), ['dist/main.js'])
  assert.equal((await service.send('POST', '/api/feedback', { rating: 3 })).status, 201)
})

test('a plugin that is not of the house starts the process from modules, where it shares MikroORM', async (t) => {
  const service = await startService(t, {
    args: ['--import', spy, join(repository, 'src/cli/start.js')],
    files: { 'drivers/foreign/foreign.js': foreign, 'drivers/foreign/package.json': '{"type":"module"}' },
    env: { DRIVERS: 'sqlite,./drivers/foreign' },
  })
  assert.deepEqual(mains(service.output()), ['dist/main.js', 'dist/lib/src/main.js'])
  assert.equal((await service.send('POST', '/api/feedback', { rating: 3 })).status, 201)
  assert.deepEqual(await service.end('SIGTERM'), { code: 0, signal: null }, service.output())
})

test('a plugin with a stray rejection is imported once, and the service serves', async (t) => {
  const rude = `
    import { appendFileSync } from 'node:fs'
    appendFileSync('imports', 'x')
    Promise.reject(new Error('stray'))
    setTimeout(() => { throw new Error('late') }, 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
    ${foreign}`
  const service = await startService(t, {
    args: [join(repository, 'src/cli/start.js')],
    files: { 'rude.mjs': rude },
    env: { DRIVERS: 'sqlite,./rude.mjs' },
  })
  assert.equal((await service.send('POST', '/api/feedback', { rating: 3 })).status, 201)
  assert.equal(await readFile(join(service.dir, 'imports'), 'utf8'), 'x')
  const defects = service.log().filter(({ event }) => event === 'service.defect')
  assert.match(JSON.stringify(defects), /stray.*late/)
  assert.deepEqual(await service.end('SIGTERM'), { code: 0, signal: null }, service.output())
})

test('a plugin that is nowhere is a problem, and no reason to start from modules', async (t) => {
  const service = await startService(t, {
    args: ['--import', spy, join(repository, 'src/cli/start.js')],
    env: { DRIVERS: 'sqlite,./drivers/nowhere' },
  })
  assert.deepEqual(mains(service.output()), ['dist/main.js'])
})

function mains(output: string): string[] {
  return [...output.matchAll(/^loads file:\/\/(.*)$/gm)]
    .map((match) => (match[1] ?? '').replace(`${repository}/`, ''))
    .filter((path) => !path.includes('node_modules'))
}

import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
// Plain JavaScript: the launcher that an old Node reads first.
import { isBuilt } from '../../src/cli/entry.js'
import { repository, runProcess } from '../support/process.ts'
import { makeTempDir } from '../support/temp.ts'

const folder = join(repository, 'config/examples/model')
const library = pathToFileURL(join(repository, isBuilt() ? 'dist/lib/src/index.js' : 'src/index.ts')).href
const names = ['validator', 'resolver', 'engine-factory', 'session-factory']

test('each class of the data model can be used alone, as its example shows, and under the spelling of the model', async (t) => {
  assert.deepEqual(readdirSync(folder).sort(), names.map((name) => `${name}.mjs`).sort())
  const cwd = await makeTempDir(t, 'model')
  symlinkSync(join(repository, 'node_modules'), join(cwd, 'node_modules'))
  cpSync(folder, cwd, { recursive: true })
  for (const name of names) {
    const file = join(cwd, `${name}.mjs`)
    const text = readFileSync(file, 'utf8').replace("'holdfast'", `'${library}'`)
    writeFileSync(file, name === 'session-factory' ? `${text}\nexport { server }\n` : text)
  }
  const program = `
    import * as model from '${library}'
    for (const name of ['validator', 'resolver', 'engine-factory']) await import('./' + name + '.mjs')
    const { server } = await import('./session-factory.mjs')
    if (!server.listening) await new Promise((done) => server.on('listening', done))
    const answer = await fetch('http://127.0.0.1:' + server.address().port)
    console.log(answer.headers.get('holdfast-store'), await answer.text())
    for (const name of ['Validator', 'Resolver']) console.log(model['DatabaseURL' + name] === model['DatabaseUrl' + name])
    process.kill(process.pid, 'SIGTERM')`
  // Nothing listens there.
  const env = { DATABASE_URL: 'postgresql://app:S3kret77@127.0.0.1:1/app', FALLBACK_TIMEOUT: '100ms' }
  const { code, stdout, stderr } = await runProcess(t, {
    cwd,
    env,
    files: { 'app.mjs': program },
    args: ['app.mjs'],
  })
  const [problem = '', ...others] = stdout.trimEnd().split('\n')
  assert.match(problem, /^ADDRESS_PORT_INVALID: Write /)
  const served = ['127.0.0.1, else sqlite; 0 problems', 'sqlite: [{"one":1}]', 'fallback; driver=sqlite [{"one":1}]']
  assert.deepEqual(others, [...served, 'true', 'true'])
  assert.equal(code, 0, stderr)
})

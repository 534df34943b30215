import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { repository, runProcess } from '../../support/process.ts'
import { makeTempDir } from '../../support/temp.ts'

const script = `
  import driver from './plugins/mysql/mysql.ts'
  import { Secret } from './src/config/secret.ts'
  const settings = { database: { schemaApply: 'additive' }, plugins: {} }
  const address = { form: 'url', role: 'primary', setting: 'database.url', origin: null, folders: [], scheme: 'mysql',
    text: new Secret('mysql://u:p@127.0.0.1:1/d') }
  const { target, problems } = driver.parse(address, settings)
  const found = await driver.inspect(target)
  const fault = await driver.connect(target, {}).catch((error) => driver.classify(error, 'open'))
  console.log(JSON.stringify({ problems, found, kind: fault.kind, code: fault.code, hint: fault.hint }))
`

test('without the client packages the driver loads, and says with which line of npm they come', async (t) => {
  const cwd = await makeTempDir(t, 'client')
  for (const folder of ['plugins/mysql', 'src/driver', 'src/disk', 'src/config', 'src/errors.ts']) {
    await cp(join(repository, folder), join(cwd, folder), { recursive: true })
  }
  const files = { 'package.json': '{"type":"module"}', 'try.ts': script }
  const { stdout, stderr, code } = await runProcess(t, { cwd, files, args: ['try.ts'] })
  assert.equal(code, 0, stderr)
  const { problems, found, kind, code: word, hint } = JSON.parse(stdout)
  assert.deepEqual(problems, [], 'an address alone is no reason to look')
  assert.deepEqual([kind, word], ['configuration', 'CLIENT_MISSING'])
  assert.match(hint, /^Run: npm install @mikro-orm\/mariadb@/)
  assert.deepEqual([found.problems[0].code, found.problems[0].suggestion], ['CLIENT_MISSING', hint])
})

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { isRoot, ordinaryUid, runProcess, startProcess, startService } from './process.ts'
import { until } from './until.ts'

const server = `
const server = require('node:http').createServer((req, res) => res.end(process.cwd() + ' ' + process.getuid()))
server.listen(Number(process.env.PORT), process.env.HOST, () => {
  console.log('not a log line')
  console.log(JSON.stringify({ level: 'info', event: 'http.listening', port: server.address().port }))
})`

test('a service is found at the port that it logs, in a folder and an environment of its own', async (t) => {
  const service = await startService(t, { args: ['-e', server], files: { 'a/b.txt': 'x' } })
  const [dir] = (await (await service.fetch('/')).text()).split(' ')
  assert.equal(dir, service.dir)
  assert.ok(existsSync(`${dir}/a/b.txt`))
  assert.deepEqual(await service.end('SIGTERM'), { code: null, signal: 'SIGTERM' })
})

test('a service that ends before it listens is reported with what it printed', async (t) => {
  const started = startService(t, { args: ['-e', 'console.error("no port for me"); process.exitCode = 3'] })
  await assert.rejects(started, /ended \(code 3, signal null\).*no port for me/s)
})

test('a process can run as an ordinary user with its folder as its own', async (t) => {
  const script = 'require("node:fs").writeFileSync("mine", ""); console.log(process.getuid())'
  const { code, stdout } = await runProcess(t, { args: ['-e', script], uid: ordinaryUid })
  assert.equal(code, 0)
  assert.equal(Number(stdout), isRoot ? ordinaryUid : process.getuid?.())
})

test('a process and its folder are gone when the test ends', async (t) => {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const hooks: Promise<void>[] = []
  const after = (clean: () => void | Promise<void>) => void hooks.push(ended.then(clean))
  const running = await startProcess({ after }, { args: ['-e', 'setInterval(() => {}, 1e6)'] })
  t.after(() => running.child.kill('SIGKILL'))
  end()
  await Promise.all(hooks)
  assert.equal(existsSync(running.dir), false)
  await until(() => running.child.signalCode === 'SIGKILL', { what: 'the end of the process' })
})

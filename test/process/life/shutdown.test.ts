import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { rawConnect } from '../../http/support.ts'
import { repository, type Service, startProcess, startService } from '../../support/process.ts'
import { until, within } from '../../support/until.ts'
import { childrenOf, listeningPorts } from '../kernel.ts'
import { makeHome } from '../sight.ts'
import { lockFile, makeDatabase } from '../sqlite/files.ts'

const row = JSON.stringify({ rating: 5 })
const head = `POST /api/feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${row.length}\r\n\r\n`

/** True when nobody listens there any more. */
async function isFree(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const isTaken = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return !isTaken
}

/** Creates rows until the service takes no more; every connection that was taken in gets a whole answer. */
async function load({ port }: Service, seen: (number | string)[]): Promise<void> {
  for (;;) {
    const answer = await new Promise<number | string>((resolve) => {
      const headers = { 'content-type': 'application/json', 'content-length': row.length }
      const req = request(
        { port, host: '127.0.0.1', method: 'POST', path: '/api/feedback', headers, agent: false },
        (res) => {
          res.resume()
          res.on('end', () => resolve(res.statusCode ?? 0)).on('error', () => resolve('cut'))
        },
      )
      req.on('error', (error) => resolve('code' in error ? String(error.code) : 'error'))
      req.end(row)
    })
    seen.push(answer)
    if (typeof answer === 'string') return
  }
}

test('SIGTERM under load: what is in flight is answered, the end is 0, the port is free, nobody is left', async (t) => {
  const service = await startService(t, { env: { RATE_LIMIT: '0', LOG_REQUESTS: 'false' } })
  const answers: (number | string)[] = []
  const writers = Array.from({ length: 16 }, () => load(service, answers))
  // Half of its body is still to come when the signal arrives.
  const late = rawConnect(t, service.port, head + row.slice(0, 5))
  await until(() => answers.length > 50, { what: 'the load' })
  assert.deepEqual(childrenOf(service.pid), [])
  const startedAt = performance.now()
  const ended = service.end('SIGTERM', 10_000)
  await until(() => isFree(service.port), { what: 'the port to be free' })
  late.socket.write(row.slice(5))
  const text = await within(late.closed, 5_000)
  assert.match(text, /^HTTP\/1\.1 201 /)
  assert.match(text, /connection: close/i)
  assert.deepEqual(await ended, { code: 0, signal: null })
  assert.ok(performance.now() - startedAt < 10_000)
  await Promise.all(writers)
  const codes = new Set(answers)
  codes.delete(201)
  // A connection that was not taken in yet is refused or reset by the kernel; one that was gets its answer.
  assert.deepEqual(
    [...codes].filter((code) => code !== 'ECONNREFUSED' && code !== 'ECONNRESET' && code !== 503),
    [],
  )
})

test('a client that never finishes holds the end up for no longer than SHUTDOWN_TIMEOUT', async (t) => {
  const service = await startService(t, { env: { SHUTDOWN_TIMEOUT: '1' } })
  const never = rawConnect(t, service.port, head)
  await once(never.socket, 'connect')
  await until(() => service.fetch('/health').then(({ ok }) => ok))
  const startedAt = performance.now()
  assert.deepEqual(await service.end('SIGTERM', 5_000), { code: 0, signal: null })
  const tookMs = performance.now() - startedAt
  assert.ok(tookMs > 400 && tookMs < 3_000, `${tookMs}`)
})

test('a request that waits for a database when the end comes is answered, not cut', async (t) => {
  const dir = await makeHome(t)
  await mkdir(join(dir, 'data'))
  const file = join(dir, 'data/production.db')
  await makeDatabase(file)
  const lock = await lockFile(t, file)
  const service = await startService(t, { cwd: dir, env: { SHUTDOWN_TIMEOUT: '4s', ADMIN_TOKEN: 'a-token-of-tests' } })
  const waiting = service.fetch('/api/feedback')
  await until(() => service.log().some((line) => line.to === 'CONNECTING_FALLBACK'), { what: 'the opening' })
  const ended = service.end('SIGTERM', 6_000)
  const answer = await waiting
  assert.equal(answer.status, 503)
  assert.equal(((await answer.json()) as { code: string }).code, 'CLOSING') // Our own problem document.
  assert.ok(answer.headers.has('retry-after'))
  assert.equal((await ended).code, 0)
  await lock.release()
})

test('a second signal ends the process at once', async (t) => {
  const service = await startService(t, { env: { SHUTDOWN_TIMEOUT: '60' } })
  rawConnect(t, service.port, head)
  await until(() => service.fetch('/health').then(({ ok }) => ok))
  service.child.kill('SIGTERM')
  await until(() => isFree(service.port), { what: 'the first signal to be heard' })
  const startedAt = performance.now()
  const { code, signal } = await service.end('SIGINT', 3_000)
  assert.deepEqual({ code, signal }, { code: 1, signal: null })
  assert.ok(performance.now() - startedAt < 2_000)
})

test('SIGINT ends it as SIGTERM does', async (t) => {
  const service = await startService(t)
  assert.deepEqual(await service.end('SIGINT'), { code: 0, signal: null })
})

test('SIGTERM before it listens ends it too', async (t) => {
  const running = await startProcess(t)
  const { code, signal } = await running.end('SIGTERM')
  assert.ok(signal === 'SIGTERM' || code === 0, `${code} ${signal}`)
})

for (const entry of ['src/cli/start.js', 'src/cli/holdfast.js', 'src/main.ts']) {
  test(`SIGUSR1 opens no debugger (${entry})`, async (t) => {
    const service = await startService(t, { args: [join(repository, entry)] })
    const before = listeningPorts(service.pid)
    service.child.kill('SIGUSR1')
    // Node would have opened it by the time it has answered some requests.
    for (let at = 0; at < 20; at++) assert.equal((await service.fetch('/health/live')).status, 200)
    assert.deepEqual(listeningPorts(service.pid), before)
    assert.equal((await service.end()).code, 0)
    assert.doesNotMatch(service.output(), /Debugger listening/)
  })
}

/** A plugin whose import waits for a file: the start stands still for as long as the test wants. */
const waiting = `
import { existsSync, writeFileSync } from 'node:fs'
writeFileSync('importing', '')
while (!existsSync('go')) await new Promise((resolve) => setTimeout(resolve, 10))
export const driver = {}`

for (const entry of ['src/cli/start.js', 'src/main.ts']) {
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    test(`${signal} during the start is obeyed as soon as something can (${entry})`, async (t) => {
      const env = { DRIVERS: 'sqlite,./waiting.mjs' }
      const running = await startProcess(t, {
        args: [join(repository, entry)],
        files: { 'waiting.mjs': waiting },
        env,
      })
      await until(() => existsSync(join(running.dir, 'importing')), { withinMs: 20_000, what: 'the import' })
      running.child.kill(signal)
      await writeFile(join(running.dir, 'go'), '')
      const events = () => running.log().map(({ event }) => event)
      if (signal === 'SIGHUP') {
        await until(() => events().includes('settings.reloaded'), { what: 'the reload' })
        running.child.kill('SIGTERM')
      }
      assert.deepEqual(await running.exited, { code: 0, signal: null }, running.output())
      assert.equal(events().includes('http.listening'), signal === 'SIGHUP')
      assert.equal(events().at(-1), 'service.closed')
    })
  }
}

test('stdin that is closed is no reason to end', async (t) => {
  const main = join(repository, 'src/main.ts')
  const service = await startService(t, {
    command: '/bin/sh',
    args: ['-c', 'exec "$0" "$1" <&-', process.execPath, main],
  })
  assert.equal((await service.send('POST', '/api/feedback', { rating: 5 })).status, 201)
  assert.deepEqual(await service.end(), { code: 0, signal: null })
})

test('a reader of the log that goes away (| head -1) takes nothing with it', async (t) => {
  const main = join(repository, 'src/main.ts')
  const script = '"$0" "$1" & echo $! > pid; wait $!; echo "ended $?" >&2'
  const running = await startProcess(t, {
    command: '/bin/sh',
    args: ['-c', `{ ${script}; } | head -1`, process.execPath, main],
    env: { LOG_LEVEL: 'trace', RATE_LIMIT: '0' },
  })
  const pid = await until(async () => Number(await readFile(join(running.dir, 'pid'), 'utf8')), { what: 'its pid' })
  const port = await until(() => listeningPorts(pid)[0], { withinMs: 20_000, what: 'the service to listen' })
  for (let at = 0; at < 50; at++) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/feedback`, {
      method: 'POST',
      body: row,
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(answer.status, 201)
  }
  process.kill(pid, 'SIGTERM')
  await until(() => running.stderr().includes('ended 0'), { withinMs: 12_000, what: 'the end' })
})

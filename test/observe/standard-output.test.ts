import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createLog, type Log } from '../../src/observe/logs.ts'
import { createStandardOutput } from '../../src/observe/standard-output.ts'
import { startService } from '../support/process.ts'
import { makeTempDir } from '../support/temp.ts'
import { everyObservation } from './support.ts'

const run = promisify(execFile)
const settings = { level: 'info', format: 'json', requests: true } as const
const answered = everyObservation['request.answered']

/** A stream that keeps what is written. */
class Kept {
  readonly chunks: string[] = []
  readonly writable = true
  /** How much waits for the reader. */
  writableLength = 0

  on(): void {}

  write(text: string): void {
    this.chunks.push(text)
  }
}

async function keptLog(): Promise<{ readonly log: Log; readonly kept: Kept; ids(): readonly unknown[] }> {
  const kept = new Kept()
  // It has what the output uses of a stream.
  const output = createStandardOutput(kept as never)
  const log = await createLog({ settings, secrets: [], output })
  const ids = () =>
    kept.chunks
      .join('')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line).requestId ?? JSON.parse(line).msg)
  return { log, kept, ids }
}

test('the requests of a turn are written together at its end, and no other line waits', async () => {
  const { log, kept, ids } = await keptLog()
  for (const requestId of ['a', 'b', 'c']) log.observe({ ...answered, requestId })
  assert.equal(kept.chunks.length, 0)
  await turn()
  assert.equal(kept.chunks.length, 1)
  log.observe({ ...answered, requestId: 'd', path: '/"' })
  log.observe({ ...answered, requestId: 'e' })
  log.observe({ ...answered, requestId: 'f', path: `/${'x'.repeat(80)}` })
  log.observe({ ...answered, requestId: 'g' })
  assert.equal(kept.chunks.length, 1)
  log.observe({ ...everyObservation['request.failed'], requestId: 'h' })
  assert.deepEqual(ids(), ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
  await turn()
  log.observe({ ...answered, requestId: 'i' })
  await log.flush()
  assert.deepEqual(ids().slice(8), ['i'])
})

test('what waits is bounded, and no line is split', async () => {
  const { log, kept, ids } = await keptLog()
  const wanted = Array.from({ length: 100 }, (_, at) => `r${at}`)
  for (const requestId of wanted) log.observe({ ...answered, requestId })
  assert.ok(kept.chunks.length > 1)
  log.observe({ ...answered, requestId: 'long', path: `/${'y'.repeat(20_000)}` })
  assert.equal(ids().length, 100)
  await turn()
  assert.deepEqual(ids(), [...wanted, 'long'])
  for (const chunk of kept.chunks) {
    assert.match(chunk, /^\{[\s\S]*\}\n$/)
    assert.ok(chunk.length <= 4_096 || chunk.includes('yyy'))
  }
})

test('lines that a slow reader misses are counted one by one', async () => {
  const { log, kept, ids } = await keptLog()
  kept.writableLength = 9 * 1024 * 1024
  for (let at = 0; at < 5; at += 1) log.observe(answered)
  log.observe(everyObservation['http.listening'])
  await turn()
  assert.equal(kept.chunks.length, 0)
  kept.writableLength = 0
  log.observe({ ...answered, requestId: 'next' })
  await turn()
  assert.deepEqual(ids(), ['Dropped 6 log lines because the reader was too slow.', 'next'])
})

/** A script that prints request lines in one turn, and then does `last`. */
function script(count: number, last: string): string {
  const source = (name: string) => JSON.stringify(new URL(`../../src/observe/${name}.ts`, import.meta.url).href)
  return `const { createLog } = await import(${source('logs')})
    const { createStandardOutput } = await import(${source('standard-output')})
    const log = await createLog({ settings: ${JSON.stringify(settings)}, secrets: [], output: createStandardOutput() })
    const request = (requestId) => log.observe({ ...${JSON.stringify(answered)}, requestId })
    for (let at = 0; at < ${count}; at++) request('r' + at)
    ${last}`
}

const ends = [
  ['by itself', '', 0],
  ['by process.exit', 'process.exit(3)', 3],
  ['with an uncaught error', "setImmediate(() => { request('last'); throw new Error('uncaught') })", 1],
  ['with a rejection', "void Promise.reject(new Error('rejected'))", 1],
  ['after a flush', 'await log.flush(); process.exit(5)', 5],
] as const

for (const [how, last, code] of ends) {
  test(`no line is lost when the process ends ${how}, into a pipe or a file`, async (t) => {
    const args = ['--input-type=module', '-e', script(50, last)]
    const wanted = 50 + (last.includes('last') ? 1 : 0)
    const piped = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    const texts: string[] = []
    piped.stdout.on('data', (part) => texts.push(String(part)))
    assert.deepEqual(await once(piped, 'close'), [code, null])
    assert.equal(texts.join('').split('\n').length - 1, wanted)
    const path = join(await makeTempDir(t, 'log'), 'log.txt')
    const file = await open(path, 'w')
    const filed = spawn(process.execPath, args, { stdio: ['ignore', file.fd, 'ignore'] })
    assert.deepEqual(await once(filed, 'close'), [code, null])
    await file.close()
    assert.equal((await readFile(path, 'utf8')).split('\n').length - 1, wanted)
  })
}

test('a killed process loses the lines of the current turn and no others', async () => {
  const last = "await new Promise(setImmediate); request('lost'); process.kill(process.pid, 'SIGKILL')"
  const killed = await run(process.execPath, ['--input-type=module', '-e', script(20, last)]).catch((error) => error)
  assert.equal(killed.signal, 'SIGKILL')
  assert.equal(killed.stdout.split('\n').length - 1, 20)
  assert.doesNotMatch(killed.stdout, /lost/)
})

test('a reader that stalls or a full disk does not hold up the process, and its memory stays bounded', async () => {
  // 60 MB of lines, in turns.
  const last = `for (let turn = 0; turn < 2_000; turn++) {
      for (let at = 0; at < 100; at++) request('r' + at)
      await new Promise(setImmediate)
    }
    await log.flush()
    console.error(process.stdout.writableLength < 9e6 ? 'bounded' : 'unbounded')
    process.exit(6)`
  const args = ['--input-type=module', '-e', script(1, last)]
  const full = await open('/dev/full', 'w')
  for (const stdout of ['pipe', full.fd] as const) {
    const child = spawn(process.execPath, args, { stdio: ['ignore', stdout, 'pipe'] })
    const texts: string[] = []
    child.stderr?.on('data', (part) => texts.push(String(part)))
    assert.deepEqual(await once(child, 'exit'), [6, null])
    child.stdout?.destroy()
    assert.equal(texts.join(''), 'bounded\n')
  }
  await full.close()
})

test('a service that is stopped has logged each request that it answered', async (t) => {
  const service = await startService(t)
  const answers = await Promise.all(Array.from({ length: 40 }, () => service.fetch('/api/feedback')))
  const ids = answers.map(({ headers }) => headers.get('x-request-id'))
  await Promise.all(answers.map((answer) => answer.arrayBuffer()))
  await service.end('SIGTERM')
  const lines = service.log()
  const logged = new Set(lines.filter(({ event }) => event === 'request.answered').map(({ requestId }) => requestId))
  assert.deepEqual(
    ids.filter((id) => !logged.has(id)),
    [],
  )
  const events = lines.map(({ event }) => event)
  assert.ok(events.lastIndexOf('request.answered') < events.indexOf('service.closed'))
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { Secret } from '../../src/config/secret.ts'
import { type AnsweredRequest, requestJson } from '../../src/observe/request-line.ts'
import fc from '../support/property.ts'
import { everyObservation, writtenLog } from './support.ts'

const answered = everyObservation['request.answered']

/** Whether the line is made without pino. */
function isFast(seen: AnsweredRequest): boolean {
  return requestJson(seen, 'info', '') !== null
}

/** The line as pino writes it, from its parts. */
function pinoLine(seen: AnsweredRequest, time: string): string {
  const { requestId, method, path, route, caller, status, aborted } = seen
  const durationMs = Math.round(seen.durationMs * 100) / 100
  const shown = path.length > 60 ? `${path.slice(0, 59)}…` : path
  const message = `${method} ${shown} ${status} in ${durationMs} ms${aborted ? ', client disconnected' : ''}`
  const isProbe = route.startsWith('/health') || route === '/metrics'
  const texts: string[] = []
  const logger = pino(
    {
      ...{ level: 'debug', base: null, timestamp: () => `,"time":"${time}"` },
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (text) => texts.push(text) },
  )
  const known = caller === null ? {} : { caller }
  const fields = { requestId, method, path, route, ...known, status, durationMs, ...(aborted ? { aborted } : {}) }
  logger[status >= 500 ? 'warn' : isProbe ? 'debug' : 'info']({ event: 'request.answered', ...fields }, message)
  return texts.join('')
}

async function assertLine(seen: AnsweredRequest): Promise<void> {
  const { log, texts } = await writtenLog({ level: 'debug' })
  log.observe(seen)
  assert.equal(texts.length, 1)
  const { time } = JSON.parse(texts[0] ?? '') as { time: string } // Asserted below.
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.ok(Math.abs(Date.now() - Date.parse(time)) < 5_000)
  assert.equal(texts[0], pinoLine(seen, time))
}

test('the line of a request has the same bytes from both makers, whatever it contains', async () => {
  const odd = ['"', '\\', '\n', '\u0000', '\u001f', '\u007f', 'é', '…', '\ud800', '\udfff', '\u{1f600}', '\u2028']
  const unit = fc.constantFrom(..."abz/09-_.~:%@!&=+,;<>[]{}' ")
  const oddUnit = fc.oneof({ weight: 12, arbitrary: unit }, { weight: 1, arbitrary: fc.constantFrom(...odd) })
  const text = (maxLength: number) =>
    fc.oneof(fc.string({ unit, maxLength }), fc.string({ unit: oddUnit, maxLength }), fc.string({ maxLength }))
  const request = fc.record({
    type: fc.constant('request.answered' as const),
    requestId: text(40),
    method: fc.constantFrom('GET', 'POST', 'DELETE', 'UNSUBSCRIBE', 'M-SEARCH', ''),
    path: text(75).map((rest) => `/${rest}`),
    route: fc.oneof(
      fc.constantFrom('/api/:collection/:id', '(none)', '/health', '/health/ready', '/metrics'),
      text(20),
    ),
    caller: fc.oneof(fc.constantFrom(null, 'public', 'admin', 'token:ingest'), text(20)),
    status: fc.constantFrom(100, 200, 201, 204, 304, 404, 429, 499, 500, 503),
    durationMs: fc.oneof(
      fc.constantFrom(0, 0.004, 0.005, 1.005, 12, 123_456.789),
      fc.double({ min: 0, max: 1e6, noNaN: true }),
    ),
    aborted: fc.boolean(),
  })
  let fast = 0
  const runs = 2_000
  await fc.assert(
    fc.asyncProperty(request, async (seen) => {
      if (isFast(seen)) fast += 1
      await assertLine(seen)
    }),
    { numRuns: runs },
  )
  assert.ok(fast > runs / 5 && fast < (runs * 4) / 5, `${fast} without pino`)
})

test('an ordinary request is printed without pino, one that must be escaped or cut is not', async () => {
  assert.equal(isFast(answered), true)
  assert.equal(isFast({ ...answered, status: 503, aborted: true }), true)
  for (const path of ['/a"b', '/a\\b', '/é', '/\u007f', `/${'x'.repeat(60)}`, `/${'x'.repeat(100_000)}`]) {
    assert.equal(isFast({ ...answered, path }), false, path.slice(0, 70))
    await assertLine({ ...answered, path })
  }
  for (const odd of [
    { requestId: 'a"b' },
    { route: '/a\\b' },
    { method: 'G"T' },
    { caller: 'user:a"b' },
    { status: Number.NaN },
  ])
    assert.equal(isFast({ ...answered, ...odd }), false)
})

test('a request line has no secret in any of its parts', async () => {
  const { log, texts } = await writtenLog({}, [new Secret('hunter2Zq'), new Secret('ne"ver')])
  const parts = ['requestId', 'path', 'route', 'caller', 'method'] as const
  for (const part of parts) {
    log.observe({ ...answered, [part]: '/x-hunter2Zq' })
    log.observe({ ...answered, [part]: '/x-ne"ver' })
    log.observe({ ...answered, [part]: `/${'x'.repeat(50)}-hunter2Zq/y` })
  }
  assert.equal(texts.length, 15)
  for (const text of texts) assert.match(text, /\*\*\*/)
  assert.doesNotMatch(texts.join(''), /hunter|ne\\?"ver/)
  log.hide([new Secret('found-later')])
  log.observe({ ...answered, path: '/found-later' })
  assert.match(texts.at(-1) ?? '', /"path":"\/\*\*\*","route".*"msg":"GET \/\*\*\* 200/)
})

test('the level and the choice of request lines hold for lines made without pino', async () => {
  const { log, texts, lines } = await writtenLog({ level: 'warn' })
  const fast = [answered, { ...answered, route: '/metrics' }, { ...answered, status: 500 }]
  for (const seen of fast) log.observe(seen)
  assert.deepEqual(
    lines().map(({ level, status }) => [level, status]),
    [['warn', 500]],
  )
  log.reconfigure({ level: 'debug', format: 'json', requests: true }, [])
  for (const seen of fast) log.observe(seen)
  assert.deepEqual(
    lines().map(({ level }) => level),
    ['warn', 'info', 'debug', 'warn'],
  )
  log.reconfigure({ level: 'debug', format: 'json', requests: false }, [])
  for (const seen of fast) log.observe(seen)
  assert.equal(texts.length, 4)
})

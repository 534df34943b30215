import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Secret, SecretAddress } from '../../src/config/secret.ts'
import { forbiddenTexts, mask, secretsIn } from '../../src/observe/redaction.ts'
import fc from '../support/property.ts'
import { settingsFromOptions } from '../support/settings.ts'
import { everyObservation, refused, writtenLog } from './support.ts'

const run = promisify(execFile)

test('every observation is one line of JSON with level, time, event and a sentence', async () => {
  const { log, texts, lines } = await writtenLog({ level: 'trace' })
  for (const seen of Object.values(everyObservation)) log.observe(seen)
  assert.equal(texts.length, Object.keys(everyObservation).length)
  for (const [at, line] of lines().entries()) {
    assert.equal(line.event, Object.keys(everyObservation)[at])
    assert.ok(['debug', 'info', 'warn', 'error', 'fatal'].includes(String(line.level)), String(line.level))
    assert.ok(!Number.isNaN(Date.parse(String(line.time))))
    assert.match(String(line.msg), /\S{3}/)
    assert.ok(String(line.msg).length <= 120, String(line.msg))
    assert.doesNotMatch(String(line.msg), /undefined|\[object/)
    assert.ok(texts[at]?.endsWith('\n'))
  }
})

test('a change of state is one line with its reason, each time', async () => {
  const { log, lines } = await writtenLog()
  log.observe(everyObservation['connection.changed'])
  log.observe(everyObservation['connection.changed'])
  assert.equal(lines().length, 2)
  const [said] = lines()
  assert.equal(said?.msg, 'Switching to the fallback: The server refused the connection.')
  assert.deepEqual([said.from, said.to, said.reason], ['CONNECTING_PRIMARY', 'CONNECTING_FALLBACK', 'primary.failed'])
  assert.equal(said.level, 'warn')
})

test('the search for another host is one line when it begins, with why, and one when it ends', async () => {
  const { log, lines } = await writtenLog()
  const seen = { ...everyObservation['connection.changed'], isFailover: true }
  log.observe({ ...seen, from: 'PRIMARY_CONNECTED', to: 'CONNECTING_PRIMARY' })
  log.observe({ ...seen, to: 'PRIMARY_CONNECTED', fault: null })
  log.observe(seen)
  assert.deepEqual(
    lines().map(({ msg, level }) => [level, msg]),
    [
      ['warn', 'Requests wait for another host of the primary database: The server refused the connection.'],
      ['info', 'Serving from the primary database again.'],
      ['warn', 'Switching to the fallback: The server refused the connection.'],
    ],
  )
})

test('work that failed and is run again is a warning; that it failed for good is said besides', async () => {
  const { log, lines } = await writtenLog()
  for (const isLast of [false, false, true]) log.observe({ ...everyObservation['work.failed'], isLast })
  assert.deepEqual(
    lines().map(({ level }) => level),
    ['warn', 'error'],
  )
})

test('without a declared primary the sentence names the embedded database, and the fields keep the names of the states', async () => {
  const { log, lines } = await writtenLog()
  log.observe({ ...everyObservation['connection.changed'], declared: false, fault: null, to: 'FALLBACK_CONNECTED' })
  const [said] = lines()
  assert.equal(said?.msg, 'Serving from the embedded database.')
  assert.equal(said?.to, 'FALLBACK_CONNECTED')
})

test('the request log can be switched off, also while the service runs', async () => {
  const { log, texts } = await writtenLog({ requests: false })
  log.observe(everyObservation['request.answered'])
  assert.equal(texts.length, 0)
  log.reconfigure({ level: 'info', format: 'json', requests: true }, [])
  log.observe(everyObservation['request.answered'])
  assert.equal(texts.length, 1)
})

test('the level decides, and silent is silent', async () => {
  const loud = await writtenLog({ level: 'error' })
  const silent = await writtenLog({ level: 'silent' })
  for (const seen of Object.values(everyObservation)) {
    loud.log.observe(seen)
    silent.log.observe(seen)
  }
  assert.ok(loud.lines().length > 0)
  assert.ok(loud.lines().every((line) => line.level === 'error' || line.level === 'fatal'))
  assert.equal(silent.texts.length, 0)
})

test('a line that comes in swarms is said once, and its number a minute later', async () => {
  let now = 0
  const { log, lines } = await writtenLog({}, [], () => now)
  for (let at = 0; at < 38; at++) log.observe(everyObservation['connection.attempt.failed'])
  assert.equal(lines().length, 1)
  log.observe({ ...everyObservation['connection.attempt.failed'], fault: { ...refused, code: 'ENOTFOUND' } })
  assert.equal(lines().length, 2)
  now = 60_001
  log.observe(everyObservation['connection.attempt.failed'])
  assert.equal(lines().length, 4)
  assert.match(String(lines()[2]?.msg), /^Repeated 37 times in the last minute: Probing the primary database failed/)
  assert.equal(lines()[2]?.repeated, 37)
  assert.equal(lines()[2]?.level, 'warn')
})

test('a problem that a store finds at each opening is said once, and another one as well', async () => {
  const { log, lines } = await writtenLog()
  const found = everyObservation['problem.found']
  const other = { ...found, problem: { ...found.problem, message: 'Something else.' } }
  for (const seen of [found, found, other, found, other]) log.observe(seen)
  assert.equal(lines().length, 2)
})

test('what was only counted is told at the end of the process', async () => {
  const { log, lines } = await writtenLog()
  for (let at = 0; at < 3; at++) log.observe(everyObservation['connection.dropped'])
  await log.flush()
  await log.flush()
  assert.match(String(lines().at(-1)?.msg), /^Repeated 2 times/)
  assert.equal(lines().length, 2)
})

test('an error is printed with its causes and codes, and none of its own fields', async () => {
  const { log, texts, lines } = await writtenLog()
  const cause = Object.assign(new Error('connect postgresql://carol:hunter2@db7/x failed'), {
    code: 'ECONNREFUSED',
    password: 'p4ss',
  })
  log.observe({ ...everyObservation['request.failed'], error: new Error('outer', { cause }) })
  assert.doesNotMatch(texts.join(''), /hunter2|p4ss/)
  const { err } = JSON.parse(texts[0] ?? '{}')
  assert.equal(err.message, 'outer')
  assert.equal(err.cause.code, 'ECONNREFUSED')
  assert.match(err.stack, /logs\.test/)
  assert.equal(lines().length, 1)
})

test('no secret is printed at any level, in any spelling, whatever carries it', async () => {
  const password = 'p@ss/w"ö rd'
  const url = `postgresql://carol:${encodeURIComponent(password)}@db7:5432/x?sslmode=require`
  const secrets = [
    new SecretAddress(url),
    new Secret('topsecrettoken'),
    new Secret('tok:abcdefgh'),
    new Secret('p:w12345'),
    new SecretAddress('sqlite:///./production.db'),
  ]
  for (const format of ['json', 'pretty'] as const) {
    const { log, texts } = await writtenLog({ level: 'trace', format }, secrets)
    const carriers = [password, url, 'topsecrettoken', 'tok:abcdefgh', 'p:w12345'].flatMap((text) => [
      text,
      encodeURIComponent(text),
      Buffer.from(text).toString('base64'),
    ])
    for (const text of carriers) {
      log.observe({ type: 'service.failed', message: `it said ${text}`, error: new Error(text, { cause: text }) })
      log.observe({ type: 'service.defect', where: text, error: { text } })
      log.observe({ ...everyObservation['request.answered'], path: `/api/${text}` })
      log.observe({ type: 'statement.sent', sql: `select '${text}'` })
      log.observe({ ...everyObservation['connection.changed'], fault: { ...refused, summary: text, hint: text } })
    }
    const printed = texts.join('')
    for (const text of carriers) {
      assert.ok(!printed.includes(text), text)
      assert.ok(!printed.includes(JSON.stringify(text).slice(1, -1)), text)
    }
    assert.match(printed, /\*\*\*/)
  }
})

test('a secret that is no address is hidden whole, whatever it looks like', () => {
  const piece = fc.string({ maxLength: 12, unit: 'binary' })
  const value = fc.tuple(piece, fc.constantFrom(':', '://', '', '@', '?key='), piece).map((parts) => parts.join(''))
  fc.assert(
    fc.property(value, (text) => {
      fc.pre(text.length >= 4 && !/^[<>*]*$/.test(text))
      assert.ok(!mask(`<${text}>`, forbiddenTexts([new Secret(text)])).includes(text))
    }),
    { numRuns: 2_000 },
  )
})

test('what stands where an address belongs and has no scheme is hidden whole', () => {
  assert.equal(mask('hunter2Zq sqlite:x.db', forbiddenTexts([new SecretAddress('hunter2Zq')])), '*** sqlite:x.db')
})

test('of two secrets one of which is the beginning of the other, nothing is left', () => {
  assert.equal(mask('abcdef abcd', forbiddenTexts([new Secret('abcd'), new Secret('abcdef')])), '*** ***')
})

test('an address without a password is no secret, and stays readable', async () => {
  const { log, texts } = await writtenLog({}, [new SecretAddress('sqlite:///./production.db')])
  log.observe({ ...everyObservation['store.opened'], label: 'sqlite:///./production.db' })
  assert.match(texts[0] ?? '', /sqlite:\/\/\/\.\/production\.db/)
})

test('of all settings only the two addresses are taken apart', () => {
  const { settings } = settingsFromOptions({
    database: { url: 'sqlite:///./declared.db', password: 'p:w12345' },
    admin: { token: 'tok:abcdefgh' },
  })
  const printed = 'sqlite:///./declared.db sqlite:///./production.db p:w12345 tok:abcdefgh'
  assert.equal(
    mask(printed, forbiddenTexts(secretsIn(settings))),
    'sqlite:///./declared.db sqlite:///./production.db *** ***',
  )
})

test('a secret that is drawn later is hidden from then on', async () => {
  const { log, texts } = await writtenLog()
  log.hide([new Secret('drawn-at-the-start')])
  log.observe({ type: 'service.failed', message: 'drawn-at-the-start', error: null })
  log.reconfigure({ level: 'info', format: 'json', requests: true }, [new Secret('after-a-reload')])
  log.observe({ type: 'service.failed', message: 'drawn-at-the-start after-a-reload', error: null })
  assert.doesNotMatch(texts.join(''), /drawn-at-the-start|after-a-reload/)
})

test('a terminal gets pretty lines, everything else JSON, unless a format is set', async () => {
  const pretty = await writtenLog({ format: 'pretty' })
  pretty.log.observe(everyObservation['http.listening'])
  assert.match(pretty.texts[0] ?? '', /INFO.*Listening on http:\/\/localhost:1\./)
  assert.throws(() => JSON.parse(pretty.texts[0] ?? ''))
})

test('a message has at most 120 characters; a longer one is cut and is whole in a field', async () => {
  const { log, lines } = await writtenLog()
  const message = `DATABASE_URL: ${'x'.repeat(200)} is not a valid host.`
  const found = everyObservation['problem.found']
  log.observe({ ...found, problem: { ...found.problem, message } })
  log.observe({ ...everyObservation['request.answered'], path: `/${'x'.repeat(2_000)}` })
  const [problem, request] = lines()
  assert.ok(String(problem?.msg).length <= 120 && message.startsWith(String(problem?.msg).replace('…', '')))
  assert.equal(problem?.detail, message)
  assert.equal(problem?.suggestion, 'Use 7860.')
  assert.ok(String(request?.msg).length <= 120 && request?.detail === undefined)
})

test('on a terminal a line has its message once, short fields, and no stack of an expected fault', async () => {
  const { log, texts } = await writtenLog({ format: 'pretty' })
  const fault = { ...refused, hint: 'Start the server.' }
  log.observe({ ...everyObservation['work.failed'], fault })
  log.observe({ ...everyObservation['work.failed'], fault: { ...fault, kind: 'statement' } })
  const [expected = '', unexpected = ''] = texts
  assert.equal(expected.split('The server refused the connection.').length, 2)
  assert.match(expected, /"fault":"unreachable ECONNREFUSED"/)
  assert.match(expected, /"hint":"Start the server\."/)
  assert.match(expected, /"cause":"connect ECONNREFUSED 10\.0\.0\.7:5432"/)
  assert.equal(expected.trimEnd().split('\n').length, 1)
  assert.match(unexpected, /\n +at /)
  assert.doesNotMatch(unexpected, /Start the server/, 'the line before said it')
  log.observe(everyObservation['request.answered'])
  assert.match(texts[2] ?? '', /GET \/api\/feedback 200 in 1\.23 ms \{"requestId":"r1","route":"\/api\/:collection"\}/)
})

test('an output that fails does not reach the service', async () => {
  const { createLog } = await import('../../src/observe/logs.ts')
  const output = {
    write: () => {
      throw new Error('EPIPE')
    },
  }
  const log = await createLog({ settings: { level: 'info', format: 'json', requests: true }, secrets: [], output })
  log.observe(everyObservation['http.listening'])
  await log.flush()
})

test('a line is out before the process ends, and JSON loads no pretty printer', async () => {
  const logs = new URL('../../src/observe/logs.ts', import.meta.url).href
  const output = new URL('../../src/observe/standard-output.ts', import.meta.url).href
  const code = `import { registerHooks } from 'node:module'
    registerHooks({ load(url, context, next) { if (url.includes('pino-pretty')) console.error('loaded ' + url); return next(url, context) } })
    const { createLog } = await import(${JSON.stringify(logs)})
    const { createStandardOutput } = await import(${JSON.stringify(output)})
    const log = await createLog({ settings: { level: 'info', format: null, requests: true }, secrets: [], output: createStandardOutput() })
    for (let at = 0; at < 20_000; at++) log.observe({ type: 'collection.loaded', name: 'c' + at, path: '/' })
    await log.flush()
    process.exit(3)`
  const failed = await run(process.execPath, ['--input-type=module', '-e', code], { maxBuffer: 1e8 }).catch(
    (error: unknown) => error,
  )
  assert.ok(failed instanceof Error && 'stdout' in failed && 'stderr' in failed)
  assert.equal(String(failed.stdout).trim().split('\n').length, 20_000)
  assert.doesNotMatch(String(failed.stderr), /pino-pretty/)
})

test('a reader that has gone away does not end the process', async () => {
  const logs = new URL('../../src/observe/logs.ts', import.meta.url).href
  const output = new URL('../../src/observe/standard-output.ts', import.meta.url).href
  const code = `const { createLog } = await import(${JSON.stringify(logs)})
    const { createStandardOutput } = await import(${JSON.stringify(output)})
    const log = await createLog({ settings: { level: 'info', format: null, requests: true }, secrets: [], output: createStandardOutput() })
    const say = () => log.observe({ type: 'collection.loaded', name: 'c', path: '/' })
    for (let at = 0; at < 5; at++) { say(); await new Promise((resolve) => setTimeout(resolve, 20)) }
    await log.flush()
    console.error('alive')`
  const { stderr } = await run('sh', ['-c', '"$0" --input-type=module -e "$1" | true', process.execPath, code])
  assert.equal(stderr, 'alive\n')
})

test('each defect of a request is said, since its answer named the log', async () => {
  const { log, lines } = await writtenLog()
  for (const requestId of ['a', 'b']) log.observe({ ...everyObservation['request.failed'], requestId })
  assert.deepEqual(
    lines().map((line) => line.requestId),
    ['a', 'b'],
  )
  for (const requestId of ['c', 'd'])
    log.observe({ ...everyObservation['request.failed'], requestId, code: 'STORE_LOST' })
  assert.equal(lines().length, 3)
})

test('probes that are well are no news', async () => {
  const { log, texts } = await writtenLog()
  const seen = { ...everyObservation['request.answered'], route: '/health/ready', path: '/health/ready' }
  log.observe(seen)
  assert.equal(texts.length, 0)
  log.observe({ ...seen, status: 503 })
  assert.equal(texts.length, 1)
})

test('every secret of a tree of settings is found', () => {
  const tree = { a: new Secret('one'), b: { c: [new Secret('two')], d: null }, self: {} }
  tree.self = tree
  assert.deepEqual(
    secretsIn(tree).map((secret) => secret.reveal()),
    ['one', 'two'],
  )
})

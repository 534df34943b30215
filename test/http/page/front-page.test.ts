import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { addErrorPages } from '../../../src/http/page/error-pages.ts'
import { addFrontPage } from '../../../src/http/page/front-page.ts'
import { curlLine, curlListLine, lineHint, pythonLine } from '../../../src/http/page/snippet.ts'
import { adminToken, createSource, feedback, refusedFault } from '../source.ts'
import { rawConnect, serve } from '../support.ts'

const browser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }
const run = promisify(execFile)
const closedFeedback = { ...feedback, access: { ...feedback.access, create: 'admin' as const } }

test('a person gets a page, a program JSON', async (t) => {
  const { base } = await serve(t, (app) => addFrontPage(app, createSource()))
  const page = await fetch(base, { headers: browser })
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  assert.equal(page.headers.get('vary'), 'Accept')
  for (const accept of [
    '*/*',
    'application/json',
    'application/json, text/html;q=0.5',
    'text/html;q=0',
    'text/html;q=x',
  ]) {
    const answer = await fetch(base, { headers: { accept } })
    assert.equal(answer.headers.get('content-type'), 'application/json', accept)
  }
  const summary = JSON.parse(await (await fetch(base)).text())
  assert.equal(summary.status, 'pass')
  assert.equal(summary.durability, 'local')
  assert.equal(summary.links.health, `${base}/health`)
  assert.equal(summary.collections[0].url, `${base}/api/feedback`)
})

test('the page escapes what it shows, and shows neither token nor paths, hosts or users', async (t) => {
  const source = createSource({ row: 'fallback', why: refusedFault })
  const { base } = await serve(t, (app) => addFrontPage(app, source))
  for (const headers of [browser, { accept: '*/*' }]) {
    const text = await (await fetch(base, { headers })).text()
    assert.doesNotMatch(text, /hunter2|db7|carol|\/srv\/private/)
    assert.ok(!text.includes(adminToken))
  }
  const page = await (await fetch(base, { headers: browser })).text()
  assert.doesNotMatch(page, /<b>works/)
  assert.match(page, /&lt;b&gt;works/)
  assert.match(page, /Serving from the fallback/)
})

test('the page says that requests wait for another host, and not which', async (t) => {
  const source = createSource({ row: 'failover', why: refusedFault })
  const { base } = await serve(t, (app) => addFrontPage(app, source))
  const page = await (await fetch(base, { headers: browser })).text()
  assert.match(page, /The primary database was lost\. Requests wait for another host of it\./)
  assert.doesNotMatch(page, /db7/)
})

test('the page says what an outage means for each collection, without a count', async (t) => {
  const whole = {
    collection: 'feedback',
    isWhole: true,
    asOfMs: Date.now() - 3_600_000 * 5,
    rows: 777,
    bytes: 7,
    why: null,
  }
  const filling = { ...whole, isWhole: false, asOfMs: null, why: 'it takes 7 GB' }
  for (const [line, writeBlock, expected] of [
    [whole, null, /its rows stay readable and writable: the copy is 5 h old\./],
    [whole, 'setting', /its rows stay readable: the copy is 5 h old\./],
    [filling, null, /new rows are accepted, and older ones are not available: the copy is not complete\./],
    [filling, 'setting', /its rows are not available: the copy is not complete\./],
  ] as const) {
    const source = createSource({ row: 'primary', hasFallback: true, writeBlock }, { copy: () => [line] })
    const { base } = await serve(t, (app) => addFrontPage(app, source))
    const page = await (await fetch(base, { headers: browser })).text()
    assert.match(page, expected)
    assert.doesNotMatch(page, /777|7 GB/)
  }
  const { base } = await serve(t, (app) => addFrontPage(app, createSource()))
  assert.doesNotMatch(await (await fetch(base, { headers: browser })).text(), /Without the primary/)
})

test('the page brings everything with it, and its policy allows just that', async (t) => {
  const { base } = await serve(t, (app) => addFrontPage(app, createSource()))
  const answer = await fetch(base, { headers: browser })
  const page = await answer.text()
  const policy = answer.headers.get('content-security-policy') ?? ''
  const style = /<style>([\s\S]*)<\/style>/.exec(page)?.[1] ?? ''
  assert.ok(policy.includes(`'sha256-${createHash('sha256').update(style).digest('base64')}'`))
  assert.match(policy, /frame-ancestors 'self'$/)
  assert.doesNotMatch(page, /<script|<img|<iframe|style=| on\w+=|@import|url\(/)
  assert.equal(answer.headers.get('x-frame-options'), null)
  assert.equal(answer.headers.get('referrer-policy'), 'no-referrer')
})

test('a Space may be framed by Hugging Face and shows its own address', async (t) => {
  const platform = {
    nodeEnv: 'production',
    spaceId: 'me/space',
    spaceHost: 'me-space.hf.space',
    openidProviderUrl: null,
    oauthClientId: null,
  }
  const { base } = await serve(t, (app) => addFrontPage(app, createSource({}, { platform: () => platform })))
  const answer = await fetch(base, { headers: browser })
  const ancestors = /frame-ancestors 'self' https:\/\/huggingface\.co https:\/\/\*\.hf\.space$/
  assert.match(answer.headers.get('content-security-policy') ?? '', ancestors)
  assert.match(await answer.text(), /https:\/\/me-space\.hf\.space\/api\/feedback/)
})

test('the address in the lines is the caller’s, with https behind a proxy that says so, and never a false one', async (t) => {
  const { port } = await serve(t, (app) => addFrontPage(app, createSource()))
  const cases: readonly (readonly [string, string])[] = [
    ['Host: data.example.org\r\nX-Forwarded-Proto: https', 'https://data.example.org/health'],
    ['Host: data.example.org:8080', 'http://data.example.org:8080/health'],
    ['Host: [::1]:7860', 'http://[::1]:7860/health'],
    ["Host: a';rm -rf", `http://localhost:${port}/health`],
    ['Host: $(id)', `http://localhost:${port}/health`],
  ]
  for (const [headers, expected] of cases) {
    const text = await rawConnect(t, port, `GET / HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`).closed
    assert.ok(text.includes(`"${expected}"`), `${headers}: ${text}`)
  }
})

test('the page says in every state how it is, and how to set the token', async (t) => {
  const states = ['not-asked', 'connecting-first', 'connecting-later', 'primary', 'local', 'fallback', 'error'] as const
  const durabilities = [
    'primary-ephemeral',
    'journal',
    'journal-ephemeral',
    'local-ephemeral',
    'local',
    'primary',
    null,
  ] as const
  const sources = [{ from: 'setting' }, { from: 'file', path: '/x', fresh: false }, { from: 'memory' }] as const
  const { token } = createSource().adminToken()
  const seen = new Set<string>()
  for (const [at, row] of states.entries()) {
    const durability = durabilities[at] ?? null
    const source = sources[at % 3] ?? sources[0]
    const given = createSource(
      { row },
      { durability: () => durability, adminToken: () => ({ token, source }), collections: () => [] },
    )
    const { base } = await serve(t, (app) => addFrontPage(app, given))
    const page = await (await fetch(base, { headers: browser })).text()
    assert.match(page, /ADMIN_TOKEN/)
    assert.match(page, /No collections yet.*href="\/status"/)
    if (row === 'local' || row === 'primary') {
      const isLosable = durability?.endsWith('-ephemeral') ?? false
      const pill = /class="pill (\w+)" id="status">([^<]*)/.exec(page)
      assert.equal(pill?.[1], isLosable ? 'warn' : 'pass')
      assert.match(pill?.[2] ?? '', isLosable ? /may lose rows/ : /^Working$/)
    }
    seen.add(/id="state">([^<]*)/.exec(page)?.[1] ?? '').add(/id="durability">([^<]*)/.exec(page)?.[1] ?? '')
  }
  assert.equal(seen.size, 6 + 7)
})

test('a warning does not hide that a restart may lose rows', async (t) => {
  for (const [durability, words] of [
    ['primary-ephemeral', 'Working, with a warning; a restart may lose rows'],
    ['primary', 'Working, with a warning'],
  ] as const) {
    const source = createSource({ row: 'primary', writeBlock: 'no-replay' }, { durability: () => durability })
    const { base } = await serve(t, (app) => addFrontPage(app, source))
    const page = await (await fetch(base, { headers: browser })).text()
    assert.ok(page.includes(`id="status">${words}</span>`), durability)
    assert.match(page, /id="write-block">The fallback accepts no writes: nothing can carry them/)
  }
})

test('the page names collections without a table, and says when the address of the primary is the trouble', async (t) => {
  const source = createSource(
    { row: 'fallback', usable: false },
    { lacking: () => ['feedback'], keyless: () => ['orders', 'notes'] },
  )
  const { base } = await serve(t, (app) => addFrontPage(app, source))
  const page = await (await fetch(base, { headers: browser })).text()
  assert.match(
    page,
    /id="lacking">The table of collection feedback is missing or does not match its declaration\. Requests to it/,
  )
  assert.match(page, /id="keyless">The tables of collections orders, notes lack a unique key or a reference/)
  assert.match(page, /the address of the primary cannot be used; “holdfast check” shows why\./)
  assert.doesNotMatch(page, /keeps trying/)
})

test('the curl line sends in a shell what it shows, quotes included', async () => {
  const line = curlLine('http://h', feedback).replace(/^curl/, 'printf "%s\\n"')
  const { stdout } = await run('sh', ['-c', line])
  assert.deepEqual(stdout.trimEnd().split('\n').slice(0, 3), ['-X', 'POST', 'http://h/api/feedback'])
  assert.equal(stdout.trimEnd().split('\n').at(-1), JSON.stringify(feedback.example))
})

test('the Python line is Python, and needs nothing but Python', () => {
  const row = '{"rating": 5, "comment": "it\'s <b>works</b>", "meta": {"ok": True, "none": None}}'
  const expected = `import json, urllib.request as u; print(u.urlopen(u.Request("http://h/api/feedback", json.dumps(${row}).encode(), {"Content-Type": "application/json"})).read().decode())`
  assert.equal(pythonLine('http://h', feedback), expected)
  const closed = pythonLine('http://h', closedFeedback)
  assert.match(closed, /^import json, os, urllib\.request as u; .*"Holdfast-Token": os\.environ\["ADMIN_TOKEN"\]\}/)
})

test('the Python line writes what it shows', async (t) => {
  if (spawnSync('python3', ['--version']).status !== 0) return t.skip('no python3 on this machine')
  const given: { body: string; type: string | undefined; token: string | string[] | undefined }[] = []
  const server = createServer(async (req, res) => {
    const { 'content-type': type, 'holdfast-token': token } = req.headers
    given.push({ body: (await req.toArray()).join(''), type, token })
    res.end('{"id":"x"}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // A port was bound, so it is no path.
  const env = { PATH: process.env.PATH, ADMIN_TOKEN: 'the token' }
  for (const collection of [feedback, closedFeedback]) {
    const { stdout } = await run('python3', ['-c', pythonLine(base, collection)], { env })
    assert.equal(stdout.trim(), '{"id":"x"}')
  }
  for (const { body, type } of given) {
    assert.equal(type, 'application/json')
    assert.deepEqual(JSON.parse(body), feedback.example)
  }
  assert.deepEqual(
    given.map(({ token }) => token),
    [undefined, 'the token'],
  )
})

test('lines that want the admin token say where they take it from', () => {
  assert.equal(lineHint(feedback), null)
  assert.match(lineHint(closedFeedback) ?? '', /ADMIN_TOKEN/)
})

test('the type of a problem leads to its explanation', async (t) => {
  const { base } = await serve(t, addErrorPages)
  const problem = JSON.parse(await (await fetch(`${base}/nothing`)).text())
  const explanation = await fetch(new URL(problem.type, base))
  assert.equal(explanation.status, 200)
  assert.equal(JSON.parse(await explanation.text()).code, 'ROUTE_NOT_FOUND')
  for (const code of ['toString', '__proto__', 'NOPE'])
    assert.equal((await fetch(`${base}/errors/${code}`)).status, 404)
})

test('a person reads who may do what, and the lines send a token where one is needed', async (t) => {
  const access = {
    ...{ create: 'token', list: 'public', get: 'public', update: 'owner, user (by a rule)' },
    ...{ delete: 'none', aggregate: 'public' },
  }
  const source = createSource({}, { collections: () => [{ ...feedback, access }] })
  const { base } = await serve(t, (app) => addFrontPage(app, source))
  const page = await (await fetch(base, { headers: browser })).text()
  const line =
    'create: API token · list, get, aggregate: everyone · update: owner, signed-in user (by a rule) · delete: no one'
  assert.ok(page.includes(line), page)
  assert.match(curlLine(base, { ...feedback, access }), /Holdfast-Token/)
  assert.doesNotMatch(curlListLine(base, { ...feedback, access }), /Holdfast-Token/)
})

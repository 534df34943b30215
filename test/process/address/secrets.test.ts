import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'

import { hostService } from '../../support/hosted.ts'
import { cliEntry, runProcess, startProcess, startService } from '../../support/process.ts'
import { until } from '../../support/until.ts'
import { listeningPorts } from '../kernel.ts'

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
const token = 'admin:Token+with/specials=0123456789'
const wrongToken = 'somebody-elses-token-of-length'
const password = 'pa55-w@rd/with#everything'
const spelled = encodeURIComponent(password)

/** Every way in which a secret could be spelt. */
function spellings(secret: string): readonly string[] {
  const base64 = Buffer.from(secret).toString('base64')
  return [
    secret,
    encodeURIComponent(secret),
    encodeURI(secret),
    JSON.stringify(secret).slice(1, -1),
    base64,
    base64.replace(/=+$/, ''),
    Buffer.from(secret).toString('base64url'),
    Buffer.from(secret).toString('hex'),
  ]
}

const addresses: readonly (readonly [string, string])[] = [
  ['of a scheme that no driver takes', `mssql://user:${spelled}@db.example:5432/app`],
  ['that is malformed', `postgresql://user:${password}@db.example:99999/app`],
  ['of an unknown scheme', `quantum://user:${spelled}@db.example/app?password=${spelled}`],
  ['without a scheme', `user:${password}@db.example/app`],
  ['pasted with its name', `DATABASE_URL="postgresql://user:${spelled}@db.example/app"`],
  ['of SQLite with a password', `sqlite://user:${spelled}@db.example/app.db`],
]

for (const [at, [what, url]] of addresses.entries()) {
  test(`an address ${what} shows its password nowhere`, async (t) => {
    const env = { DATABASE_URL: url, ADMIN_TOKEN: token, LOG_LEVEL: 'trace', ECHO_SQL: 'true' }
    // The first by a process, which is what users start.
    const service = at === 0 ? await startService(t, { env }) : await hostService(t, { env })
    const answers = await everything(service.url, token)
    await service.end()
    assertNowhere([...answers, service.output()], [password, token, wrongToken])
  })
}

const secretFiles = {
  files: { 'secrets/token': `${token}\n`, 'secrets/url': `postgresql://user:${spelled}@db.example/app\n` },
  env: { ADMIN_TOKEN_FILE: 'secrets/token', DATABASE_URL_FILE: 'secrets/url', ECHO_SQL: 'true' },
}

for (const level of levels) {
  test(`at the level ${level} nothing that was printed or answered holds a secret`, async (t) => {
    const { files, env } = secretFiles
    const service = await hostService(t, { files, env: { ...env, LOG_LEVEL: level } })
    const answers = await everything(service.url, token)
    await service.end()
    assertNowhere([...answers, service.output()], [password, token, wrongToken])
  })
}

for (const level of ['trace', 'silent']) {
  test(`at the level ${level} a process prints no secret on either stream`, async (t) => {
    const { files, env } = secretFiles
    const service = await startProcess(t, { files, env: { ...env, LOG_LEVEL: level } })
    // Asked of the kernel: above `info` nothing says which port was taken.
    const port = await until(() => listeningPorts(service.pid)[0], { withinMs: 20_000, what: 'the service to listen' })
    const answers = await everything(`http://127.0.0.1:${port}`, token)
    service.child.kill('SIGHUP')
    await service.end()
    assertNowhere([...answers, service.output()], [password, token, wrongToken])
  })
}

test('a drawn admin token is in its file and nowhere else', async (t) => {
  const service = await startService(t, { env: { LOG_LEVEL: 'trace' } })
  const file = join(service.dir, 'data', 'admin-token')
  const drawn = (await readFile(file, 'utf8')).trim()
  assert.ok(drawn.length >= 20)
  const answers = await everything(service.url, drawn)
  await service.end()
  assertNowhere([...answers, service.output()], [drawn])
})

test('statements are printed with ECHO_SQL, the values of rows never', async (t) => {
  const service = await startService(t, { env: { ECHO_SQL: 'true', LOG_LEVEL: 'trace', ADMIN_TOKEN: token } })
  const value = 'a-value-that-nobody-should-read'
  const created = await service.send('POST', '/api/feedback', { rating: 5, comment: value, meta: { deep: value } })
  const { id } = (await created.json()) as { id: string } // A row of ours.
  await service.fetch(`/api/feedback/${id}`)
  await service.send('PATCH', `/api/feedback/${id}`, { comment: `${value}-again` }, token)
  await service.send('POST', '/api/feedback', { rating: 5, comment: value, [value]: 1 })
  await service.fetch(`/api/feedback?cursor=${value}`)
  await until(() => /insert into/i.test(service.output()), { what: 'a statement in the log' })
  await service.end()
  assert.match(service.output(), /select/i)
  assertNowhere([service.output()], [value])
})

test('what was put in the place of a path or a name is shown nowhere', async (t) => {
  const address = `postgres://user:${spelled}@db.example/app`
  const wrong = ['CONFIG_FILE', 'DRIVERS', 'COLLECTIONS_DIR', 'DATA_DIR', 'DATABASE_URL_FILE', 'HOST']
  const env = {
    ...Object.fromEntries(wrong.map((name) => [name, address])),
    DATABASE_PASSWORD_FILE: password,
    POSTGRESQL_SSL_CERT: `-----BEGIN PRIVATE KEY-----\n${password}`,
    HOST: '127.0.0.1',
    ADMIN_TOKEN: token,
    LOG_LEVEL: 'trace',
  }
  const service = await startService(t, { env })
  const answers = await everything(service.url, token)
  const checked = await runProcess(t, { env, cwd: service.dir, args: [cliEntry, 'check'] })
  await service.end()
  assertNowhere([...answers, service.output(), checked.stdout], [password, token, wrongToken])
  assert.equal(checked.code, 2)
  assert.match(checked.stdout, /DATABASE_PASSWORD_FILE: the file that it names does not exist/)
})

test('the log shows no credentials of a request target', async (t) => {
  const service = await startService(t)
  const targets = [`http://user:${spelled}@h/health`, `postgres://user:${spelled}@h/x`, `/http://user:${spelled}@h/x`]
  for (const target of targets) {
    const socket = connect(service.port, '127.0.0.1')
    socket.end(`GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
    await once(socket.resume(), 'close')
  }
  const isAnswered = (line: { event?: unknown }) => line.event === 'request.answered'
  await until(() => service.log().filter(isAnswered).length >= targets.length - 1, {
    what: 'the lines of the requests',
  })
  await service.end()
  assertNowhere([service.output()], [password])
})

/** Asks for all that the service says of itself, as the admin, as a stranger and as a browser, and for what it refuses. */
async function everything(url: string, admin: string): Promise<readonly string[]> {
  const bearer = { authorization: `Bearer ${admin}` }
  const json = { 'content-type': 'application/json' }
  const asked: readonly (readonly [string, RequestInit?])[] = [
    ['/api/feedback', { method: 'POST', headers: { ...json, ...bearer }, body: '{"rating":5}' }],
    ['/api/feedback', { method: 'POST', headers: json, body: '{"rating":"x"}' }],
    ['/', { headers: { accept: 'text/html' } }],
    ['/', { headers: { accept: 'text/html', ...bearer } }],
    ['/', { headers: { accept: 'application/json' } }],
    ['/health', { headers: bearer }],
    ['/health'],
    ['/health/ready', { headers: bearer }],
    ['/status', { headers: bearer }],
    ['/status', { headers: { 'holdfast-token': admin } }],
    ['/status', { headers: { authorization: `Bearer ${wrongToken}` } }],
    ['/status', { headers: { authorization: `Basic ${btoa(`admin:${admin}`)}` } }],
    ['/metrics', { headers: bearer }],
    ['/admin/reload', { method: 'POST', headers: bearer }],
    ['/nowhere', { headers: bearer }],
    ['/api/feedback?cursor=x', { headers: bearer }],
  ]
  const answers: string[] = []
  for (const [path, init] of asked) {
    const answer = await fetch(url + path, init)
    answers.push(`${JSON.stringify([...answer.headers])}\n${await answer.text()}`)
  }
  assert.ok(
    answers.some((answer) => answer.includes('"transitions"')),
    'the admin saw /status',
  )
  return answers
}

function assertNowhere(texts: readonly string[], secrets: readonly string[]): void {
  assert.ok(texts.length > 0)
  for (const secret of secrets) {
    for (const spelling of spellings(secret)) {
      const leak = texts.find((text) => text.includes(spelling))
      const at = leak?.indexOf(spelling) ?? 0
      assert.equal(leak, undefined, `${spelling} in: ${leak?.slice(Math.max(0, at - 300), at + 100)}`)
    }
  }
}

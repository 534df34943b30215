import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { parseAnswer, rawConnect } from '../../http/support.ts'
import { type Service, startService } from '../../support/process.ts'
import { cleanLater } from '../../support/temp.ts'
import { until, within } from '../../support/until.ts'
import { connectionsTo, residentMiB } from '../kernel.ts'

const admin = 'an-admin-token-of-some-length'
const row = { rating: 5 }

test('slow clients are ended by the limit, and others are served meanwhile', async (t) => {
  const env = { HTTP_HEADERS_TIMEOUT: '1', HTTP_REQUEST_TIMEOUT: '2', RATE_LIMIT: '0' }
  const service = await startService(t, { env })
  // The first one opens the database.
  assert.equal((await service.send('POST', '/api/feedback', row)).status, 201)
  const head = 'POST /api/feedback HTTP/1.1\r\nHost: x\r\n'
  const starts = [head, `${head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"comment":"`]
  const slow = Array.from({ length: 60 }, (_, at) => rawConnect(t, service.port, starts[at % 2] ?? ''))
  const drip = setInterval(() => {
    for (const [at, { socket }] of slow.entries()) if (socket.writable) socket.write(at % 2 === 0 ? 'X-A: b\r\n' : 'x')
  }, 100)
  cleanLater(t, () => clearInterval(drip))
  let served = 0
  const ended = within(Promise.all(slow.map(({ closed }) => closed)), 8_000, 'the slow connections')
  const isOver = ended.then(() => true)
  while (!(await Promise.race([isOver, Promise.resolve(false)]))) {
    assert.equal((await service.send('POST', '/api/feedback', row)).status, 201)
    served += 1
  }
  // None before the first of the slow ones ends, where these are in the way.
  assert.ok(served > 4, `${served} were served`)
  for (const text of await ended) {
    const answer = parseAnswer(text)
    assert.equal(answer.status, 408)
    assert.equal(JSON.parse(answer.body).code, 'REQUEST_TIMEOUT')
  }
})

test('5,000 connections are more than the limit: those within it are served, memory has a bound, all recover', async (t) => {
  const service = await startService(t, {
    env: { HTTP_MAX_CONNECTIONS: '200', RATE_LIMIT: '0', LOG_REQUESTS: 'false' },
  })
  assert.equal((await service.send('POST', '/api/feedback', row)).status, 201)
  const inside = await keptOpen(t, service)
  // From now on it is none of those that have never said anything, who leave first.
  await inside.get('/api/feedback?limit=1')
  const before = residentMiB(service.pid)
  const sockets: Socket[] = []
  let closed = 0
  cleanLater(t, () => {
    for (const socket of sockets) socket.destroy()
  })
  while (sockets.length < 5_000) {
    // In batches: the kernel's queue of connections that nobody has accepted is shorter than that.
    const batch = Array.from({ length: 250 }, () => connect(service.port, '127.0.0.1'))
    for (const socket of batch) socket.on('error', () => undefined).once('close', () => closed++)
    sockets.push(...batch)
    await Promise.all(batch.map((socket) => once(socket, 'connect').catch(() => undefined)))
    await inside.get('/api/feedback?limit=1')
  }
  await until(() => closed >= 4_700, { withinMs: 15_000, what: 'the connections over the limit to be closed' })
  assert.match(await inside.get('/health'), /^HTTP\/1\.1 200/)
  const grown = residentMiB(service.pid) - before
  assert.ok(grown < 100, `grew by ${grown.toFixed(0)} MiB`)
  for (const socket of sockets) socket.destroy()
  await until(async () => (await service.fetch('/api/feedback')).status === 200, {
    what: 'the service to take connections',
  })
  await until(() => connectionsTo(service.port) < 20, { what: 'the connections to be gone' })
  assert.equal(service.log().filter(({ event }) => event === 'service.defect').length, 0)
  assert.ok(
    service.log().filter(({ event }) => event === 'connection.dropped').length < 10,
    'it is said, and not 4,800 times',
  )
})

test('a public create is limited by address, with the time to wait; the admin is not', async (t) => {
  const service = await startService(t, {
    files: publicCollection,
    env: { RATE_LIMIT: '3', RATE_LIMIT_WINDOW: '60', ADMIN_TOKEN: admin },
  })
  for (const remaining of [2, 1, 0]) {
    const answer = await service.send('POST', '/api/feedback', row)
    assert.equal(answer.status, 201)
    assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`r=${remaining};`))
  }
  const refused = await service.send('POST', '/api/feedback', row)
  assert.equal(refused.status, 429)
  const waitS = Number(refused.headers.get('retry-after'))
  assert.ok(waitS > 50 && waitS <= 60, `${waitS}`)
  assert.equal(((await refused.json()) as { code: string }).code, 'RATE_LIMITED') // An answer of ours.
  const forged = await service.fetch('/api/feedback', {
    method: 'POST',
    body: JSON.stringify(row),
    headers: { 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.1' },
  })
  assert.equal(forged.status, 429, 'nobody is behind a proxy that was not declared')
  for (let times = 0; times < 5; times++) {
    assert.equal((await service.send('POST', '/api/feedback', row, admin)).status, 201)
  }
})

test('behind proxies of ours the address is the one that the outermost of them wrote', async (t) => {
  const service = await startService(t, { env: { RATE_LIMIT: '1', TRUSTED_PROXIES: '1' }, files: publicCollection })
  const from = async (forwarded: string) => {
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': forwarded }
    return (await service.fetch('/api/feedback', { method: 'POST', body: JSON.stringify(row), headers })).status
  }
  assert.equal(await from('192.0.2.1'), 201)
  assert.equal(await from('192.0.2.1'), 429)
  assert.equal(await from('192.0.2.2'), 201)
  assert.equal(await from('198.51.100.7, 192.0.2.2'), 429, 'what the client wrote itself does not count')
  assert.equal(await from('2001:db8::1'), 201)
  assert.equal(await from('2001:db8::2'), 429, 'one customer has a whole /64')
})

const publicCollection = {
  'config/collections/feedback.json': JSON.stringify({
    name: 'feedback',
    fields: { rating: { type: 'integer' } },
    access: { create: 'public' },
  }),
}

/** One connection that stays open, with requests one after the other. */
async function keptOpen(t: TestContext, service: Service) {
  const raw = rawConnect(t, service.port)
  await once(raw.socket, 'connect')
  return {
    async get(path: string): Promise<string> {
      const from = raw.text().length
      raw.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
      return await until(() => /\r\n\r\n[\s\S]*\}$/.test(raw.text().slice(from)) && raw.text().slice(from), {
        what: path,
      })
    },
  }
}

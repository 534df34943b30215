import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHttp, type Http } from '../../../src/http/server/server.ts'
import { type Cleanup, cleanLater } from '../../support/temp.ts'
import { httpDefaults } from '../support.ts'

function createShell(t: Cleanup): { readonly http: Http; readonly seen: string[] } {
  const seen: string[] = []
  const http = createHttp({
    settings: () => ({ http: httpDefaults }),
    trustedProxies: () => 0,
    observe: ({ type }) => seen.push(type),
    routes: () => {},
  })
  cleanLater(t, () => http.close({ withinMs: 0 }))
  return { http, seen }
}

test('a host that does not resolve is replaced by all interfaces, with a problem that says so', async (t) => {
  const { http, seen } = createShell(t)
  const address = await http.listen({ port: 0, host: 'x86_64-conda-linux-gnu' })
  assert.equal(address.host, '0.0.0.0')
  assert.equal(address.url, `http://localhost:${address.port}`)
  assert.equal(address.problem?.code, 'HOST_UNRESOLVED')
  assert.match(address.problem?.message ?? '', /x86_64-conda-linux-gnu/)
  assert.deepEqual(seen, ['http.listening'])
  assert.equal((await fetch(`${address.url}/`)).status, 404)
})

test('an address of another machine is replaced too', async (t) => {
  const { http } = createShell(t)
  assert.equal((await http.listen({ port: 0, host: '203.0.113.7' })).problem?.code, 'HOST_UNRESOLVED')
})

test('an IPv6 address in brackets is taken', async (t) => {
  const { http } = createShell(t)
  const address = await http.listen({ port: 0, host: '[::1]' })
  // A machine without IPv6 has all interfaces instead.
  assert.ok(address.url === `http://[::1]:${address.port}` || address.problem !== null)
})

test('a taken port is one typed error whose message is a sentence', async (t) => {
  const first = createShell(t)
  const { port } = await first.http.listen({ port: 0, host: '127.0.0.1' })
  const second = createShell(t)
  await assert.rejects(second.http.listen({ port, host: '127.0.0.1' }), {
    name: 'ListenError',
    code: 'PORT_TAKEN',
    message: `Port ${port} on 127.0.0.1 is used by another process. Stop it, or set PORT to a free port.`,
  })
  await second.http.listen({ port: 0, host: '127.0.0.1' })
})

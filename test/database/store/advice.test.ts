import assert from 'node:assert/strict'
import { test } from 'node:test'
import { adviceOn, advised } from '../../../src/database/store/advice.ts'
import type { Target } from '../../../src/driver/address.ts'
import type { FaultKind } from '../../../src/driver/fault.ts'

const secretless = { database: 'app', user: 'me', tls: 'prefer' } as const

function targetAt(host: string | null, port = 5432, more: Partial<Target> = {}): Target {
  return { driver: 'postgresql', id: `postgresql:${host}`, host, port, ...secretless, ...more }
}

function said(
  code: string,
  target: Target,
  given: { readonly isSpace?: boolean; readonly kind?: FaultKind; readonly message?: string } = {},
): string | null {
  const { isSpace = false, kind = 'unreachable', message = '' } = given
  return adviceOn({ kind, code, cause: new Error('', { cause: new Error(message) }) }, target, { isSpace })
}

const neon = 'ep-cool-1.eu-central-1.aws.neon.tech'
const supabase = 'db.abcdefghij.supabase.co'

test('in a Space a port that is documented as blocked is named when nothing answers there', () => {
  for (const code of ['CONNECTION_TIMEOUT', 'ETIMEDOUT', 'ECONNREFUSED', 'ENETUNREACH', 'FALLBACK_TIMEOUT']) {
    const advice = said(code, targetAt('db.example.com'), { isSpace: true })
    assert.equal(
      advice,
      'Spaces document that outbound ports other than 80, 443 and 8080 are blocked, and this is 5432.',
    )
  }
  assert.equal(said('CONNECTION_TIMEOUT', targetAt('db.example.com', 443), { isSpace: true }), null)
  assert.equal(said('CONNECTION_TIMEOUT', targetAt('db.example.com', 8080), { isSpace: true }), null)
  assert.equal(said('CONNECTION_TIMEOUT', targetAt('db.example.com')), null)
  assert.equal(said('ENOTFOUND', targetAt('db.example.com'), { isSpace: true }), null)
  assert.equal(said('28P01', targetAt('db.example.com'), { isSpace: true, kind: 'auth' }), null)
})

test('in a Space the driver that goes over 443 is proposed for a host of Neon, the address masked', () => {
  const advice = said('CONNECTION_TIMEOUT', targetAt(neon), { isSpace: true }) ?? ''
  assert.match(advice, /blocked, and this is 5432: set DATABASE_DRIVER=neon, or use /)
  assert.ok(advice.includes(`neon+https://me:***@${neon}/app, which connects to port 443.`), advice)
  assert.equal(said('CONNECTION_TIMEOUT', targetAt(neon)), null)
})

test('the session pooler is proposed for a direct host of Supabase that cannot be reached', () => {
  for (const code of ['ENETUNREACH', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'CONNECTION_TIMEOUT', 'ETIMEDOUT']) {
    const advice = said(code, targetAt(supabase)) ?? ''
    assert.match(advice, /IPv6 only: use the session pooler, aws-0-REGION\.pooler\.supabase\.com:5432/, code)
    assert.match(advice, /user postgres\.abcdefghij\.$/)
  }
  assert.equal(said('28P01', targetAt(supabase), { kind: 'auth' }), null)
  const both = said('ENETUNREACH', targetAt(supabase), { isSpace: true }) ?? ''
  assert.match(both, /^Spaces document .* 5432\. This Supabase host/)
})

test("Supabase's pooler is told how it finds the project", () => {
  const host = 'aws-0-eu-central-1.pooler.supabase.com'
  const wanted = /user postgres\.PROJECT/
  assert.match(said('XX000', targetAt(host), { kind: 'configuration' }) ?? '', wanted)
  assert.match(said('28P01', targetAt(host), { kind: 'auth' }) ?? '', wanted)
  assert.equal(said('28P01', targetAt(host, 5432, { user: 'postgres.abc' }), { kind: 'auth' }), null)
  assert.match(said('53300', targetAt(host), { kind: 'capacity' }) ?? '', /port 6543/)
})

test("Neon's pooler is named when it takes no more connections", () => {
  const pooled = neon.replace('ep-cool-1', 'ep-cool-1-pooler')
  assert.ok(said('53300', targetAt(neon), { kind: 'capacity' })?.endsWith(`through its pooler: ${pooled}.`))
  assert.equal(said('53300', targetAt(pooled), { kind: 'capacity' }), null)
})

test('a server that wants TLS is told from one that wants another user', () => {
  const inClear = 'no pg_hba.conf entry for host "10.0.0.1", user "me", database "app", no encryption'
  const wanted = 'The server accepts encrypted connections only: use sslmode=require.'
  assert.equal(said('28000', targetAt('h.example'), { kind: 'auth', message: inClear }), wanted)
  const insecure = 'connection is insecure (try using `sslmode=require`)'
  assert.equal(said('08P01', targetAt(neon), { kind: 'configuration', message: insecure }), wanted)
  assert.match(said('3159', targetAt('h.example'), { kind: 'auth' }) ?? '', /use ssl-mode=REQUIRED\.$/)
  assert.equal(said('28000', targetAt('h.example'), { kind: 'auth', message: 'role "me" may not log in' }), null)
})

test('localhost is explained to whoever is refused there', () => {
  for (const host of ['localhost', '127.0.0.1', '::1', 'LOCALHOST']) {
    assert.match(said('ECONNREFUSED', targetAt(host)) ?? '', /^Inside a container, localhost is the container itself/)
  }
  assert.equal(said('ECONNREFUSED', targetAt('db.example.com')), null)
  assert.equal(said('28P01', targetAt('localhost'), { kind: 'auth' }), null)
})

test('a name that only a private network knows is told where it is known', () => {
  const names: readonly (readonly [string, RegExp])[] = [
    ['db', /without a dot.*Docker Compose, Kubernetes/],
    ['postgres', /without a dot/],
    ['dpg-abc123def-a', /Render's internal host.*external address/],
    ['postgres.railway.internal', /Railway's.*DATABASE_PUBLIC_URL/],
    ['my-db.flycast', /private network/],
    ['db.prod.svc.cluster.local', /Kubernetes cluster/],
  ]
  for (const [host, wanted] of names) {
    assert.match(said('ENOTFOUND', targetAt(host)) ?? '', wanted)
    assert.match(said('EAI_AGAIN', targetAt(host)) ?? '', wanted)
    assert.equal(said('ECONNREFUSED', targetAt(host)), null)
  }
  assert.equal(said('ENOTFOUND', targetAt('db.example.com')), null)
})

test('files and sockets get no advice', () => {
  assert.equal(said('CONNECTION_TIMEOUT', targetAt(null), { isSpace: true }), null)
  assert.equal(said('ENOENT', targetAt('/var/run/postgresql'), { isSpace: true }), null)
})

test("the fault's own hint stays first, and advice is added once", () => {
  const fault = { kind: 'unreachable', code: 'ECONNREFUSED', hint: 'Check the port.' } as const
  const once = advised(fault, targetAt('localhost'), { isSpace: false })
  assert.match(once.hint, /^Check the port\. Inside a container/)
  assert.equal(advised(once, targetAt('localhost'), { isSpace: false }), once)
  assert.equal(advised(fault, null, { isSpace: true }), fault)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointOf, urlOf } from '../../../plugins/neon/address/target.ts'
import { neonProblems } from '../../../plugins/neon/codes.ts'
import driver from '../../../plugins/neon/neon.ts'
import postgresql from '../../../plugins/postgresql/postgresql.ts'
import type { Settings } from '../../../src/config/settings.ts'
import { benchSettings, urlAddress } from '../../../src/conformance/bench.ts'
import { readSources } from '../../support/sources.ts'

const plain = benchSettings(driver, { address: async () => '' }, '/nowhere')
const host = 'ep-a-b-1.eu.aws.neon.tech'

function settingsWith(own: Readonly<Record<string, unknown>>): Settings {
  return { ...plain, plugins: { neon: { ...plain.plugins?.neon, ...own } } }
}

/** What is understood of an address, where its WebSockets are opened, and its problems. */
function read(text: string, own: Readonly<Record<string, unknown>> = {}) {
  const { target, problems } = driver.parse(urlAddress({ folder: '/nowhere' }, text), settingsWith(own))
  const codes = problems.map(({ code, severity }) => `${severity} ${code}`)
  if (target === undefined) return { codes, problems, endpoints: null }
  const { id, tls, port, user, database, pooled } = target
  const endpoints = target.hosts.map((one) => urlOf(endpointOf(target.proxy, one)))
  return { codes, problems, endpoints, id, tls, port, user, database, pooled, target, label: driver.describe(target) }
}

const info = 'info ADDRESS_PARAMETER_UNUSED'
const insecure = { wsProxy: 'ws://127.0.0.1:8080/v1' }

const usable: readonly (readonly [string, object, Readonly<Record<string, unknown>>?])[] = [
  [
    `neon+https://u:p@${host}/d`,
    { endpoints: [`wss://${host}:443/v2`], port: 443, tls: 'verify-full', pooled: 'yes', codes: [] },
  ],
  [`neon://u:p@${host}:443/d`, { endpoints: [`wss://${host}:443/v2`], label: `neon ${host}/d`, codes: [] }],
  [`NEON+WSS://u:p@${host}:8443/d`, { endpoints: [`wss://${host}:8443/v2`], label: `neon ${host}:8443/d`, codes: [] }],
  [`postgres://u:p@${host}:5432/d?sslmode=require`, { endpoints: [`wss://${host}:443/v2`], port: 443, codes: [] }],
  [`postgresql+psycopg2://u:p@h1,h2/d`, { endpoints: ['wss://h1:443/v2', 'wss://h2:443/v2'], codes: [] }],
  ['neon://u:p@[2001:db8::1]/d', { endpoints: ['wss://[2001:db8::1]:443/v2'], codes: [] }],
  [`neon://u:p@${host}/d?sslmode=require&channel_binding=require`, { tls: 'verify-full', codes: [info] }],
  [`neon://u:p@${host}/d?sslmode=disable`, { tls: 'verify-full', codes: ['warning ADDRESS_PARAMETER_UNUSED'] }],
  [`neon://u:p@${host}/d?sslrootcert=/ca.crt`, { tls: 'verify-full', codes: [] }],
  [`neon://u:p@${host}/d?sslmode=allow&ssl=true`, { tls: 'verify-full', codes: [] }],
  [`neon://u:p#w@${host}:443/d`, { codes: ['warning ADDRESS_REPAIRED'] }],
  [
    'neon://u:p@h/d',
    { endpoints: ['wss://proxy.example:443/v1?address=h:5432'], port: 5432, tls: 'verify-full' },
    { wsProxy: 'wss://proxy.example/v1' },
  ],
  [
    'postgres://u:p@[::1]:6000/d',
    { endpoints: ['wss://proxy.example:9000/?key=x&address=[::1]:6000'], port: 6000 },
    { wsProxy: 'proxy.example:9000?key=x' },
  ],
  ['neon://u:p@h/d', { endpoints: ['ws://127.0.0.1:8080/v1?address=h:5432'], tls: 'disable', codes: [] }, insecure],
  ['neon://u:p@h/d?sslmode=disable', { tls: 'disable', codes: [] }, insecure],
  [
    'neon://u:p@h/d',
    { endpoints: ['ws://proxy.internal:80/v1?address=h:5432'], codes: [] },
    { wsProxy: 'ws://proxy.internal/v1', wsInsecure: true },
  ],
]

for (const [text, wanted, own] of usable) {
  test(`reads ${text}${own === undefined ? '' : ` with ${JSON.stringify(own)}`}`, () => {
    const found: Record<string, unknown> = read(text, own)
    for (const [key, value] of Object.entries(wanted)) {
      // The usual port may be left out of a URL.
      const plainly = (seen: unknown): unknown =>
        JSON.parse(JSON.stringify(seen ?? null).replace(/:(?:443|80)\//g, '/'))
      assert.deepEqual(plainly(found[key]), plainly(value), key)
    }
  })
}

const refused: readonly (readonly [string, string, Readonly<Record<string, unknown>>?])[] = [
  ['neon://u:p@%2Frun%2Fpg/d', 'error ADDRESS_HOST_INVALID'],
  ['neon://u:p@[fe80::1%25eth0]/d', 'error '],
  ['neon://u:p@h:99999/d', 'error ADDRESS_PORT_INVALID'],
  ['neon://u:p@h/', 'error ADDRESS_NAME_MISSING'],
  ['neon:u:p@h/d', 'error ADDRESS_MALFORMED'],
  ['neon://u:p@https://h/d', 'error ADDRESS_MULTIPLE'],
  ['neon://u:p@h/d&password=s3cr3t', 'error ADDRESS_MALFORMED'],
  ['neon://u s3cr3t@h/d', 'error ADDRESS_PASSWORD_AMBIGUOUS'],
  ['neon://u:s3cr3t.example.com/d', 'error ADDRESS_PORT_INVALID'],
  ['neon://u:p@h/d?sslmode=require', 'error ADDRESS_TLS_CONFLICT', insecure],
  ['neon://u:p@h/d?sslmode=verify-full', 'error ADDRESS_TLS_CONFLICT', insecure],
  ['neon://u:p@h/d?channel_binding=require', 'error ADDRESS_TLS_CONFLICT', insecure],
  ['neon://u:p@h/d?sslrootcert=/ca.crt', 'error ADDRESS_TLS_CONFLICT', insecure],
  ['neon://u:p@h/d?sslmode=none', 'error ADDRESS_TLS_INVALID'],
  ['neon://u:p@h/d', 'error NEON_PROXY_INVALID', { wsProxy: 'ws://proxy.example/v1' }],
  ['neon://u:p@h/d', 'error NEON_PROXY_INVALID', { wsProxy: 'ftp://proxy.example/v1' }],
  ['neon://u:p@h/d', 'error NEON_PROXY_INVALID', { wsProxy: 'wss://me:s3cr3t@proxy.example/v1' }],
  ['neon://u:p@h/d', 'error NEON_PROXY_INVALID', { wsProxy: 'wss://:0:0' }],
]

for (const [text, wanted, own] of refused) {
  test(`refuses ${text}${own === undefined ? '' : ` with ${JSON.stringify(own)}`}`, () => {
    const { codes, endpoints, problems } = read(text, own)
    assert.equal(endpoints, null)
    assert.ok(
      codes.some((code) => code.startsWith(wanted)),
      codes.join(),
    )
    for (const { message, suggestion, setting } of problems) {
      assert.doesNotMatch(`${message} ${suggestion}`, /postgresql:|s3cr3t|:p@|5432\//, `${message} ${suggestion}`)
      assert.equal(setting, wanted.endsWith('PROXY_INVALID') ? 'plugins.neon.wsProxy' : 'database.url')
    }
  })
}

test('the corrected form is one of this driver, with the password masked', () => {
  const [problem] = read(`neon+https://u:p/w@${host}/d`).problems
  assert.ok(problem?.suggestion.endsWith(`neon+https://u:***@${host}/d`), problem?.suggestion)
})

test('a database has one id, whichever way and name leads to it', () => {
  const pooler = host.replace('.eu', '-pooler.eu')
  const ids = [`neon://u:p@${host}/d`, `neon+https://u:p@${pooler}:443/d`, `postgres://u:p@${host}:5432/d`].map(
    (text) => read(text).id,
  )
  const direct = [`postgres://u:p@${host}/d`, `postgres://u:p@${pooler.toUpperCase()}/d`].map(
    (text) => postgresql.parse(urlAddress({ folder: '/nowhere' }, text), plain).target?.id,
  )
  assert.deepEqual([...new Set([...ids, ...direct])], [`postgresql:${host}:5432/d`])
  const byProxy = read('neon://u:p@127.0.0.1:6000/d', insecure).id
  assert.equal(
    byProxy,
    postgresql.parse(urlAddress({ folder: '/nowhere' }, 'postgres://u:p@127.0.0.1:6000/d'), plain).target?.id,
  )
  assert.notEqual(read(`neon://u:p@${host}/other`).id, ids[0])
})

test('certificates come from the address, or from settings of this driver', async () => {
  const own = { sslRootCert: '/nowhere/ca.crt' }
  const { target } = read(`neon://u:p@${host}/d`, own)
  assert.equal(target?.encryption.authority, '/nowhere/ca.crt')
  assert.ok(target && driver.inspect)
  const { problems } = await driver.inspect(target)
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['TLS_FILE_UNREADABLE'],
  )
  assert.match(problems[0]?.suggestion ?? '', /NEON_SSL_ROOT_CERT/)
})

test('nothing is missing where the packages are installed', async () => {
  const { target } = read(`neon://u:p@${host}/d`)
  assert.ok(target && driver.inspect)
  assert.deepEqual((await driver.inspect(target)).problems, [])
})

test('every code of a problem is in the list, and every one in the list is used', () => {
  const used = new Set<string>()
  for (const { path, text } of readSources('plugins/neon')) {
    if (path.endsWith('codes.ts')) continue
    for (const [, code] of text.matchAll(/report\('(NEON_\w+)'/g)) used.add(code ?? '')
  }
  assert.deepEqual([...used].sort(), Object.keys(neonProblems).sort())
})

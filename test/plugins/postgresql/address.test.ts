import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { benchSettings, urlAddress } from '../../../src/conformance/bench.ts'

const bare = benchSettings(driver, { address: async () => '' }, '/nowhere')
// As a service has it: the hosts of an address share the time in which the primary is tried.
const settings = { ...bare, fallback: { ...bare.fallback, enabled: true } }

function parse(text: string) {
  return driver.parse(urlAddress({ folder: '/nowhere' }, text), settings)
}

/** What is understood of an address, and the codes of its problems. */
function read(text: string) {
  const { target, problems } = parse(text)
  const codes = problems.map(({ code }) => code)
  if (target === undefined) return { codes, problems }
  const { hosts, user, password, database, encryption, session, connectMs } = target
  const shown = hosts.map(({ host, port }) => `${host}:${port}`).join(',')
  const { mode } = encryption
  const secret = password?.reveal() ?? null
  return { shown, user, password: secret, database, mode, session, connectMs, codes, problems, target }
}

const usable: readonly (readonly [string, object])[] = [
  ['postgres://u:p@h/d', { shown: 'h:5432', user: 'u', password: 'p', database: 'd', mode: 'prefer', codes: [] }],
  ['POSTGRESQL://u:p@h:6000/d', { shown: 'h:6000', codes: [] }],
  ['postgresql+psycopg2://u:p@h/d', { shown: 'h:5432', codes: [] }],
  ['postgresql+asyncpg://u:p@h/d?ssl=require', { mode: 'require', codes: [] }],
  ['postgres://u%40x:p%2F%3F%23%40%25%20@h/d%20x', { user: 'u@x', password: 'p/?#@% ', database: 'd x', codes: [] }],
  ['postgres://u:p@h1,h2:6000/d', { shown: 'h1:5432,h2:6000', codes: [] }],
  ['postgres://u:p@[::1]:6000,[2001:db8::1]/d', { shown: '::1:6000,2001:db8::1:5432', codes: [] }],
  ['postgres://u:p@%2Frun%2Fpg/d', { shown: '/run/pg:5432', mode: 'disable', codes: [] }],
  ['postgres:///d?host=/run/pg&user=u', { shown: '/run/pg:5432', user: 'u', password: null, codes: [] }],
  ['postgresql://h:5433/d?user=u&password=p%26', { shown: 'h:5433', user: 'u', password: 'p&', codes: [] }],
  ['postgres://u:p@h/d?sslmode=verify-full&sslrootcert=system', { mode: 'verify-full', codes: [] }],
  ['postgres://u:p@h/d?ssl=true', { mode: 'require', codes: [] }],
  ['postgres://u:p@h/d?ssl=true&sslmode=verify-ca', { mode: 'verify-ca', codes: ['ADDRESS_TLS_CONFLICT'] }],
  ['postgres://u:p@h/d?target_session_attrs=read-write', { session: 'read-write', codes: [] }],
  ['postgres://u:p@h/d', { session: 'read-write', connectMs: null }],
  ['postgres://u:p@h1,h2/d?target_session_attrs=any', { session: 'any', connectMs: 2_500, codes: [] }],
  ['postgres://u:p@h1,h2/d?targetServerType=preferSecondary', { session: 'prefer-standby', connectMs: 1_250 }],
  ['postgres://u:p@h1,h2/d?connect_timeout=1', { connectMs: 1_000, codes: [] }],
  ['postgres://u:p@h/d?connect_timeout=7', { connectMs: 7_000, codes: [] }],
  ['postgres://u:p@h/d?target_session_attrs=writable', { session: 'read-write', codes: ['ADDRESS_PARAMETER_INVALID'] }],
  ['postgres://u:p@h/d?sslrootcert=system', { mode: 'verify-full', codes: ['ADDRESS_TLS_IMPLIED'] }],
  ['postgres://u:p@h/d?sslrootcert=/ca.crt', { mode: 'require', codes: ['ADDRESS_TLS_IMPLIED'] }],
  ['postgres://u:p@h/d?sslmode=prefer&sslrootcert=/ca.crt', { mode: 'require', codes: ['ADDRESS_TLS_IMPLIED'] }],
  ['postgres://u:p@h/d?passfile=/pgpass', { codes: ['ADDRESS_PARAMETER_UNUSED'] }],
  ...['sslmod', 'ssl-mode', 'ssl_mode', 'slmode', 'SSLMODE_', 'sslmdoe'].map((name): readonly [string, object] => [
    `postgres://u:p@h/d?${name}=verify-full`,
    { mode: 'verify-full', codes: ['ADDRESS_REPAIRED'] },
  ]),
  ['postgres://u:p@h/d?sslaccept=strict', { mode: 'verify-full', codes: [] }],
  ['postgres://u:p@h/d?connect_timeout=3&application_name=me', { codes: [] }],
  ...(['#', '/', '?', '@', ' '] as const).map((odd): readonly [string, object] => [
    `postgres://u:pa${odd}ss@h:6000/d`,
    { shown: 'h:6000', user: 'u', password: `pa${odd}ss`, database: 'd', codes: ['ADDRESS_REPAIRED'] },
  ]),
  ['postgres://u:100%@h/d', { password: '100%', codes: ['ADDRESS_REPAIRED'] }],
  ['postgres://u:p@ss/w#rd?x@h/d?sslmode=require', { password: 'p@ss/w#rd?x', mode: 'require' }],
  [
    'postgresql://role:npg_x@ep-a-b-1-pooler.eu.aws.neon.tech/neondb?sslmode=require&channel_binding=require',
    { shown: 'ep-a-b-1-pooler.eu.aws.neon.tech:5432', mode: 'require', codes: [] },
  ],
]

for (const [text, wanted] of usable) {
  test(`reads ${text}`, () => {
    const found: Record<string, unknown> = read(text)
    for (const [key, value] of Object.entries(wanted)) assert.deepEqual(found[key], value, key)
  })
}

const refused: readonly (readonly [string, string, string | null, RegExp])[] = [
  ['postgres://u:p@http://host/d', 'ADDRESS_MULTIPLE', 'host', /u:\*\*\*@host\/d/],
  ['postgres://u:p@https://db.example.com:5433/d', 'ADDRESS_MULTIPLE', 'host', /@db\.example\.com:5433\/d/],
  ['postgres://u:p@h/d postgres://u:p@h2/d', 'ADDRESS_MULTIPLE', null, /one address/],
  ['postgres://u:p@h:99999/d', 'ADDRESS_PORT_INVALID', 'port', /@h:5432/],
  ['postgres://u:p@h:port/d', 'ADDRESS_PORT_INVALID', 'port', /@h:5432/],
  ['postgres://u:p@h:0/d', 'ADDRESS_PORT_INVALID', 'port', /@h:5432/],
  ['postgres://u:p@/d', 'ADDRESS_HOST_MISSING', 'host', /u:\*\*\*@host\/d/],
  ['postgres:///d', 'ADDRESS_HOST_MISSING', 'host', /@host\/d/],
  ['postgres://u:p@h', 'ADDRESS_NAME_MISSING', 'name', /u:\*\*\*@h\/name/],
  ['postgres://u:p@h/', 'ADDRESS_NAME_MISSING', 'name', /u:\*\*\*@h\/name/],
  ['postgres://h/d', 'ADDRESS_USER_MISSING', 'user', /user:\*\*\*@h\/d/],
  ['postgres://u:p@::1/d', 'ADDRESS_HOST_INVALID', 'host', /@\[::1\]\/d/],
  ['postgres://u:p@2001:db8::1:5432/d', 'ADDRESS_HOST_INVALID', 'host', /\[2001:db8::1/],
  ['postgres:/u:p@h/d', 'ADDRESS_MALFORMED', 'scheme', /postgresql:\/\/u:\*\*\*@h\/d/],
  [`postgres://u:p@h/d?${'a&'.repeat(100)}sslmode=verify-full`, 'ADDRESS_MALFORMED', 'query', /needed/],
  ['postgres:u:p@h/d', 'ADDRESS_MALFORMED', 'scheme', /postgresql:\/\/u:\*\*\*@h\/d/],
  ['postgres://u:p@h/d?sslmode=always', 'ADDRESS_TLS_INVALID', 'sslmode', /verify-full/],
  ['postgres://u:p@h1/d1?x=@h2/d2', 'ADDRESS_PARAMETER_UNKNOWN', 'query', /./],
  ['postgres://u:a/b@c/d?e@f/g', 'ADDRESS_PASSWORD_AMBIGUOUS', 'password', /%2F/],
  [
    'postgres://u:p@h:1/d&password=S3cr3t',
    'ADDRESS_MALFORMED',
    'name',
    /postgresql:\/\/u:\*\*\*@h:1\/d\?password=\*\*\*$/,
  ],
  ['postgres://u:p@h/d&sslmode=require&x=S3cr3t', 'ADDRESS_MALFORMED', 'name', /\/d\?sslmode=require&x=\*\*\*$/],
  ['postgres://u S3cr3t@h/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h\/d$/],
  ['postgres://u;S3cr3t@h/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h\/d$/],
  ['postgres://u,S3cr3t@h1,h2:6000/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h1,h2:6000\/d$/],
  ['postgres://u/S3cr3t@h/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h\/d$/],
  ['postgres://u|S3cr3t@h/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h\/d$/],
  ['postgres://u%3AS3cr3t@h/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h\/d$/],
  ['postgres://u:S3cr3t.db.example.com/d', 'ADDRESS_PORT_INVALID', 'port', /user:\*\*\*@host\/name$/],
  ['postgres://u:p@h1,h2:x,h3:7/d', 'ADDRESS_PORT_INVALID', 'port', /u:\*\*\*@h1,h2:5432,h3:7\/d$/],
  ['postgres://u:p@h/d?sslmode=verify-ful', 'ADDRESS_TLS_INVALID', 'sslmode', /Write sslmode=verify-full[;.]/],
  ['postgres://u:p@h/d?sslmode=verify', 'ADDRESS_TLS_INVALID', 'sslmode', /Write sslmode=verify-full[;.]/],
  ['postgres://u:p@h/d?sslmode=requird', 'ADDRESS_TLS_INVALID', 'sslmode', /Write sslmode=require/i],
  ['postgres://u:p@h/d?sslmod=require', 'ADDRESS_REPAIRED', 'query', /Write "sslmode"/],
  ['postgres://u:p@h/d?tls=require', 'ADDRESS_TLS_INVALID', 'query', /sslmode accepts/],
  ['postgres://u:p@h/d?requiressl=1', 'ADDRESS_TLS_INVALID', 'query', /sslmode accepts/],
  ['postgres://u:p@h/d?sslcrl=/crl.pem', 'ADDRESS_TLS_INVALID', 'query', /sslmode accepts/],
  ['postgres://u:p@h/d?gssencmode=require', 'ADDRESS_TLS_INVALID', 'gssencmode', /sslmode=require/],
  ['postgres://u:p@h/d?channel_binding=requird', 'ADDRESS_TLS_INVALID', 'channel_binding', /accepts disable/],
  [
    'postgres://u:p@h/d?sslmode=disable&sslrootcert=/ca.crt',
    'ADDRESS_TLS_CONFLICT',
    'sslmode',
    /Remove sslmode=disable/,
  ],
  ['postgres://u:p@h/d?sslrootcert=-----BEGIN%20CERT', 'ADDRESS_TLS_INVALID', 'sslrootcert', /PEM text/],
  ['postgres://u:p@h:x/d?sslmode=verify-full', 'ADDRESS_PORT_INVALID', 'port', /h:5432\/d\?sslmode=verify-full$/],
  ['postgres:/u:p@h/d?sslmode=verify-full', 'ADDRESS_MALFORMED', 'scheme', /\/d\?sslmode=verify-full$/],
  ['postgres://u:p/q@h/d?sslmode=verify-full', 'ADDRESS_REPAIRED', 'password', /\/d\?sslmode=verify-full$/],
  ['postgres://u:p@h/d?passwd=S3cr3t', 'ADDRESS_PARAMETER_UNKNOWN', 'query', /mean "password"/],
]

for (const [text, code, part, suggestion] of refused) {
  test(`tells what is wrong with ${text}`, () => {
    const { problems } = read(text)
    const problem = problems.find((one) => one.code === code)
    assert.ok(problem, JSON.stringify(problems))
    assert.equal(problem.part, part)
    assert.match(problem.suggestion, suggestion)
    assert.doesNotMatch(JSON.stringify(problems), /S3cr3t/)
  })
}

test('a pooler is known by its name, its port and its parameter', () => {
  for (const [text, wanted] of [
    ['postgres://u:p@h/d', 'auto'],
    ['postgres://u:p@h:6543/d', 'yes'],
    ['postgres://u:p@ep-x-pooler.y.neon.tech/d', 'yes'],
    ['postgres://u:p@h/d?pgbouncer=true', 'yes'],
    ['postgres://u:p@h/d?pgbouncer=false', 'auto'],
  ] as const) {
    assert.equal(parse(text).target?.pooled, wanted, text)
  }
})

test('one database has one id, whatever user, password and parameters it is named with', () => {
  const ids = ['postgres://u:p@h/d', 'postgresql://v:q@H:5432/d?sslmode=require', 'postgres://h/d?user=w'].map(
    (text) => parse(text).target?.id,
  )
  assert.equal(new Set(ids).size, 1)
  assert.notEqual(parse('postgres://u:p@h/e').target?.id, ids[0])
})

test('any text is read without a throw, and no password is ever shown', () => {
  const odd = fc.constantFrom(
    '@',
    '/',
    '#',
    '?',
    '%',
    ':',
    ' ',
    '[',
    ']',
    ',',
    '//',
    '\u0000',
    '\ud800',
    '%zz',
    '&',
    '=',
  )
  const piece = fc.oneof(odd, fc.string({ maxLength: 6 }), fc.constantFrom('h', 'host:5432', 'sslmode=require', 'db'))
  const noise = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''))
  const secret = 'Zq9-s3cr3t-Zq9'
  fc.assert(
    fc.property(noise, noise, noise, (before, inside, after) => {
      const text = `postgres://u:${before}${secret}${inside}@${after}`
      const parsed = parse(text)
      assert.ok(!JSON.stringify(parsed.problems).includes(secret), text)
      if (parsed.target === undefined) assert.ok(parsed.problems.some(({ severity }) => severity === 'error'))
    }),
    { numRuns: 2_000, seed: 7 },
  )
})

test('what is encoded is read as it was meant', () => {
  const word = fc
    .string({ minLength: 1, maxLength: 20, unit: 'binary' })
    .filter((text) => text.isWellFormed() && !text.includes('\0'))
  fc.assert(
    fc.property(word, word, (user, password) => {
      const found = read(`postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h:5433/d`)
      assert.deepEqual([found.user, found.password, found.shown], [user, password, 'h:5433'])
    }),
    { numRuns: 500, seed: 7 },
  )
})

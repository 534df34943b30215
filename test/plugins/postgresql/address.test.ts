import assert from 'node:assert/strict'
import { userInfo } from 'node:os'
import { test } from 'node:test'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { benchSettings, urlAddress } from '../../../src/conformance/bench.ts'
import fc from '../../support/property.ts'

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
  [
    'postgres://u:p@h/d?sslmode=require&trustServerCertificate=true',
    { mode: 'require', codes: ['ADDRESS_PARAMETER_UNUSED'] },
  ],
  [
    'postgres://u:p@h/d?sslmode=require&TrustServerCertificate=false',
    { mode: 'verify-full', codes: ['ADDRESS_TLS_CONFLICT'] },
  ],
  ['postgres://u:p@h/d?ssl=true&sslmode=verify-ca', { mode: 'verify-ca', codes: ['ADDRESS_TLS_CONFLICT'] }],
  ['postgres://u:p@h/d?target_session_attrs=read-write', { session: 'read-write', codes: [] }],
  ['postgres://u:p@h/d', { session: 'read-write', connectMs: null }],
  ['postgres://u:p@h1,h2/d?target_session_attrs=any', { session: 'any', connectMs: null, codes: [] }],
  ['postgres://u:p@h1,h2/d?targetServerType=preferSecondary', { session: 'prefer-standby', connectMs: 2_500 }],
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

/** What libpq fills in. */
const own = userInfo().username
const folder = '/var/run/postgresql'
const filledIn = ['ADDRESS_PART_FILLED_IN']
const wins = ['ADDRESS_PARAMETER_WINS']

/** The cases of PostgreSQL's own test of libpq's URIs, with what Holdfast makes of each; null: refused, as there. */
const libpq: readonly (readonly [string, object | null])[] = [
  [
    'postgresql://uri-user:secret@host:12345/db',
    { shown: 'host:12345', user: 'uri-user', password: 'secret', database: 'db', codes: [] },
  ],
  [
    'postgresql://uri-user@host:12345/db',
    { shown: 'host:12345', user: 'uri-user', password: null, database: 'db', codes: [] },
  ],
  ['postgresql://uri-user@host/db', { shown: 'host:5432', user: 'uri-user', database: 'db', codes: [] }],
  ['postgresql://host:12345/db', { shown: 'host:12345', user: own, database: 'db', codes: filledIn }],
  ['postgresql://host/db', { shown: 'host:5432', user: own, database: 'db', codes: filledIn }],
  [
    'postgresql://uri-user@host:12345/',
    { shown: 'host:12345', user: 'uri-user', database: 'uri-user', codes: filledIn },
  ],
  ['postgresql://uri-user@host/', { shown: 'host:5432', user: 'uri-user', database: 'uri-user', codes: filledIn }],
  ['postgresql://uri-user@', { shown: `${folder}:5432`, user: 'uri-user', database: 'uri-user', codes: filledIn }],
  ['postgresql://host:12345/', { shown: 'host:12345', user: own, database: own, codes: filledIn }],
  ['postgresql://host:12345', { shown: 'host:12345', user: own, database: own, codes: filledIn }],
  ['postgresql://host/', { shown: 'host:5432', user: own, database: own, codes: filledIn }],
  ['postgresql://host', { shown: 'host:5432', user: own, database: own, codes: filledIn }],
  ['postgresql://', { shown: `${folder}:5432`, user: own, database: own, codes: filledIn }],
  ['postgresql://?hostaddr=127.0.0.1', { shown: '127.0.0.1:5432', user: own, codes: filledIn }],
  // The name leads to the same server, and TLS needs it.
  ['postgresql://example.com?hostaddr=63.1.2.4', { shown: 'example.com:5432', codes: filledIn }],
  ['postgresql://%68ost/', { shown: 'host:5432', codes: filledIn }],
  ['postgresql://host/db?user=uri-user', { shown: 'host:5432', user: 'uri-user', database: 'db', codes: [] }],
  ['postgresql://host/db?user=uri-user&port=12345', { shown: 'host:12345', user: 'uri-user', codes: [] }],
  ['postgresql://host/db?u%73er=someotheruser&port=12345', { shown: 'host:12345', user: 'someotheruser', codes: [] }],
  // An unknown parameter is told and not used.
  [
    'postgresql://host/db?u%7aer=someotheruser&port=12345',
    { shown: 'host:12345', user: own, codes: ['ADDRESS_PARAMETER_UNKNOWN', ...filledIn] },
  ],
  [
    'postgresql://host:12345?user=uri-user',
    { shown: 'host:12345', user: 'uri-user', database: 'uri-user', codes: filledIn },
  ],
  ['postgresql://host?user=uri-user', { shown: 'host:5432', user: 'uri-user', codes: filledIn }],
  ['postgresql://host?', { shown: 'host:5432', user: own, codes: filledIn }],
  ['postgresql://[::1]:12345/db', { shown: '::1:12345', database: 'db', codes: filledIn }],
  ['postgresql://[::1]/db', { shown: '::1:5432', database: 'db', codes: filledIn }],
  ['postgresql://[2001:db8::1234]/', { shown: '2001:db8::1234:5432', codes: filledIn }],
  // libpq finds only when it connects that this is not an address.
  ['postgresql://[200z:db8::1234]/', null],
  ['postgresql://[::1]', { shown: '::1:5432', codes: filledIn }],
  ['postgres://', { shown: `${folder}:5432`, codes: filledIn }],
  ['postgres:///', { shown: `${folder}:5432`, codes: filledIn }],
  ['postgres:///db', { shown: `${folder}:5432`, database: 'db', codes: filledIn }],
  ['postgres://uri-user@/db', { shown: `${folder}:5432`, user: 'uri-user', database: 'db', codes: filledIn }],
  ['postgres://?host=/path/to/socket/dir', { shown: '/path/to/socket/dir:5432', codes: filledIn }],
  ['postgresql://host?uzer=', { shown: 'host:5432', codes: ['ADDRESS_PARAMETER_UNKNOWN', ...filledIn] }],
  ['postgres://[::1', null],
  ['postgres://[]', null],
  ['postgres://[::1]z', null],
  ['postgresql://host?zzz', { shown: 'host:5432', codes: ['ADDRESS_PARAMETER_UNKNOWN', ...filledIn] }],
  ['postgresql://host?value1&value2', { shown: 'host:5432' }],
  ['postgresql://host?key=key=value', { shown: 'host:5432', codes: ['ADDRESS_PARAMETER_UNKNOWN', ...filledIn] }],
  // An escape that is none is used as it stands, as in passwords.
  ['postgres://host?dbname=%XXfoo', { shown: 'host:5432', database: '%XXfoo' }],
  ['postgresql://a%00b', null],
  ['postgresql://%zz', null],
  ['postgresql://%1', null],
  ['postgresql://%', null],
  ['postgres://@host', { shown: 'host:5432', user: own, codes: filledIn }],
  ['postgres://host:/', { shown: 'host:5432', user: own, codes: filledIn }],
  ['postgres://:12345/', { shown: `${folder}:12345`, user: own, codes: filledIn }],
  [
    'postgres://otheruser@?host=/no/such/directory',
    { shown: '/no/such/directory:5432', user: 'otheruser', codes: filledIn },
  ],
  [
    'postgres://otheruser@/?host=/no/such/directory',
    { shown: '/no/such/directory:5432', user: 'otheruser', codes: filledIn },
  ],
  ['postgres://otheruser@:12345?host=/no/such/socket/path', { shown: '/no/such/socket/path:12345', user: 'otheruser' }],
  ['postgres://otheruser@:12345/db?host=/path/to/socket', { shown: '/path/to/socket:12345', database: 'db' }],
  ['postgres://:12345/db?host=/path/to/socket', { shown: '/path/to/socket:12345', user: own, database: 'db' }],
  ['postgres://:12345?host=/path/to/socket', { shown: '/path/to/socket:12345', user: own, database: own }],
  [
    'postgres://%2Fvar%2Flib%2Fpostgresql/dbname',
    { shown: '/var/lib/postgresql:5432', database: 'dbname', codes: filledIn },
  ],
  ['postgresql://host?sslmode=disable', { mode: 'disable' }],
  ['postgresql://host?sslmode=prefer', { mode: 'prefer' }],
  ['postgresql://host?sslmode=verify-full', { mode: 'verify-full' }],
  // Cloud SQL's and Prisma's recipes: parameters win over the parts before them, and that is told.
  [
    'postgresql://u:p@localhost/d?host=/cloudsql/p:r:i',
    { shown: '/cloudsql/p:r:i:5432', mode: 'disable', codes: wins },
  ],
  ['postgresql://u:p@h/d?host=other&port=6000', { shown: 'other:6000', codes: wins }],
  ['postgresql://u:p@h:6000/d?host=other', { shown: 'other:6000', codes: wins }],
  ['postgresql://u:p@h:6000/d?port=7000', { shown: 'h:7000', codes: [] }],
  ['postgresql://u:p@h/d?user=v&dbname=e&password=q', { user: 'v', database: 'e', password: 'q', codes: wins }],
  ['postgresql://u:p@h/d?host=h&user=u', { shown: 'h:5432', user: 'u', codes: [] }],
]

for (const [text, wanted] of libpq) {
  test(`${wanted === null ? 'refuses' : 'reads as libpq does'} ${text}`, () => {
    const found: Record<string, unknown> = read(text)
    if (wanted === null) assert.equal(found.target, undefined)
    else for (const [key, value] of Object.entries(wanted)) assert.deepEqual(found[key], value, key)
    for (const { code, severity } of parse(text).problems) {
      if (code === 'ADDRESS_PART_FILLED_IN' || code === 'ADDRESS_PARAMETER_WINS') assert.equal(severity, 'info')
    }
  })
}

const refused: readonly (readonly [string, string, string | null, RegExp])[] = [
  ['postgres://u:p@/cloudsql/p:r:i/app', 'ADDRESS_HOST_INVALID', 'host', /u:\*\*\*@\/app\?host=\/cloudsql\/p:r:i$/],
  [
    'postgres://u@server:p@h/d',
    'ADDRESS_REPAIRED',
    'user',
    /^Write "%40" for "@": postgresql:\/\/u%40server:\*\*\*@h\/d$/,
  ],
  ['postgres://u:p@h/d/', 'ADDRESS_REPAIRED', 'name', /\/d$/],
  ['postgres://u:p@h/d?schema=mine', 'ADDRESS_PARAMETER_UNUSED', 'query', /options=-c%20search_path%3Dmine \(poolers/],
  ['postgres://u:p@h/d?search_path=mine', 'ADDRESS_PARAMETER_UNUSED', 'query', /options=-c%20search_path%3Dmine/],
  ['postgres://u:p@http://host/d', 'ADDRESS_MULTIPLE', 'host', /u:\*\*\*@host\/d/],
  ['postgres://u:p@https://db.example.com:5433/d', 'ADDRESS_MULTIPLE', 'host', /@db\.example\.com:5433\/d/],
  ['postgres://u:p@h/d postgres://u:p@h2/d', 'ADDRESS_MULTIPLE', null, /one address/],
  ['postgres://u:p@h:99999/d', 'ADDRESS_PORT_INVALID', 'port', /@h:5432/],
  ['postgres://u:p@h:port/d', 'ADDRESS_PORT_INVALID', 'port', /@h:5432/],
  ['postgres://u:p@h:0/d', 'ADDRESS_PORT_INVALID', 'port', /@h:5432/],
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
  ...['rejectUnauthorized', 'Encrypt', 'RootCertificate', 'verify', 'min_protocol_version', 'ciphers'].map(
    (name) => [`postgres://u:p@h/d?${name}=x`, 'ADDRESS_TLS_INVALID', 'query', /sslmode accepts/] as const,
  ),
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
  ['postgres:/u:p@h/d?ssl_min_protocol_version=TLSv1.3', 'ADDRESS_MALFORMED', 'scheme', /_version=TLSv1\.3$/],
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
      // Behind a host and a slash it is the name of a database.
      fc.pre(!/@.*\//s.test(before))
      const text = `postgres://u:${before}${secret}${inside}@${after}`
      const parsed = parse(text)
      assert.ok(!JSON.stringify(parsed.problems).includes(secret), text)
      if (parsed.target === undefined) assert.ok(parsed.problems.some(({ severity }) => severity === 'error'))
    }),
    { numRuns: 2_000 },
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
    { numRuns: 500 },
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import driver from '../../../plugins/mysql/mysql.ts'
import { Secret } from '../../../src/config/secret.ts'
import { benchSettings, urlAddress } from '../../../src/conformance/bench.ts'
import type { Address } from '../../../src/driver/address.ts'
import fc from '../../support/property.ts'

const settings = benchSettings(driver, { address: async () => '' }, '/nowhere')

function parse(text: string) {
  return driver.parse(urlAddress({ folder: '/nowhere' }, text), settings)
}

/** What is understood of an address, and the codes of its problems. */
function read(text: string) {
  const { target, problems } = parse(text)
  const codes = problems.map(({ code }) => code)
  if (target === undefined) return { codes, problems }
  const { hosts, user, password, database, tls: mode, encryption, connectMs } = target
  const shown = hosts.map(({ host, port }) => `${host}:${port}`).join(',')
  const { authority } = encryption
  return { shown, user, password: password?.reveal() ?? null, database, mode, authority, connectMs, codes, problems }
}

const usable: readonly (readonly [string, object])[] = [
  ['mysql://u:p@h/d', { shown: 'h:3306', user: 'u', password: 'p', database: 'd', mode: 'preferred', codes: [] }],
  ['MARIADB://u:p@h:6000/d', { shown: 'h:6000', codes: [] }],
  ['mysql+pymysql://u:p@h/d?charset=utf8mb4', { shown: 'h:3306', codes: ['ADDRESS_PARAMETER_UNUSED'] }],
  ['mariadb+mariadbconnector://u:p@h/d', { shown: 'h:3306', codes: [] }],
  ['mysql2://u@h/d', { user: 'u', password: null, codes: [] }],
  ['mysql://u%40x:p%2F%3F%23%40%25%20@h/d%20x', { user: 'u@x', password: 'p/?#@% ', database: 'd x', codes: [] }],
  ['mysql://u:p@h1,h2:6000/d', { shown: 'h1:3306,h2:6000', codes: [] }],
  ['mysql://u:p@[::1]:6000,[2001:db8::1]/d', { shown: '::1:6000,2001:db8::1:3306', codes: [] }],
  ['mysql://u:p@%2Frun%2Fmysqld.sock/d', { shown: '/run/mysqld.sock:3306', mode: 'disabled', codes: [] }],
  ['mysql://u:p@localhost/d?unix_socket=/run/m.sock', { shown: '/run/m.sock:3306', mode: 'disabled', codes: [] }],
  ['mysql://u:p@localhost/d?socket=%2Frun%2Fm.sock', { shown: '/run/m.sock:3306', codes: [] }],
  ['mysql:///d?socketPath=/run/m.sock&user=u&password=p', { shown: '/run/m.sock:3306', user: 'u', codes: [] }],
  ['mysql://h:5433/d?user=u&password=p%26', { shown: 'h:5433', user: 'u', password: 'p&', codes: [] }],
  ['mysql://h/?user=u&database=d', { database: 'd', codes: [] }],
  ['mysql:replication://h1,h2:6000/d?user=u', { shown: 'h1:3306,h2:6000', codes: ['ADDRESS_PARAMETER_UNUSED'] }],
  ...(
    [
      ['ssl-mode=DISABLED', 'disabled'],
      ['ssl_mode=PREFERRED', 'preferred'],
      ['sslMode=required', 'required'],
      ['sslmode=VERIFY_CA', 'verify_ca'],
      ['ssl-mode=VERIFY_IDENTITY', 'verify_identity'],
      ['sslmode=disable', 'disabled'],
      ['sslmode=prefer', 'preferred'],
      ['sslmode=require', 'required'],
      ['sslmode=verify-ca', 'verify_ca'],
      ['sslmode=verify-full', 'verify_identity'],
      ['sslMode=trust', 'required'],
      ['ssl=true', 'required'],
      ['ssl=false', 'disabled'],
      ['ssl=%7B%22rejectUnauthorized%22%3Atrue%7D', 'verify_ca'],
      ['ssl=%7B%22rejectUnauthorized%22%3Afalse%7D', 'required'],
      ['useSSL=true', 'required'],
      ['useSSL=true&requireSSL=true&verifyServerCertificate=true', 'verify_ca'],
      ['useSSL=false', 'disabled'],
      ['requireSSL=false', 'preferred'],
      ['tls=true', 'verify_identity'],
      ['tls=skip-verify', 'required'],
      ['tls=preferred', 'preferred'],
      ['sslaccept=strict', 'verify_identity'],
      ['sslaccept=accept_invalid_certs', 'required'],
      ['ssl_disabled=true', 'disabled'],
      ['ssl_verify_identity=true', 'verify_identity'],
      ['ssl-verify-server-cert', 'verify_identity'],
    ] as const
  ).map(([query, mode]): readonly [string, object] => [`mysql://u:p@h/d?${query}`, { mode, codes: [] }]),
  ['mysql://u:p@h/d?ssl-mode=DISABLED&useSSL=true', { mode: 'required', codes: ['ADDRESS_TLS_CONFLICT'] }],
  ['mysql://u:p@h/d?ssl-ca=/ca.pem&ssl-mode=VERIFY_CA', { mode: 'verify_ca', authority: '/ca.pem', codes: [] }],
  ['mysql://u:p@h/d?sslrootcert=/ca.pem', { mode: 'verify_ca', authority: '/ca.pem', codes: ['ADDRESS_TLS_IMPLIED'] }],
  [
    `mysql://u:p@h/d?ssl=${encodeURIComponent('{"ca":"/ca.pem"}')}`,
    { mode: 'verify_ca', authority: '/ca.pem', codes: [] },
  ],
  ['mysql://u:p@h/d?ssl-ca=system', { mode: 'verify_identity', codes: ['ADDRESS_TLS_IMPLIED'] }],
  ['mysql://u:p@h/d?sslmod=REQUIRED', { mode: 'required', codes: ['ADDRESS_REPAIRED'] }],
  ['mysql://u:p@h/d?ssl-cert=/c.pem', { codes: ['TLS_KEY_PAIR_INCOMPLETE'] }],
  ['mysql://u:p@h/d?connectTimeout=3000', { connectMs: 3_000, codes: [] }],
  ['mysql://u:p@h/d?connect_timeout=3', { connectMs: 3_000, codes: [] }],
  ['mysql://u:p@h/d?connect_timeout=soon', { connectMs: null, codes: ['ADDRESS_PARAMETER_INVALID'] }],
  ['mysql://u:p@h/d?allowPublicKeyRetrieval=true', { codes: ['ADDRESS_PARAMETER_UNUSED'] }],
  [
    'mysql://u:p@h/d?serverTimezone=UTC&timezone=Z',
    { codes: ['ADDRESS_PARAMETER_UNUSED', 'ADDRESS_PARAMETER_UNUSED'] },
  ],
  ['mysql://u:p@h/d?colour=blue', { codes: ['ADDRESS_PARAMETER_UNKNOWN'] }],
  ['mysql://u:p@h/d?socket=relative.sock', { shown: 'h:3306', codes: ['ADDRESS_PARAMETER_INVALID'] }],
  ...(['#', '/', '?', '@', ' '] as const).map((odd): readonly [string, object] => [
    `mysql://u:pa${odd}ss@h:6000/d`,
    { shown: 'h:6000', user: 'u', password: `pa${odd}ss`, database: 'd', codes: ['ADDRESS_REPAIRED'] },
  ]),
  ['mysql://u@x@h/d', { user: 'u@x', codes: ['ADDRESS_REPAIRED'] }],
  ['mysql://u:100%@h/d', { password: '100%', codes: ['ADDRESS_REPAIRED'] }],
]

for (const [text, wanted] of usable) {
  test(`reads ${text}`, () => {
    const found: Record<string, unknown> = read(text)
    for (const [key, value] of Object.entries(wanted)) assert.deepEqual(found[key], value, key)
  })
}

const refused: readonly (readonly [string, string, string | null, RegExp])[] = [
  ['mysql://u:p@http://host/d', 'ADDRESS_MULTIPLE', 'host', /u:\*\*\*@host\/d/],
  ['mysql://u:p@h/d mysql://u:p@h2/d', 'ADDRESS_MULTIPLE', null, /one address/],
  ['mysql://u:p@h:99999/d', 'ADDRESS_PORT_INVALID', 'port', /@h:3306\/d/],
  ['mysql://u:p@h:port/d', 'ADDRESS_PORT_INVALID', 'port', /@h:3306\/d/],
  ['mysql://u:p@h:0/d', 'ADDRESS_PORT_INVALID', 'port', /@h:3306\/d/],
  ['mysql://u:p@/d', 'ADDRESS_HOST_MISSING', 'host', /u:\*\*\*@host\/d/],
  ['mysql:///d', 'ADDRESS_HOST_MISSING', 'host', /@host\/d/],
  ['mysql://u:p@h', 'ADDRESS_NAME_MISSING', 'name', /u:\*\*\*@h\/name/],
  ['mysql://u:p@h/', 'ADDRESS_NAME_MISSING', 'name', /u:\*\*\*@h\/name/],
  [`mysql://u:p@h/${'n'.repeat(65)}`, 'ADDRESS_NAME_INVALID', 'name', /name/],
  ['mysql://h/d', 'ADDRESS_USER_MISSING', 'user', /user:\*\*\*@h\/d/],
  ['mysql://u:p@::1/d', 'ADDRESS_HOST_INVALID', 'host', /@\[::1\]\/d/],
  ['mysql://u:p@2001:db8::1:3306/d', 'ADDRESS_HOST_INVALID', 'host', /\[2001:db8::1/],
  ['mysql:/u:p@h/d', 'ADDRESS_MALFORMED', 'scheme', /mysql:\/\/u:\*\*\*@h\/d/],
  ['mysql:u:p@h/d', 'ADDRESS_MALFORMED', 'scheme', /mysql:\/\/u:\*\*\*@h\/d/],
  ['mysql://u:p@h/d?ssl-mode=always', 'ADDRESS_TLS_INVALID', 'ssl-mode', /VERIFY_IDENTITY/],
  ['mysql://u:p@h/d?sslStuff=yes', 'ADDRESS_TLS_INVALID', 'query', /VERIFY_IDENTITY/],
  ...['rejectUnauthorized', 'Encrypt', 'serverCertificate', 'verifyPeer', 'protocol-version', 'ciphers'].map(
    (name) => [`mysql://u:p@h/d?${name}=x`, 'ADDRESS_TLS_INVALID', 'query', /VERIFY_IDENTITY/] as const,
  ),
  ['mysql://u:p@h/d?ssl={broken', 'ADDRESS_TLS_INVALID', 'ssl-mode', /VERIFY_IDENTITY/],
  ['mysql://u:a/b@c/d?e@f/g', 'ADDRESS_PASSWORD_AMBIGUOUS', 'password', /%2F/],
  ['mysql://u:p@h:1/d&password=S3cr3t', 'ADDRESS_MALFORMED', 'name', /mysql:\/\/u:\*\*\*@h:1\/d\?password=\*\*\*$/],
  ['mysql://u:p@h/d&ssl-mode=require&x=S3cr3t', 'ADDRESS_MALFORMED', 'name', /\/d\?ssl-mode=require&x=\*\*\*$/],
  ['mysql://u S3cr3t@h/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h\/d$/],
  ['mysql://u;S3cr3t@h/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h\/d$/],
  ['mysql://u,S3cr3t@h1,h2:6000/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h1,h2:6000\/d$/],
  ['mysql://u/S3cr3t@h/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h\/d$/],
  ['mysql://u|S3cr3t@h/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h\/d$/],
  ['mysql://u%3AS3cr3t@h/d', 'ADDRESS_PASSWORD_AMBIGUOUS', 'user', /user:\*\*\*@h\/d$/],
  ['mysql://u:S3cr3t.db.example.com/d', 'ADDRESS_PORT_INVALID', 'port', /user:\*\*\*@host\/name$/],
  ['mysql://u:p@h1,h2:x,h3:7/d', 'ADDRESS_PORT_INVALID', 'port', /u:\*\*\*@h1,h2:3306,h3:7\/d$/],
  ['mysql://u:p@h/d?ssl-mode=verify-ful', 'ADDRESS_TLS_INVALID', 'ssl-mode', /Write ssl-mode=VERIFY_IDENTITY[;.]/],
  ['mysql://u:p@h/d?ssl-mode=verify', 'ADDRESS_TLS_INVALID', 'ssl-mode', /Write ssl-mode=VERIFY_IDENTITY[;.]/],
  ['mysql://u:p@h/d?ssl-mode=requird', 'ADDRESS_TLS_INVALID', 'ssl-mode', /Write ssl-mode=require/i],
  ['mysql://u:p@h/d?ssl-ca=/ca.pem&ssl-mode=DISABLED', 'ADDRESS_TLS_CONFLICT', 'ssl-mode', /Remove ssl-mode=DISABLED/],
  ['mysql://u:p@h:x/d?ssl-mode=VERIFY_CA', 'ADDRESS_PORT_INVALID', 'port', /h:3306\/d\?ssl-mode=VERIFY_CA$/],
]

for (const [text, code, part, suggestion] of refused) {
  test(`tells what is wrong with ${text.slice(0, 60)}`, () => {
    const { problems } = read(text)
    const problem = problems.find((one) => one.code === code)
    assert.ok(problem, JSON.stringify(problems))
    assert.equal(problem.severity, code === 'ADDRESS_REPAIRED' ? 'warning' : 'error')
    assert.equal(problem.part, part)
    assert.match(problem.suggestion, suggestion)
    assert.doesNotMatch(JSON.stringify(problems), /S3cr3t/)
  })
}

test('parts are read as an address is', () => {
  const parts = { username: 'u', password: new Secret('p@/'), name: 'd' }
  const { text: _text, scheme: _scheme, ...role } = urlAddress({ folder: '/nowhere' }, 'mysql:')
  const placed = (host: string | null, port: number | null) => {
    const address: Address = { ...role, form: 'parts', host, port, ...parts }
    const { target, problems } = driver.parse(address, settings)
    return target === undefined ? problems[0].code : target.hosts.map((one) => `${one.host}:${one.port}`).join(',')
  }
  assert.equal(placed('h', null), 'h:3306')
  assert.equal(placed('::1', 3307), '::1:3307')
  assert.equal(placed('/run/mysqld/mysqld.sock', null), '/run/mysqld/mysqld.sock:3306')
  assert.equal(placed(null, null), 'ADDRESS_HOST_MISSING')
  const nameless: Address = { ...role, form: 'parts', host: 'h', port: null, ...parts, username: null }
  assert.equal(driver.parse(nameless, settings).problems?.[0]?.suggestion, 'Set DATABASE_USERNAME.')
  assert.equal(placed('h', 70_000), 'ADDRESS_PORT_INVALID')
})

test('certificates come from the settings where the address names none', () => {
  const key = '-----BEGIN KEY-----\nAAAA\n-----END KEY-----'
  const plugins = { mysql: { sslCa: '/from/settings.pem', sslKey: new Secret(key) } }
  const from = (query: string) =>
    driver.parse(urlAddress({ folder: '/nowhere' }, `mysql://u:p@h/d?${query}`), { ...settings, plugins }).target
  assert.equal(from('')?.encryption.authority, '/from/settings.pem')
  assert.equal(from('')?.encryption.key?.reveal(), key)
  assert.equal(from('ssl-ca=/own.pem')?.encryption.authority, '/own.pem')
})

test('one database has one id, whatever user, password and parameters it is named with', () => {
  const ids = ['mysql://u:p@h/d', 'mariadb://v:q@H:3306/d?ssl-mode=REQUIRED', 'mysql://h/d?user=w'].map(
    (text) => parse(text).target?.id,
  )
  assert.equal(new Set(ids).size, 1)
  assert.notEqual(parse('mysql://u:p@h/e').target?.id, ids[0])
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
  const piece = fc.oneof(odd, fc.string({ maxLength: 6 }), fc.constantFrom('h', 'host:3306', 'ssl-mode=REQUIRED', 'db'))
  const noise = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''))
  const secret = 'Zq9-s3cr3t-Zq9'
  fc.assert(
    fc.property(noise, noise, noise, (before, inside, after) => {
      // Behind a host and a slash it is the name of a database.
      fc.pre(!/@.*\//s.test(before))
      const text = `mysql://u:${before}${secret}${inside}@${after}`
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
      const found = read(`mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h:5433/d`)
      assert.deepEqual([found.user, found.password, found.shown], [user, password, 'h:5433'])
    }),
    { numRuns: 500 },
  )
})

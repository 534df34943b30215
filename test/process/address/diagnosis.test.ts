import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { type Cleanup, cleanLater, cleanupOf } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import {
  adminToken,
  assertFallback,
  assertSaid,
  type Check,
  checkHere,
  checkJson,
  findProblem,
  hostAndLook,
  makeHome,
  type Sight,
  serveAndLook,
  type Wanted,
} from '../sight.ts'

/** In each password; it is letters and digits, so that it is spelt the same however it is encoded. */
const secret = 'hunter2Zq'

/** Passwords that people have, and that an address holds only encoded. */
const passwords = {
  plain: secret,
  hash: `a#${secret}`,
  slash: `a/${secret}`,
  question: `a?${secret}`,
  at: `a@${secret}`,
  percent: `a%${secret}`,
  blank: `a ${secret}`,
  quote: `a b\\'c ${secret}`,
} as const

type User = keyof typeof passwords

/** Where the private server is. */
interface At {
  readonly host: string
  readonly port: number
  readonly database: string
}

/** What is given, and what is said of it, exactly once each. */
interface Row {
  readonly given: string
  readonly url: string | ((at: At) => string)
  readonly wanted: readonly Wanted[]
}

const plain = ({ host, port, database }: At, scheme = 'postgresql'): string =>
  `${scheme}://plain:${secret}@${host}:${port}/${database}`

/** The address as somebody writes it who does not encode the password. */
const raw =
  (user: User) =>
  ({ host, port, database }: At): string =>
    `postgresql://${user}:${passwords[user]}@${host}:${port}/${database}`

const cleaned = (
  part: string,
  shown: RegExp = /^Write postgresql:\/\/plain:\*\*\*@127\.0\.0\.1:\d+\/app$/,
): Wanted => ({
  code: 'ADDRESS_REPAIRED',
  severity: 'warning',
  part,
  suggestion: shown,
})

const repaired = (character: string): Wanted => ({
  code: 'ADDRESS_REPAIRED',
  severity: 'warning',
  part: 'password',
  message: new RegExp(`"[${character}]" unencoded`),
  suggestion: new RegExp(`Write "${encodeURIComponent(character)}" for .*: postgresql://\\w+:\\*\\*\\*@127`),
})

const noted = (scheme: string, own = 'postgresql'): Wanted => ({
  code: 'ADDRESS_SCHEME_ALIAS',
  severity: 'info',
  part: 'scheme',
  message: new RegExp(`begins with "${scheme.replace('+', '\\+')}", which is read as "${own}"`),
})

const used: readonly Row[] = [
  { given: 'as it is', url: plain, wanted: [] },
  { given: 'in double quotes', url: (at) => `"${plain(at)}"`, wanted: [cleaned('quotes')] },
  { given: 'in single quotes', url: (at) => `'${plain(at)}'`, wanted: [cleaned('quotes')] },
  { given: 'in typographic quotes', url: (at) => `“${plain(at)}”`, wanted: [cleaned('quotes')] },
  { given: 'in single typographic quotes', url: (at) => `‘${plain(at)}’`, wanted: [cleaned('quotes')] },
  { given: 'in backticks', url: (at) => `\`${plain(at)}\``, wanted: [cleaned('quotes')] },
  { given: 'with a line end', url: (at) => `${plain(at)}\n`, wanted: [cleaned('blanks')] },
  { given: 'behind a byte order mark', url: (at) => `\uFEFF${plain(at)}`, wanted: [cleaned('invisible')] },
  { given: 'behind its own name', url: (at) => `DATABASE_URL=${plain(at)}`, wanted: [cleaned('name')] },
  { given: 'exported', url: (at) => `export DATABASE_URL=${plain(at)}`, wanted: [cleaned('name')] },
  { given: 'in a command', url: (at) => `psql '${plain(at)}'`, wanted: [cleaned('command')] },
  {
    given: 'in a command with options on both sides',
    url: (at) => `psql -X --set=a=b '${plain(at)}' -c "select 1"`,
    wanted: [cleaned('command')],
  },
  {
    given: 'spread over the options of a command',
    url: ({ host, port, database }) => `PGPASSWORD=${secret} psql -h ${host} -p ${port} -U plain ${database}`,
    wanted: [cleaned('command')],
  },
  {
    given: 'as keywords, the password in quotes',
    url: ({ host, port, database }) =>
      `host=${host} dbname=${database} user=quote password='a b\\\\\\'c ${secret}' port=${port} sslmode=prefer`,
    wanted: [cleaned('keywords', /^Write postgresql:\/\/quote:\*\*\*@127\.0\.0\.1:\d+\/app\?sslmode=prefer$/)],
  },
  {
    given: 'as keywords in a command',
    url: ({ host, port, database }) =>
      `psql "host=${host} dbname=${database} user=plain password=${secret} port=${port}"`,
    wanted: [cleaned('command')],
  },
  {
    given: 'of Java, with user and password behind it',
    url: ({ host, port, database }) => `jdbc:postgresql://${host}:${port}/${database}?user=plain&password=${secret}`,
    wanted: [
      { code: 'ADDRESS_REPAIRED', severity: 'info', part: 'jdbc', suggestion: /\/app\?user=plain&password=\*\*\*$/ },
    ],
  },
  { given: 'with the comment of an env file', url: (at) => `${plain(at)}  # prod`, wanted: [cleaned('comment')] },
  {
    given: 'as ADO.NET has it',
    url: ({ host, port, database }) =>
      `Host=${host};Port=${port};Database=${database};Username=plain;Password=${secret}`,
    wanted: [cleaned('ado.net')],
  },
  {
    given: "as AWS's secrets have it",
    url: ({ host, port, database }) =>
      JSON.stringify({ username: 'plain', password: secret, engine: 'postgres', host, port, dbname: database }),
    wanted: [cleaned('json')],
  },
  {
    given: 'whose parameters win over a host that does not exist',
    url: ({ host, port, database }) =>
      `postgresql://plain:${secret}@no.such.host.invalid:1/${database}?host=${host}&port=${port}`,
    wanted: [{ code: 'ADDRESS_PARAMETER_WINS', severity: 'info', part: 'host' }],
  },
  {
    given: 'of a database that is named like its user',
    url: ({ host, port }) => `postgresql://plain:${secret}@${host}:${port}`,
    wanted: [{ code: 'ADDRESS_PART_FILLED_IN', severity: 'info', part: 'name', message: /the database "plain"/ }],
  },
  { given: 'of psycopg2', url: (at) => plain(at, 'postgresql+psycopg2'), wanted: [noted('postgresql+psycopg2')] },
  { given: 'of asyncpg', url: (at) => plain(at, 'postgresql+asyncpg'), wanted: [noted('postgresql+asyncpg')] },
  { given: 'of postgres://', url: (at) => plain(at, 'postgres'), wanted: [noted('postgres')] },
  { given: 'in capitals', url: (at) => plain(at, 'POSTGRESQL'), wanted: [noted('POSTGRESQL')] },
  { given: 'with # in the password', url: raw('hash'), wanted: [repaired('#')] },
  { given: 'with / in the password', url: raw('slash'), wanted: [repaired('/')] },
  { given: 'with ? in the password', url: raw('question'), wanted: [repaired('?')] },
  { given: 'with @ in the password', url: raw('at'), wanted: [repaired('@')] },
  { given: 'with % in the password', url: raw('percent'), wanted: [repaired('%')] },
  { given: 'with a blank in the password', url: raw('blank'), wanted: [repaired(' ')] },
]

const placeholder = (part: string, message = /placeholder/): Wanted => ({
  code: 'ADDRESS_PLACEHOLDER',
  severity: 'error',
  part,
  message,
})

const malformed = (shown: RegExp): Wanted => ({
  code: 'ADDRESS_MALFORMED',
  severity: 'error',
  part: 'scheme',
  message: /expected "postgres:\/\/"/,
  suggestion: shown,
})

const fault = (code: string, part: string | null, message: RegExp, suggestion: RegExp): Wanted => ({
  code,
  severity: 'error',
  part,
  message,
  suggestion,
})

const refused: readonly (Row & { readonly url: string; readonly isServed?: true })[] = [
  {
    given: 'a variable',
    url: `\${DATABASE_URL}`,
    wanted: [placeholder('address', /\$\{DATABASE_URL\}/)],
    isServed: true,
  },
  { given: 'a bare variable', url: '$DATABASE_URL', wanted: [placeholder('address', /\$DATABASE_URL/)] },
  {
    given: 'a variable of Railway',
    url: `\${{Postgres.DATABASE_URL}}`,
    wanted: [placeholder('address', /Postgres\.DATABASE_URL/)],
  },
  { given: 'a variable of templates', url: '{{ database_url }}', wanted: [placeholder('address')] },
  { given: 'a variable of Windows', url: '%DATABASE_URL%', wanted: [placeholder('address', /%DATABASE_URL%/)] },
  { given: '<password>', url: 'postgresql://me:<password>@db/app', wanted: [placeholder('password')] },
  { given: '[YOUR-PASSWORD]', url: 'postgresql://me:[YOUR-PASSWORD]@db/app', wanted: [placeholder('password')] },
  { given: 'a masked password', url: 'postgresql://me:***@db/app', wanted: [placeholder('password')] },
  {
    given: 'the line of a manual',
    url: 'postgresql://user:password@host:port/database',
    wanted: [placeholder('address part', /host:port/)],
    isServed: true,
  },
  {
    given: 'a password with two readings',
    url: `postgresql://u:${secret}/b@c/d?e@f/g`,
    wanted: [
      fault(
        'ADDRESS_PASSWORD_AMBIGUOUS',
        'password',
        /"\/" at position 10\b.*more than one way/,
        /Write "%2F" for "\/"/,
      ),
    ],
    isServed: true,
  },
  {
    given: 'a scheme within the host',
    url: `postgresql://me:${secret}@http://host`,
    wanted: [fault('ADDRESS_MULTIPLE', 'host', /second scheme/, /postgresql:\/\/me:\*\*\*@host\/name$/)],
    isServed: true,
  },
  {
    given: 'a list of hosts with nothing in it',
    url: `postgresql://me:${secret}@db,/app`,
    wanted: [fault('ADDRESS_HOST_MISSING', 'host', /no host/, /me:\*\*\*@db,host\/app$/)],
  },
  {
    given: 'port 99999',
    url: `postgresql://me:${secret}@db:99999/app`,
    wanted: [fault('ADDRESS_PORT_INVALID', 'port', /99999.* 1 to 65535/, /me:\*\*\*@db:5432\/app$/)],
    isServed: true,
  },
  {
    given: 'letters for a port',
    url: `postgresql://me:${secret}@db:abc/app`,
    wanted: [fault('ADDRESS_PORT_INVALID', 'port', / 1 to 65535/, /me:\*\*\*@db:5432\/app$/)],
  },
  {
    given: 'no database',
    url: `mysql://me:${secret}@db:5432`,
    wanted: [fault('ADDRESS_NAME_MISSING', 'name', /no database/, /me:\*\*\*@db(?::5432)?\/name$/)],
  },
  {
    given: 'a slash and no database',
    url: `mysql://me:${secret}@db:5432/`,
    wanted: [fault('ADDRESS_NAME_MISSING', 'name', /no database/, /me:\*\*\*@db(?::5432)?\/name$/)],
  },
  {
    given: 'a misspelt scheme',
    url: `postgress://me:${secret}@db/app`,
    wanted: [
      fault(
        'ADDRESS_SCHEME_UNKNOWN',
        'scheme',
        /"postgress"/,
        /Did you mean "postgres"\? .*postgres:\/\/me:\*\*\*@db\/app$/,
      ),
    ],
    isServed: true,
  },
  {
    given: 'the address of a page',
    url: `https://me:${secret}@db.example.com/app`,
    wanted: [fault('ADDRESS_SCHEME_UNKNOWN', 'scheme', /web page/, /connection string/)],
  },
  {
    given: 'an address of MongoDB',
    url: `mongodb+srv://me:${secret}@cluster0.example.net/app`,
    wanted: [
      fault('ADDRESS_SCHEME_UNKNOWN', 'scheme', /"mongodb\+srv".*MongoDB/, /Loaded drivers accept: .*postgresql/),
    ],
    isServed: true,
  },
  {
    given: 'IPv6 without brackets',
    url: `postgresql://me:${secret}@2001:db8::7:5432/app`,
    wanted: [fault('ADDRESS_HOST_INVALID', 'host', /brackets/, /me:\*\*\*@\[2001:db8::7\]:5432\/app$/)],
  },
  {
    given: 'one slash',
    url: `postgres:/me:${secret}@db/app`,
    wanted: [malformed(/^Write postgres:\/\/me:\*\*\*@db\/app$/)],
    isServed: true,
  },
  {
    given: 'three slashes',
    url: `postgres:///me:${secret}@db/app`,
    wanted: [malformed(/^Write postgres:\/\/me:\*\*\*@db\/app$/)],
  },
  {
    given: 'no colon',
    url: `postgres//me:${secret}@db/app`,
    wanted: [malformed(/^Write postgres:\/\/me:\*\*\*@db\/app$/)],
  },
  {
    given: 'neither colon nor slashes',
    url: `postgresme:${secret}@db`,
    wanted: [malformed(/^Write postgres:\/\/me:\*\*\*@db$/)],
  },
  {
    given: 'two addresses in one',
    url: `postgresql://me:${secret}@db/app,postgresql://me:${secret}@db2/app`,
    wanted: [
      fault('ADDRESS_MULTIPLE', 'address', /two addresses.* character \d+/, /postgresql:\/\/me:\*\*\*@db\/app$/),
    ],
    isServed: true,
  },
  {
    given: 'an unknown sslmode',
    url: `postgresql://me:${secret}@db/app?sslmode=requird`,
    wanted: [
      fault(
        'ADDRESS_TLS_INVALID',
        'sslmode',
        /"requird" is not a valid TLS mode/,
        /Write sslmode=require\. .*verify-full/,
      ),
    ],
    isServed: true,
  },
]

/** Some rows of each table are met by a process, as users start it; the others by what it composes. */
const isByProcess = (at: number): boolean => at % 10 === 0

/** Nothing that was said holds the secret, in whatever spelling: it has one only. */
function assertSecretNowhere(texts: readonly string[]): void {
  for (const text of texts) {
    const at = text.indexOf(secret)
    assert.equal(at, -1, `the secret is in: ${text.slice(Math.max(0, at - 300), at + 100)}`)
  }
}

/** All that a service shows to anybody, and what it printed. */
async function everything({ service }: Sight): Promise<readonly string[]> {
  const seen: string[] = []
  for (const path of ['/', '/status', '/health', '/health/ready', '/metrics', '/api/feedback']) {
    for (const accept of ['text/html', 'application/json']) {
      const answer = await service.fetch(path, { headers: { 'holdfast-token': adminToken, accept } })
      seen.push(JSON.stringify([...answer.headers]), await answer.text())
    }
  }
  await service.end()
  return [...seen, service.output()]
}

const addressProblems = (problems: Sight['problems']) => problems.filter(({ setting }) => setting === 'database.url')

/** The check says what is wanted of the address, each once and nothing else. */
function assertChecked(check: Check, row: Row, code: 0 | 2): void {
  assert.equal(check.code, code, check.text)
  for (const wanted of row.wanted) findProblem(check.problems, { setting: 'database.url', ...wanted })
  assert.equal(addressProblems(check.problems).length, row.wanted.length, check.text)
  assertSecretNowhere([check.text])
}

describe('an address of a real PostgreSQL', { skip: noPostgres, concurrency: 2 }, () => {
  const cleanup = cleanupOf(after)
  let server: Postgres
  before(async () => {
    server = await startPostgres(cleanup)
    await server.query('create database app')
    await server.query('create database plain')
    for (const [user, password] of Object.entries(passwords)) {
      await server.query(`create role ${user} superuser login password '${password.replaceAll("'", "''")}'`)
    }
  })

  for (const [at, row] of used.entries()) {
    test(`${row.given} is used, and what is to be changed is said`, async (t) => {
      const url =
        typeof row.url === 'string' ? row.url : row.url({ host: '127.0.0.1', port: server.port, database: 'app' })
      const cwd = await makeHome(t)
      const check = await checkHere(cwd, { DATABASE_URL: url })
      assertChecked(check, row, 0)
      assert.match(String(check.primary?.database), /^(?:app|plain)$/)
      // How long it takes is not asked here.
      const patience = { CONNECTION_TIMEOUT: '30s', FALLBACK_TIMEOUT: '30s' }
      const options = { cwd, env: { DATABASE_URL: url, LOG_LEVEL: 'trace', ECHO_SQL: 'true', ...patience } }
      const sight = isByProcess(at) ? await serveAndLook(t, options) : await hostAndLook(t, options)
      assert.equal(sight.store, 'primary; driver=postgresql', sight.service.output())
      for (const wanted of row.wanted) await assertSaid(sight, { setting: 'database.url', ...wanted })
      assert.equal(addressProblems(sight.problems).length, row.wanted.length)
      assertSecretNowhere(await everything(sight))
    })
  }

  test('with advice has it in the log and not among the problems', async (t) => {
    const url = plain({ host: '127.0.0.1', port: server.port, database: 'app' })
    const sight = await serveAndLook(t, { env: { DATABASE_URL: url, POSTGRESQL_POOLED: 'yes' } })
    assert.deepEqual(addressProblems(sight.problems), [])
    const line = await until(() =>
      sight.service.log().find(({ event, store }) => event === 'store.advised' && store === 'primary'),
    )
    assert.equal(line.level, 'info')
    assert.match(String(line.detail ?? line.msg), /through a pooler/)
    assert.ok(!JSON.stringify(sight.status.problems).includes('pooler'))
  })

  test('with a password of manuals is tried, with a warning', async (t) => {
    await server.query(`create role manual superuser login password 'changeme'`)
    const url = `postgresql://manual:changeme@127.0.0.1:${server.port}/app`
    const sight = await serveAndLook(t, { env: { DATABASE_URL: url } })
    assert.equal(sight.store, 'primary; driver=postgresql')
    await assertSaid(sight, { code: 'ADDRESS_PASSWORD_EXAMPLE', severity: 'warning', part: 'password' })
  })
})

describe('what a platform is known for', { concurrency: 2 }, () => {
  const env = { SPACE_ID: 'me/space', MAX_RETRIES_PRIMARY: '0', FALLBACK_TIMEOUT: '1s' }

  for (const [what, code] of [
    ['refuses', 'ECONNREFUSED'],
    ['says nothing', 'FALLBACK_TIMEOUT'],
  ] as const) {
    test(`the ports that leave a Space are named in status, health and log when a server ${what}`, async (t) => {
      const port = code === 'ECONNREFUSED' ? 1 : await silentPort(t)
      const given = { ...env, DATABASE_URL: `postgresql://me:${secret}@127.0.0.1:${port}/app` }
      const sight = await serveAndLook(t, { env: given })
      assertFallback(sight)
      const hint = new RegExp(`Spaces document that outbound ports .* are blocked, and this is ${port}\\.`)
      assert.equal(sight.status.database.why?.code, code)
      assert.match(sight.status.database.why?.hint ?? '', hint)
      assert.match(sight.health.output ?? '', hint)
      const isTold = (line: Record<string, unknown>): boolean => hint.test(JSON.stringify(line.fault ?? ''))
      assert.ok(sight.service.log().some(isTold), sight.service.output())
      assertSecretNowhere(await everything(sight))
    })
  }
})

/** Accepts connections and never says a word. */
async function silentPort(t: Cleanup): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanLater(t, () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe('a DATABASE_URL that cannot be used', { concurrency: 2 }, () => {
  for (const [at, row] of refused.entries()) {
    const serves = row.isServed ? ', and the fallback serves' : ''
    test(`because it is ${row.given}: the part, the reason and the corrected form are said${serves}`, async (t) => {
      const cwd = await makeHome(t)
      const env = { DATABASE_URL: row.url, LOG_LEVEL: 'trace' }
      const check = isByProcess(at) ? await checkJson(t, { cwd, env }) : await checkHere(cwd, env)
      assertChecked(check, row, 2)
      assert.equal(check.primary, null)
      assert.equal(check.fallback?.driver, 'sqlite')
      if (!row.isServed) return
      const sight = isByProcess(at) ? await serveAndLook(t, { cwd, env }) : await hostAndLook(t, { cwd, env })
      assertFallback(sight)
      for (const wanted of row.wanted) await assertSaid(sight, { setting: 'database.url', ...wanted })
      assertSecretNowhere(await everything(sight))
    })
  }
})

test('addresses of MySQL and MariaDB are understood, and noted once', async (t) => {
  for (const scheme of ['mysql+pymysql', 'mariadb', 'MYSQL']) {
    const url = `${scheme}://me:${secret}@db/app`
    const check = await checkHere(await makeHome(t), { DATABASE_URL: url })
    assertChecked(check, { given: scheme, url, wanted: [noted(scheme, 'mysql')] }, 0)
  }
})

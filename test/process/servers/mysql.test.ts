import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { after, before, describe, type TestContext, test } from 'node:test'
import { type Hosted, hostService } from '../../support/hosted.ts'
import { type Service, startService } from '../../support/process.ts'
import { type Mariadb, mariadbUser, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import { cleanupOf, makeTempDir, writeFiles } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, hurriedEnv, reach, ready, statusText } from '../serving.ts'

const primary = 'primary; driver=mysql'
const fallback = 'fallback; driver=sqlite'

/** A field of each kind, and each kind of key. */
const everything = {
  name: 'everything',
  fields: {
    short: { type: 'string', maxLength: 20 },
    long: { type: 'string', maxLength: 200_000 },
    when: { type: 'string', format: 'date-time' },
    small: { type: 'integer', minimum: -1_000, maximum: 1_000 },
    big: { type: 'integer' },
    real: { type: 'number' },
    flag: { type: 'boolean' },
    object: { type: 'object' },
    list: { type: 'array' },
    code: { type: 'string', maxLength: 255 },
    group: { type: 'string', maxLength: 255 },
  },
  indexes: [{ fields: ['code'], unique: true }, { fields: ['group', 'small'] }],
  access: { create: 'public', list: 'public', get: 'public', update: 'public', delete: 'public' },
}

const rows = [
  {
    short: 'a\'b"c\\d;--\u00e9\u{1f600}',
    long: 'x\u{1f600}'.repeat(40_000),
    when: '2026-03-29T01:30:00.123Z',
    small: -7,
    big: Number.MAX_SAFE_INTEGER,
    real: 0.1 + 0.2,
    flag: true,
    object: { z: 1, a: { deep: [1, null, 'two', 1e300] }, 'a"b': '\\' },
    list: [[], {}, 'x', null, -0.5],
    code: 'ABC',
    group: 'g ',
  },
  {
    short: '',
    real: -1e-300,
    flag: false,
    big: Number.MIN_SAFE_INTEGER,
    object: {},
    list: [],
    code: 'abc',
    group: 'g',
  },
  { when: '9999-12-31T23:59:59.999Z', real: 1.7976931348623157e308, code: 'abc ', short: '1'.repeat(20) },
  { when: '0001-01-01T00:00:00.000Z', real: 5e-324, code: '\u00e4bc' },
]

type Body = Record<string, unknown> & { readonly id: string }

describe('the service on a real MariaDB', { skip: noMariadb }, () => {
  const cleanup = cleanupOf(after)
  let server: Mariadb
  before(async () => {
    server = await startMariadb(cleanup)
  })

  const options = (url: string, env: Readonly<Record<string, string>>) => ({
    files: { 'config/collections/everything.json': JSON.stringify(everything) },
    env: {
      DRIVERS: 'sqlite,mysql',
      DATABASE_URL: url,
      ...hurriedEnv,
      HTTP_BODY_LIMIT: '1MiB',
      // Not the zone of the server either.
      TZ: 'America/New_York',
      ...env,
    },
  })

  const start = (t: TestContext, url: string, env: Readonly<Record<string, string>> = {}): Promise<Service> =>
    startService(t, options(url, env))

  /** Without a process of its own: what fails here is the server, or the way to it. */
  const host = (t: TestContext, url: string, env: Readonly<Record<string, string>> = {}): Promise<Hosted> =>
    hostService(t, options(url, env))

  const create = (service: Hosted, rating: number, comment = 'from the test') =>
    service.send('POST', '/api/feedback', { rating, comment, meta: { deep: [1, null, 'two'] } }, admin)

  test('a field of each kind comes back as it was sent, and lies in MariaDB', async (t) => {
    const database = await server.createDatabase()
    const service = await ready(start(t, server.url(database)), primary)
    const made: Body[] = []
    for (const row of rows) {
      const answer = await service.send('POST', '/api/everything', row)
      const body = (await answer.json()) as Body
      assert.equal(answer.status, 201, JSON.stringify(body).slice(0, 300))
      assert.equal(answer.headers.get('holdfast-store'), primary)
      assert.equal(answer.headers.get('holdfast-durability'), 'primary')
      for (const [name, value] of Object.entries(row)) assert.deepEqual(body[name], value, name)
      const got = await service.fetch(`/api/everything/${body.id}`)
      assert.equal(got.headers.get('etag'), answer.headers.get('etag'))
      assert.deepEqual(await got.json(), body)
      made.push(body)
    }
    const listed = (await (await service.fetch('/api/everything?limit=10')).json()) as { items: Body[] }
    assert.deepEqual(listed.items, made.toReversed())
    const stored = await server.query(
      "select cast(`when` as char) as at, hex(short) as bytes, big, object, flag, `group` from everything where code = 'ABC'",
      database,
    )
    const [first] = rows
    assert.deepEqual(stored, [
      {
        at: '2026-03-29 01:30:00.123',
        bytes: Buffer.from(first?.short ?? '')
          .toString('hex')
          .toUpperCase(),
        big: Number.MAX_SAFE_INTEGER,
        // Keys are sorted by length, then by bytes.
        object: '{"a":{"deep":[1,null,"two",1e+300]},"z":1,"a\\"b":"\\\\"}',
        flag: 1,
        group: 'g ',
      },
    ])
    for (const [at, row] of made.entries()) {
      const change = { ...rows[(at + 1) % rows.length], code: `changed ${at}` }
      const answer = await service.send('PATCH', `/api/everything/${row.id}`, change)
      const body = (await answer.json()) as Body
      assert.equal(answer.status, 200, JSON.stringify(body).slice(0, 300))
      for (const [name, value] of Object.entries(change)) assert.deepEqual(body[name], value, name)
      assert.deepEqual([body.version, body.createdAt], [2, row.createdAt])
      assert.deepEqual(await (await service.fetch(`/api/everything/${row.id}`)).json(), body)
    }
    assert.deepEqual(await service.end(), { code: 0, signal: null })
  })

  test('keys, conditions and pages mean what they mean on the other stores', async (t) => {
    const service = await ready(host(t, server.url(await server.createDatabase())), primary)
    const post = (body: object) => service.send('POST', '/api/everything', body)
    // Equal to a collation that looks past case, accents or trailing blanks; not to a reader.
    const codes = ['key', 'KEY', 'k\u00e9y', 'key ', 'k\u0065\u0301y', '\u00dfss', 'ssss', 'key\t']
    for (const code of codes) assert.equal((await post({ code })).status, 201, JSON.stringify(code))
    const twice = await post({ code: 'key' })
    assert.deepEqual([twice.status, ((await twice.json()) as { code: string }).code], [409, 'CONFLICT'])
    const [first, ...rest] = await pagesOf(service, '/api/everything', 3)
    assert.deepEqual([first?.code, rest.length], [codes.at(-1), codes.length - 1])
    const taken = await service.send('PATCH', `/api/everything/${first?.id}`, { code: 'KEY' })
    assert.equal(taken.status, 409)
    const path = `/api/everything/${first?.id}`
    const etag = (await service.fetch(path)).headers.get('etag') ?? ''
    const change = (match: string, body: object) =>
      service.fetch(path, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json', 'if-match': match },
        body: JSON.stringify(body),
      })
    const changed = await change(etag, { short: 'one' })
    assert.equal(changed.status, 200)
    assert.equal((await change(etag, { short: 'two' })).status, 412)
    assert.equal((await change(`"x", ${changed.headers.get('etag')}`, { short: 'one' })).status, 200, 'nothing is new')
    assert.equal((await change('*', { short: 'three' })).status, 200)
    assert.equal((await service.fetch(path, { method: 'DELETE', headers: { 'if-match': etag } })).status, 412)
    assert.equal((await service.fetch(path, { method: 'DELETE' })).status, 204)
    assert.equal((await service.fetch(path, { method: 'DELETE' })).status, 404)
    assert.equal((await change('*', { short: 'four' })).status, 404)
    await service.end()
  })

  test('of many who change one row at once each is answered with his own change', async (t) => {
    const service = await ready(host(t, server.url(await server.createDatabase())), primary)
    const row = (await (await service.send('POST', '/api/everything', { code: 'many' })).json()) as Body
    const answers = await Promise.all(
      Array.from({ length: 24 }, async (_, at) => {
        const answer = await service.send('PATCH', `/api/everything/${row.id}`, { small: at })
        return { status: answer.status, etag: answer.headers.get('etag'), body: (await answer.json()) as Body }
      }),
    )
    for (const [at, { status, body }] of answers.entries()) assert.deepEqual([status, body.small], [200, at])
    assert.equal(new Set(answers.map(({ etag }) => etag)).size, 24)
    const versions = answers.map(({ body }) => Number(body.version)).sort((a, b) => a - b)
    assert.deepEqual(
      versions,
      Array.from({ length: 24 }, (_, at) => at + 2),
    )
    await service.end()
  })

  test('a second start finds its tables, and the password is nowhere', async (t) => {
    const database = await server.createDatabase()
    const first = await ready(start(t, server.url(database)), primary)
    assert.equal((await create(first, 5)).status, 201)
    assert.deepEqual(await first.end(), { code: 0, signal: null })
    const tables = await server.query('show tables', database)
    assert.deepEqual(
      tables.flatMap((row) => Object.values(row)),
      ['everything', 'feedback', 'holdfast_attempt', 'holdfast_conflict', 'holdfast_identity', 'holdfast_request'],
    )
    const made = await server.query('show create table everything', database)
    const again = await ready(start(t, server.url(database)), primary)
    assert.equal(((await (await again.fetch('/api/feedback')).json()) as { items: unknown[] }).items.length, 1)
    assert.deepEqual(await server.query('show create table everything', database), made, 'nothing was altered')
    assert.deepEqual(await again.end(), { code: 0, signal: null })
    for (const secret of [mariadbUser.password, encodeURIComponent(mariadbUser.password)]) {
      assert.ok(!(first.output() + again.output()).includes(secret))
    }
  })

  test('a field that is declared later becomes a column, and the rows that are there stay', async (t) => {
    const database = await server.createDatabase()
    const before = await ready(host(t, server.url(database)), primary)
    const row = (await (await before.send('POST', '/api/everything', rows[0])).json()) as Body
    await before.end()
    const more = {
      ...everything,
      fields: { ...everything.fields, extra: { type: 'array' }, note: { type: 'string', maxLength: 30 } },
      indexes: [...everything.indexes, { fields: ['note'] }],
    }
    const service = await hostService(t, {
      files: { 'config/collections/everything.json': JSON.stringify(more) },
      env: { DRIVERS: 'sqlite,mysql', DATABASE_URL: server.url(database), RATE_LIMIT: '0', HTTP_BODY_LIMIT: '1MiB' },
    })
    assert.deepEqual(await (await service.fetch(`/api/everything/${row.id}`)).json(), {
      ...row,
      extra: null,
      note: null,
    })
    const answer = await service.send('PATCH', `/api/everything/${row.id}`, { extra: [1], note: 'new' })
    assert.deepEqual(((await answer.json()) as Body).extra, [1])
    await service.end()
  })

  test('a collection of as many fields as there may be, with the widest keys, has its table', async (t) => {
    const names = Array.from({ length: 100 }, (_, at) => `f${at}`)
    const wide = {
      name: 'wide',
      fields: Object.fromEntries(names.map((name) => [name, { type: 'string', maxLength: 255 }])),
      indexes: [{ fields: names.slice(0, 2) }, { fields: names.slice(1, 3), unique: true }],
      access: { create: 'public', get: 'public' },
    }
    const database = await server.createDatabase()
    const body = Object.fromEntries(names.map((name) => [name, '\u{1f600}'.repeat(120)]))
    // The second start reads what the first has made, and finds nothing to add.
    for (const status of [201, 409]) {
      const service = await hostService(t, {
        files: { 'config/collections/wide.json': JSON.stringify(wide) },
        env: { DRIVERS: 'sqlite,mysql', DATABASE_URL: server.url(database), RATE_LIMIT: '0', HTTP_BODY_LIMIT: '1MiB' },
      })
      assert.equal((await service.send('POST', '/api/wide', body)).status, status)
      await service.end()
    }
  })

  test('each way to write the address of this server is understood, and rows land in it', async (t) => {
    const database = await server.createDatabase()
    const url = server.url(database)
    const { user, password } = mariadbUser
    const secret = encodeURIComponent(password)
    const rest = url.replace(/^mariadb:/, '')
    for (const [text, env, code] of [
      [`jdbc:mariadb://127.0.0.1:${server.port}/${database}?user=${user}&password=${secret}`, {}, 'ADDRESS_REPAIRED'],
      [`"MYSQL+PYMYSQL:${rest}?charset=utf8mb4"`, {}, 'ADDRESS_PARAMETER_UNUSED'],
      [`mysql://${user}:${password.replace(' ', '%20')}@127.0.0.1:${server.port}/${database}`, {}, 'ADDRESS_REPAIRED'],
      [`mysql:${rest.replace('127.0.0.1', '127.0.0.1:1,127.0.0.1')}`, {}, ''],
      [`mysql2://${user}:${secret}@localhost/${database}?unix_socket=${server.socket}`, {}, ''],
      ['', partsOf(server, database), ''],
    ] as const) {
      const service = await host(t, text, env)
      const created = await create(service, 5)
      assert.deepEqual(
        [created.status, created.headers.get('holdfast-store')],
        [201, primary],
        `${text}: ${service.output()}`,
      )
      const status = await statusText(service)
      if (code !== '') assert.ok(status.includes(code), `${text}: ${status}`)
      await service.end()
      for (const shown of [status, service.output()]) assert.ok(!shown.includes(secret) && !shown.includes(password))
    }
    assert.deepEqual(await server.query('select count(*) as n from feedback', database), [{ n: 6 }])
  })

  test('an address that is wrong is told with part and corrected form, and the fallback serves', async (t) => {
    const secret = 'Zq9-s3cr3t'
    for (const [text, code, shown] of [
      [`mysql://u:${secret}@h:99999/d`, 'ADDRESS_PORT_INVALID', 'mysql://u:***@h:3306/d'],
      [`mysql://u:${secret}@h`, 'ADDRESS_NAME_MISSING', 'mysql://u:***@h/name'],
      [`mariadb://u:${secret}@h/d?ssl-mode=always`, 'ADDRESS_TLS_INVALID', 'VERIFY_IDENTITY'],
      [`mariadb://u:${secret}@::1/d`, 'ADDRESS_HOST_INVALID', 'mysql://u:***@[::1]/d'],
    ] as const) {
      const service = await host(t, text)
      const created = await create(service, 5)
      assert.deepEqual([created.status, created.headers.get('holdfast-store')], [201, fallback], text)
      const status = await statusText(service)
      assert.ok(status.includes(code) && status.includes(shown), `${text}: ${status}`)
      assert.ok(!(status + service.output()).includes(secret))
      await service.end()
    }
  })

  test('what answers at the port and is no MariaDB is told within the limits', async (t) => {
    const web = createServer((_req, res) => res.end('hello')).listen(0, '127.0.0.1')
    const banner = createTcpServer(
      (socket) => void socket.on('error', () => {}).write('SSH-2.0-OpenSSH_9.2\r\n'),
    ).listen(0)
    await Promise.all([once(web, 'listening'), once(banner, 'listening')])
    t.after(() => void web.close())
    t.after(() => void banner.close())
    for (const { port } of [web.address(), banner.address()] as AddressInfo[]) {
      const service = await host(t, `mysql://u:p@127.0.0.1:${port}/d`)
      await reach(service, fallback, 5_000)
      assert.match(await statusText(service), /"kind": "unreachable"/)
      await service.end()
    }
  })

  test('when MariaDB is killed the fallback answers, and when it is back it serves without a restart', async (t) => {
    const database = await server.createDatabase()
    const service = await ready(start(t, server.url(database)), primary)
    await create(service, 5)
    await server.kill()
    const killed = performance.now()
    await reach(service, fallback)
    t.diagnostic(`SIGKILL to the first answer of the fallback: ${Math.round(performance.now() - killed)} ms`)
    const created = await create(service, 3)
    assert.deepEqual([created.status, created.headers.get('holdfast-store')], [201, fallback])
    assert.match(created.headers.get('holdfast-durability') ?? '', /^journal/)
    await server.start()
    const back = performance.now()
    await reach(service, primary)
    t.diagnostic(`the server answers to the first answer of the primary: ${Math.round(performance.now() - back)} ms`)
    assert.equal((await create(service, 4)).headers.get('holdfast-store'), primary)
    const stored = await server.query('select rating from feedback order by id', database)
    assert.deepEqual(
      stored.map(({ rating }) => rating),
      [5, 3, 4],
    )
    assert.deepEqual(await service.end(), { code: 0, signal: null })
  })

  test('when MariaDB is stopped callers are freed within QUERY_TIMEOUT, and it serves again when it goes on', async (t) => {
    const service = await ready(host(t, server.url(await server.createDatabase())), primary)
    await create(service, 5)
    server.pause()
    try {
      const stopped = performance.now()
      const answers = await Promise.all(Array.from({ length: 20 }, () => service.fetch('/api/feedback')))
      const tookMs = performance.now() - stopped
      t.diagnostic(`SIGSTOP to 20 answers of the fallback: ${Math.round(tookMs)} ms`)
      assert.ok(tookMs < 1_000 + 1_500, `${tookMs} ms`)
      for (const answer of answers) assert.equal(answer.headers.get('holdfast-store'), fallback)
    } finally {
      server.resume()
    }
    await reach(service, primary)
    await service.end()
  })

  test('an orderly restart of MariaDB is answered through, and it serves again', async (t) => {
    const service = await ready(host(t, server.url(await server.createDatabase())), primary)
    await create(service, 5)
    await server.stop()
    await reach(service, fallback)
    await server.start()
    await reach(service, primary)
    assert.equal((await create(service, 4)).status, 201)
    await service.end()
  })

  // A service of its own for each: a second loss within a minute of a return is followed by a longer stay.
  for (const behaviour of ['swallow', 'mute', 'cut', 'reset'] as const) {
    test(`the network does "${behaviour}": answers go on, and afterwards a pool of two is whole`, async (t) => {
      const proxy = await startProxy(t, server)
      const database = await server.createDatabase()
      const service = await ready(
        host(t, server.url(database, proxy.port), { POOL_SIZE: '2', POOL_MAX_OVERFLOW: '0' }),
        primary,
      )
      await create(service, 5)
      proxy.behave(behaviour)
      const answers = await Promise.all([
        ...Array.from({ length: 4 }, () => create(service, 1)),
        ...Array.from({ length: 4 }, () => service.fetch('/api/feedback')),
      ])
      for (const { status } of answers) assert.ok([200, 201, 503].includes(status), `${status}`)
      await reach(service, fallback)
      proxy.behave('pass')
      await reach(service, primary)
      const whole = await Promise.all(Array.from({ length: 8 }, () => create(service, 2)))
      assert.deepEqual([...new Set(whole.map(({ status }) => status))], [201])
      await service.end()
      await until(() => proxy.open === 0, { what: 'all connections to be closed' })
    })
  }

  test('a commit whose answer is lost is one row or none, never two, and is told as unknown', async (t) => {
    const proxy = await startProxy(t, server)
    const database = await server.createDatabase()
    const service = await ready(host(t, server.url(database, proxy.port)), primary)
    await create(service, 5)
    const met = proxy.once(/the unknown one/, 'mute')
    const answer = await create(service, 1, 'the unknown one')
    await met
    // Same store, opened anew or kept: the row is found there. Another store may not be asked.
    if (answer.status !== 201) {
      assert.deepEqual([answer.status, ((await answer.json()) as { code: string }).code], [503, 'COMMIT_UNKNOWN'])
    }
    await until(async () => {
      const rows = await server.query("select count(*) as n from feedback where comment = 'the unknown one'", database)
      return rows[0]?.n === 1
    })
    await service.end()
  })

  test('a wrong password serves from the fallback and heals when the secret file is rotated', async (t) => {
    const dir = await makeTempDir(t, 'secret')
    const right = server.url(await server.createDatabase())
    await writeFiles(dir, { url: right.replace(/:[^:@/]*@/, ':wr0ng-passw0rd@') })
    const service = await start(t, '', { DATABASE_URL_FILE: `${dir}/url` })
    await reach(service, fallback)
    const status = await statusText(service)
    assert.match(status, /1045/)
    assert.ok(!status.includes('wr0ng-passw0rd') && !service.output().includes('wr0ng-passw0rd'))
    await writeFiles(dir, { url: right })
    await reach(service, primary, 45_000)
    assert.deepEqual(await service.end(), { code: 0, signal: null })
  })

  for (const [what, change, code] of [
    ['a database that is missing', (url: string) => url.replace(/\/t_\w+$/, '/not_there'), '1049'],
    ['a server that speaks no TLS', (url: string) => `${url}?ssl-mode=REQUIRED`, 'HANDSHAKE_NO_SSL_SUPPORT'],
  ] as const) {
    test(`${what} is told, and the fallback serves`, async (t) => {
      const service = await host(t, change(server.url(await server.createDatabase())))
      await reach(service, fallback)
      const status = await statusText(service)
      assert.ok(status.includes(code), status)
      await service.end()
    })
  }

  test('a user without the right to make tables is told the SQL, and reads and writes go on in what is there', async (t) => {
    const database = await server.createDatabase()
    const owner = await host(t, server.url(database))
    await create(owner, 5)
    await owner.end()
    await server.query('drop table holdfast_identity', database)
    await server.query('drop table holdfast_attempt', database)
    const user = `plain_${database.slice(2, 12)}`
    await server.query(`create user ${user} identified by 'plain'`)
    for (const table of ['feedback', 'everything']) {
      await server.query(`grant select, insert, update, delete on ${database}.${table} to ${user}`)
    }
    const service = await host(t, server.url(database).replace(/\/\/[^@]*@/, `//${user}:plain@`))
    const created = await create(service, 3)
    assert.deepEqual([created.status, created.headers.get('holdfast-store')], [201, primary])
    const status = await statusText(service)
    assert.match(status, /OWN_TABLES_MISSING/)
    assert.match(status, /create table if not exists .*holdfast_identity/)
    await service.end()
  })
})

/** The same in parts. */
function partsOf({ port }: Mariadb, database: string): Record<string, string> {
  const { user, password } = mariadbUser
  return {
    DATABASE_DRIVER: 'mariadb',
    DATABASE_HOST: '127.0.0.1',
    DATABASE_PORT: String(port),
    DATABASE_USERNAME: user,
    DATABASE_PASSWORD: password,
    DATABASE_NAME: database,
  }
}

/** All rows, page by page. */
async function pagesOf(service: Hosted, path: string, limit: number): Promise<Body[]> {
  const found: Body[] = []
  let cursor: string | null = null
  do {
    const answer = await service.fetch(`${path}?limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`)
    const page = (await answer.json()) as { items: Body[]; next: string | null }
    found.push(...page.items)
    cursor = page.next
  } while (cursor !== null)
  return found
}

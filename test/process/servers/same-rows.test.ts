import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Service, startService } from '../../support/process.ts'
import fc from '../../support/property.ts'
import { type Mariadb, noMariadb, startMariadb } from '../../support/servers/mariadb.ts'
import { noPostgres, type Postgres, startPostgres } from '../../support/servers/postgres.ts'
import { type Cleanup, cleanupOf } from '../../support/temp.ts'

const admin = { authorization: 'Bearer an-admin-token-of-some-length' }
const access = { create: 'public', list: 'public', get: 'public', update: 'public', delete: 'public' }

const everything = {
  name: 'everything',
  fields: {
    word: { type: 'string', maxLength: 40 },
    text: { type: 'string' },
    at: { type: 'string', format: 'date-time' },
    small: { type: 'integer', minimum: 0, maximum: 100 },
    big: { type: 'integer' },
    real: { type: 'number' },
    flag: { type: 'boolean' },
    object: { type: 'object' },
    list: { type: 'array' },
  },
  access,
}

const keyed = {
  name: 'keyed',
  fields: { one: { type: 'string', maxLength: 20 }, two: { type: 'integer' } },
  indexes: [
    { fields: ['one'], unique: true },
    { fields: ['two', 'one'], unique: true },
  ],
  access,
}

/** Its table has rules that the declaration does not know. */
const ruled = {
  name: 'ruled',
  fields: {
    must: { type: 'string', maxLength: 20 },
    few: { type: 'integer', minimum: -1000, maximum: 1000 },
    friend: { type: 'string', maxLength: 20 },
    tag: { type: 'string', maxLength: 20 },
  },
  access,
}

/** Its table stores whole seconds, and a trigger changes what is written. */
const coarse = {
  name: 'coarse',
  fields: { at: { type: 'string', format: 'date-time' }, note: { type: 'string', maxLength: 20 } },
  access,
}

const slowPattern = '^(?:[a-z]+[0-9]*)+$'
const patterned = {
  name: 'patterned',
  fields: Object.fromEntries(
    Array.from({ length: 10 }, (_, at) => [`f${at}`, { type: 'string', maxLength: 256, pattern: slowPattern }]),
  ),
  access,
}

/** Declarations that no database, or not every one, can hold. */
const impossible = {
  a: { name: 'a', fields: { prototype: { type: 'string' } } },
  b: { name: 'b', fields: { ctid: { type: 'string' } } },
  c: { name: 'c', fields: { xmin: { type: 'integer' } } },
  d: { name: 'd', fields: { x: { type: 'string', default: 'a\0' } } },
  e: { name: 'e', fields: { x: { type: 'array', default: ['\ud800'] } } },
  keyed_one_unique: { name: 'keyed_one_unique', fields: { x: { type: 'string' } } },
  keyed_pkey: { name: 'keyed_pkey', fields: { x: { type: 'string' } } },
  f: {
    name: 'f',
    fields: Object.fromEntries(['x', 'y', 'z'].map((name) => [name, { type: 'string', maxLength: 255 }])),
    indexes: [{ fields: ['x', 'y', 'z'] }],
  },
}

const declared = [everything, keyed, ruled, patterned, coarse]
const files = Object.fromEntries([
  ...declared.map((one) => [`config/collections/${one.name}.json`, JSON.stringify(one)]),
  ...Object.entries(impossible).map(([name, one]) => [`config/collections/${name}.json`, JSON.stringify(one)]),
])

/** The table of `ruled`, by someone else. */
const ruledTable = (types: {
  readonly id: string
  readonly instant: string
  readonly quote: string
  readonly coarse: string
  readonly collation: string
  readonly trigger: readonly string[]
}) => {
  const quoted = (name: string) => types.quote + name + types.quote
  return [
    `create table friends (name varchar(20) primary key)`,
    `create table coarse (id ${types.id} primary key, at ${types.coarse}, note varchar(20) ${types.collation}, ${quoted('createdAt')} ${types.instant},
     ${quoted('updatedAt')} ${types.instant}, version integer not null default 1, holdfast_attempt ${types.id})`,
    `create table ruled (id ${types.id} primary key, must varchar(20) not null, few integer, friend varchar(20),
     tag varchar(5), ${quoted('createdAt')} ${types.instant}, ${quoted('updatedAt')} ${types.instant},
     version integer not null default 1, holdfast_attempt ${types.id},
     constraint few_is_small check (few < 10), constraint known foreign key (friend) references friends (name))`,
    'create unique index own_key on ruled (few, tag)',
    ...types.trigger,
  ]
}

/** One kind of database, with the service on it. */
interface Subject {
  readonly service: Service
  /** Runs a statement as another program. */
  readonly run: (sql: string) => Promise<readonly Record<string, unknown>[]>
}

interface Status {
  readonly problems: readonly { readonly code: string; readonly message: string; readonly suggestion: string | null }[]
}

type Answer = { readonly status: number; readonly text: string; readonly etag: string | null }

async function call(service: Service, method: string, path: string, body?: unknown): Promise<Answer> {
  const init = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const answer = await service.fetch(path, { method, ...init })
  return { status: answer.status, text: await answer.text(), etag: answer.headers.get('etag') }
}

/** Nested arrays. */
function nested(levels: number): unknown[] {
  return levels === 1 ? [] : [nested(levels - 1)]
}

const plainText = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\0'))
const plainKey = fc
  .oneof(plainText, fc.constantFrom('10', '9', 'a', 'é', 'b', 'aa', '😀', '', 'z', '01'))
  .filter((key) => key !== '__proto__')
const plainNumber = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((one) => Math.abs(one) <= Number.MAX_SAFE_INTEGER),
  fc.constantFrom(1e300, 5e-324, -0, 0.1 + 0.2, 1e21, 100, 1.5e-7),
)
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    plainText,
    plainNumber,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(plainKey, tie('json'), { maxKeys: 5 }),
  ),
}))
const instants = fc
  .date({ min: new Date('0001-01-02T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString())
const body = fc.record(
  {
    word: plainText,
    text: fc.oneof(plainText, fc.constantFrom(' trailing ', 'a\r\nb', '\\', '\u2028', '"')),
    at: instants,
    small: fc.integer({ min: 0, max: 100 }),
    big: fc.maxSafeInteger(),
    real: fc.double({ noNaN: true, noDefaultInfinity: true }),
    flag: fc.boolean(),
    object: fc.dictionary(plainKey, json, { maxKeys: 6 }),
    list: fc.array(json, { maxLength: 4 }),
  },
  { requiredKeys: [] },
)

/** The same bodies for every database. */
const bodies = fc.sample(body, { numRuns: 60, seed: 20_261 })

/** The text of a row without what differs by its nature. */
function comparable(text: string): string {
  return text
    .replace(/^\{"id":"[^"]+"/, '{"id":""')
    .replace(/"createdAt":"[^"]+","updatedAt":"[^"]+"/, '"createdAt":"","updatedAt":""')
}

const answered = new Map<string, readonly string[]>()

function conformRows(kind: string, isSkipped: string | false, open: (t: Cleanup) => Promise<Subject>): void {
  describe(`on ${kind}`, { skip: isSkipped }, () => {
    const cleanup = cleanupOf(after)
    let service: Service
    let subject: Subject
    before(async () => {
      subject = await open(cleanup)
      service = subject.service
    })

    test('what a write answers is what a read gives, to the byte, and what other databases answer', async () => {
      const texts: string[] = []
      for (const given of bodies) {
        const created = await call(service, 'POST', '/api/everything', given)
        assert.equal(created.status, 201, `${created.text} ${JSON.stringify(given)}`)
        const path = `/api/everything/${JSON.parse(created.text).id}`
        assert.deepEqual(await call(service, 'GET', path), { ...created, status: 200 })
        const page = await call(service, 'GET', '/api/everything?limit=1')
        assert.equal(JSON.parse(page.text).items.length, 1)
        assert.ok(page.text.includes(created.text), page.text)
        const changed = await call(service, 'PATCH', path, bodies[(texts.length * 7 + 1) % bodies.length])
        assert.deepEqual(await call(service, 'GET', path), changed)
        texts.push(comparable(created.text), comparable(changed.text))
      }
      answered.set(kind, texts)
      for (const [other, theirs] of answered) assert.deepEqual(texts, theirs, `${kind} and ${other}`)
    })

    test('what a write answers is what a trigger or a column of less precision made of it', async () => {
      const created = await call(service, 'POST', '/api/coarse', { at: '2026-01-31T12:00:00.123Z', note: 'low' })
      assert.match(created.text, /"note":"LOW"/)
      const path = `/api/coarse/${JSON.parse(created.text).id}`
      assert.deepEqual(await call(service, 'GET', path), { ...created, status: 200 })
      const changed = await call(service, 'PATCH', path, { at: '2026-01-31T12:00:00.987Z', note: 'high' })
      assert.match(changed.text, /"note":"HIGH"/)
      assert.deepEqual(await call(service, 'GET', path), changed)
    })

    test('the keys of objects are sorted by length, then by bytes', async () => {
      const { text } = await call(service, 'POST', '/api/everything', {
        object: { zz: 1, b: { d: 1, c: 2 }, a: 3, é: 4 },
      })
      assert.match(text, /"object":\{"a":3,"b":\{"c":2,"d":1\},"zz":1,"é":4\}/)
    })

    test('30 levels of nesting are stored, one more is 422', async () => {
      const deep = await call(service, 'POST', '/api/everything', { list: nested(30) })
      assert.equal(deep.status, 201, deep.text)
      const deeper = await call(service, 'POST', '/api/everything', { list: nested(31) })
      assert.equal(deeper.status, 422)
      assert.match(deeper.text, /at most 30 levels/)
      const object = await call(service, 'POST', '/api/everything', { object: { a: nested(30) } })
      assert.equal(object.status, 422)
    })

    test('409 names the fields of the key', async () => {
      const post = (given: object) => call(service, 'POST', '/api/keyed', given)
      assert.equal((await post({ one: 'a', two: 1 })).status, 201)
      const same = await post({ one: 'a', two: 2 })
      const { status, code, errors } = JSON.parse(same.text)
      const message = 'Another row has this value.'
      assert.deepEqual([status, code, errors], [409, 'CONFLICT', [{ pointer: '/one', message }]])
      const id = JSON.parse((await post({ one: 'b', two: 1 })).text).id
      const changed = await call(service, 'PATCH', `/api/keyed/${id}`, { one: 'a' })
      assert.deepEqual([changed.status, JSON.parse(changed.text).errors.length > 0], [409, true])
    })

    test('each rule of a table has an answer of its own', async () => {
      const post = async (given: object) => {
        const { status, text } = await call(service, 'POST', '/api/ruled', given)
        const { code, errors = [] } = JSON.parse(text)
        return [status, code, ...errors.map(({ pointer }: { pointer: string }) => pointer)]
      }
      await subject.run("insert into friends (name) values ('ann')")
      assert.equal((await post({ must: 'x', few: 1, friend: 'ann', tag: 'a' }))[0], 201)
      assert.deepEqual(await post({ few: 2 }), [422, 'ROW_INVALID', '/must'])
      assert.deepEqual(await post({ must: 'x', few: 10 }), [422, 'ROW_INVALID', ''])
      assert.deepEqual(await post({ must: 'x', friend: 'bob' }), [409, 'CONFLICT'])
      assert.deepEqual(await post({ must: 'no' }), [422, 'ROW_INVALID', ''])
      const twice = await call(service, 'POST', '/api/ruled', { must: 'x', few: 1, tag: 'a' })
      assert.equal(twice.status, 409)
      // MariaDB names a key of another by its name alone.
      if (kind !== 'MariaDB') assert.deepEqual(JSON.parse(twice.text).errors.length, 2)
      if (kind !== 'SQLite') assert.deepEqual((await post({ must: 'x', tag: 'too long' }))[0], 422)
      const checked = await call(service, 'POST', '/api/ruled', { must: 'x', few: 10 })
      assert.match(checked.text, /few_is_small/)
    })

    test('text sorts by its bytes; a table of another that does not is named, with the SQL that changes it', async () => {
      const words = ['a', 'B', 'é', 'e', 'Z', '_', 'z']
      for (const word of words) await call(service, 'POST', '/api/everything', { word: 'sorted', text: word })
      const sorted = await subject.run("select text from everything where word = 'sorted' order by text")
      assert.deepEqual(
        sorted.map(({ text }) => text),
        ['B', 'Z', '_', 'a', 'e', 'z', 'é'],
      )
      const problemsOf = async () => {
        const { problems } = (await (await service.fetch('/status', { headers: admin })).json()) as Status
        return problems.filter(({ code }) => code === 'TABLE_ORDER_DIFFERENT')
      }
      const problem = (await problemsOf()).find(({ message }) => /"coarse" in .*: "note" sorts/.test(message))
      assert.equal(problem !== undefined, kind !== 'SQLite')
      if (problem === undefined) return
      await subject.run((problem.suggestion ?? '').replace(/^.*run: /, ''))
      const [row] = await subject.run(
        "select collation_name as c from information_schema.columns where table_name = 'coarse' and column_name = 'note'",
      )
      assert.match(String(row?.c), /^C$|_nopad_bin$/)
    })

    test('a declaration that a database cannot hold costs its own collection alone', async () => {
      const status = await (await service.fetch('/status', { headers: admin })).json()
      const named = new Set(JSON.stringify(status).match(/collections\/\w+\.json(?=#)/g))
      const expected = Object.keys(impossible).map((name) => `collections/${name}.json`)
      assert.deepEqual([...named].filter((one) => expected.includes(one)).sort(), expected.sort())
      for (const name of Object.keys(impossible)) assert.equal((await service.fetch(`/api/${name}`)).status, 404)
      for (const { name } of declared) assert.equal((await service.fetch(`/api/${name}?limit=1`)).status, 200, name)
    })

    test('a body that was made to be slow holds up nobody', async () => {
      const text = `${'a'.repeat(255)}!`
      const slow = Object.fromEntries(Object.keys(patterned.fields).map((name) => [name, text]))
      await call(service, 'POST', '/api/patterned', slow)
      const startedAt = performance.now()
      const answers = await Promise.all([
        ...Array.from({ length: 5 }, () => call(service, 'POST', '/api/patterned', slow)),
        service.fetch('/health/live'),
      ])
      assert.deepEqual(
        answers.map(({ status }) => status),
        [422, 422, 422, 422, 422, 200],
      )
      assert.ok(performance.now() - startedAt < 1_500)
    })
  })
}

async function start(t: Cleanup, env: Record<string, string>): Promise<Service> {
  const service = await startService(t, {
    files,
    env: { ADMIN_TOKEN: 'an-admin-token-of-some-length', RATE_LIMIT: '0', ...env },
  })
  return service
}

const sqliteTriggers = ['insert', 'update of note'].map(
  (event, at) =>
    `create trigger loud${at} after ${event} on coarse when new.note <> upper(new.note) begin update coarse set note = upper(note) where id = new.id; end`,
)
const postgresTrigger = [
  `create function loud() returns trigger language plpgsql as 'begin new.note = upper(new.note); return new; end'`,
  'create trigger loud before insert or update on coarse for each row execute function loud()',
  `create function strict() returns trigger language plpgsql as 'begin if new.must = ''no'' then raise exception ''Sekret''; end if; return new; end'`,
  'create trigger strict before insert on ruled for each row execute function strict()',
]
const mariadbTriggers = [
  ...['insert', 'update'].map(
    (event) => `create trigger loud_${event} before ${event} on coarse for each row set new.note = upper(new.note)`,
  ),
  `create trigger strict before insert on ruled for each row begin if new.must = 'no' then signal sqlstate '45000' set message_text = 'Sekret'; end if; end`,
]

conformRows('SQLite', false, async (t) => {
  const { default: Database } = await import('better-sqlite3')
  const { makeTempDir } = await import('../../support/temp.ts')
  const dir = await makeTempDir(t)
  const db = new Database(`${dir}/mine.db`)
  for (const sql of ruledTable({
    id: 'text',
    instant: 'datetime',
    quote: '"',
    coarse: 'datetime',
    collation: '',
    trigger: [
      ...sqliteTriggers,
      "create trigger strict before insert on ruled when new.must = 'no' begin select raise(abort, 'Sekret'); end",
    ],
  }))
    db.exec(sql)
  db.close()
  const service = await start(t, { DATABASE_URL: `sqlite:///${dir}/mine.db`, SQLITE_ALLOW_PATHS: dir })
  return {
    service,
    run: async (sql) => {
      const own = new Database(`${dir}/mine.db`)
      try {
        const statement = own.prepare<[], Record<string, unknown>>(sql)
        if (statement.reader) return statement.all()
        statement.run()
        return []
      } finally {
        own.close()
      }
    },
  }
})

conformRows('PostgreSQL', noPostgres, async (t) => {
  const server: Postgres = await startPostgres(t)
  const database = await server.createDatabase()
  const run = (sql: string) => server.query(sql, database)
  for (const sql of ruledTable({
    id: 'uuid',
    instant: 'timestamptz(3)',
    quote: '"',
    coarse: 'timestamptz(0)',
    collation: 'collate "en-x-icu"',
    trigger: postgresTrigger,
  }))
    await run(sql)
  return { service: await start(t, { DATABASE_URL: server.url(database) }), run }
})

conformRows('MariaDB', noMariadb, async (t) => {
  const server: Mariadb = await startMariadb(t)
  const database = await server.createDatabase()
  const run = (sql: string) => server.query(sql, database)
  for (const sql of ruledTable({
    id: 'uuid',
    instant: 'datetime(3)',
    quote: '`',
    coarse: 'datetime(0)',
    collation: '',
    trigger: mariadbTriggers,
  }))
    await run(sql)
  return { service: await start(t, { DATABASE_URL: server.url(database) }), run }
})

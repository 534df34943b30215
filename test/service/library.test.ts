import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, rename, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, request } from 'node:http'
import { createRequire } from 'node:module'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { defineEntity, p } from '@mikro-orm/core'
import polka from 'polka'
import {
  createHoldfast,
  type Holdfast,
  HoldfastError,
  type HoldfastOptions,
  loadSettings,
  type Outcome,
} from '../../src/index.ts'
import { cleanLater, makeTempDir } from '../support/temp.ts'
import { until, within } from '../support/until.ts'

/** Express as its users have it. It brings no types, and two of its methods are all that is used. */
interface ExpressApp extends RequestListener {
  use(handler: RequestListener): void
  use(handler: ErrorHandler): void
  get(path: string, handler: RequestListener): void
}
type ErrorHandler = (
  error: unknown,
  ...rest: [...Parameters<RequestListener>, (error?: unknown) => void]
) => Promise<void>
const express: () => ExpressApp = createRequire(import.meta.url)('express')

const Note = defineEntity({
  name: 'Note',
  tableName: 'note',
  properties: { id: p.integer().primary(), text: p.string() },
})
const notes = {
  name: 'notes',
  fields: { text: { type: 'string' } },
  access: { create: 'public', list: 'public', get: 'public' },
} as const

type Given = Omit<HoldfastOptions, 'settings'> & { readonly settings?: Record<string, unknown> }

/** A Holdfast on files of its own, closed when the test ends. */
async function make(t: TestContext, options: Given = {}): Promise<Holdfast & { readonly dir: string }> {
  const dir = await makeTempDir(t, 'library')
  const settings = { ...options.settings, data: { dir }, http: { port: 0, host: '127.0.0.1', rateLimit: 0 } }
  const holdfast = createHoldfast({ ...options, settings })
  cleanLater(t, () => holdfast.close({ withinMs: 1_000 }))
  return Object.assign(holdfast, { dir })
}

/** The same with the table of the application's entity. */
async function makeWithNotes(t: TestContext, options: Given = {}): Promise<Holdfast> {
  const holdfast = await make(t, { entities: [Note], ...options })
  const table = 'create table note (id integer primary key, text text not null)'
  await holdfast.transactional(({ em }) => em.getConnection().execute(table, [], 'run', em.getTransactionContext()))
  return holdfast
}

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanLater(t, async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}` // It listens on TCP.
}

const codeOf = (error: unknown): string => (error instanceof HoldfastError ? error.code : String(error))
const activeSessions = (holdfast: Holdfast): number => holdfast.status().database.activeSessions
const released = (holdfast: Holdfast): Promise<boolean> =>
  until(() => activeSessions(holdfast) === 0, { what: 'every session to be released' })

test('making one opens nothing, prints nothing, listens to no signal and reads no environment', async (t) => {
  const events = [
    'SIGTERM',
    'SIGINT',
    'SIGHUP',
    'exit',
    'uncaughtException',
    'unhandledRejection',
    'warning',
    'beforeExit',
  ]
  const before = events.map((event) => process.listenerCount(event))
  const files = (await readdir('/proc/self/fd')).length
  const printed = [t.mock.method(process.stdout, 'write'), t.mock.method(process.stderr, 'write')]
  process.env.DATABASE_URL = 'sqlite:///./from-the-environment.db'
  cleanLater(t, () => void delete process.env.DATABASE_URL)
  const holdfast = await make(t)
  assert.equal(holdfast.status().database.state, 'DISCONNECTED')
  assert.equal(holdfast.status().database.declared, false)
  assert.ok(!JSON.stringify(holdfast.status()).includes('from-the-environment'))
  assert.deepEqual(await readdir(holdfast.dir), [])
  assert.equal((await readdir('/proc/self/fd')).length, files)
  const written = printed.map(({ mock }) => mock.callCount())
  for (const { mock } of printed) mock.restore()
  assert.deepEqual(written, [0, 0])
  await holdfast.open()
  await holdfast.close()
  assert.deepEqual(
    events.map((event) => process.listenerCount(event)),
    before,
  )
})

test('settings that are wrong are problems, and it works', async (t) => {
  const holdfast = await make(t, {
    settings: { database: { queryTimeoutS: 'soon' }, nonsense: 1, log: null },
    drivers: ['nothing'],
  })
  assert.equal((await holdfast.open()).name, 'FALLBACK_CONNECTED')
  const codes = holdfast.status().problems.map(({ setting }) => setting)
  assert.ok(
    codes.some((setting) => setting.includes('queryTimeoutS')),
    codes.join(),
  )
  assert.ok(codes.some((setting) => setting.includes('nonsense')))
  for (const settings of [null, 5, 'x', [], { data: 7 }, { http: [] }]) {
    const odd: unknown = { settings }
    // What plain JavaScript may hand over, whatever the types say.
    assert.doesNotThrow(() => createHoldfast(odd as HoldfastOptions).status())
  }
})

test('the handler answers in node:http, in Polka and in an application like Express', async (t) => {
  const holdfast = await make(t, { collections: [notes] })
  const inExpress = express()
  inExpress.use((req, res) => holdfast.handler(req, res))
  const inPolka = polka().use((req, res) => holdfast.handler(req, res))
  const hosts = [holdfast.handler, inExpress, (inPolka.handler as RequestListener).bind(inPolka)] // Its type asks for more.
  for (const host of hosts) {
    const url = await serve(t, host)
    const headers = { 'content-type': 'application/json' }
    const created = await fetch(`${url}/api/notes`, { method: 'POST', body: '{"text":"a"}', headers })
    assert.equal(created.status, 201)
    assert.equal((await fetch(url + created.headers.get('location'))).status, 200)
    assert.equal((await fetch(`${url}/api/nothing`)).status, 404)
  }
})

test('a session is there for handlers of Express, Polka and plain node:http, and released with the answer', async (t) => {
  const holdfast = await makeWithNotes(t, {})
  const answer: RequestListener = async (req, res) => {
    const { em } = await holdfast.session(req)
    res.end(String(await em.count(Note)))
  }
  const inExpress = express()
  inExpress.get('/notes', answer)
  const inPolka = polka().get('/notes', answer)
  for (const host of [answer, inExpress, (inPolka.handler as RequestListener).bind(inPolka)]) {
    const counted = await fetch(`${await serve(t, host)}/notes`)
    assert.deepEqual([counted.status, await counted.text()], [200, '0'])
    assert.equal(counted.headers.get('holdfast-store'), 'local; driver=sqlite')
    await released(holdfast)
  }
})

test('a request has one session, another request another, and 200 at once share no identity', async (t) => {
  const ems = new Set<unknown>()
  const holdfast = await makeWithNotes(t, {
    routes: (app, own) => {
      app.post('/notes/:id', async (req, res) => {
        const session = await own.session(req)
        assert.equal(await own.session(req), session)
        const { em } = session
        assert.equal((await own.session(req)).em, em)
        assert.ok(!ems.has(em))
        ems.add(em)
        const id = Number(req.params.id)
        const note = em.create(Note, { id, text: `${id}` })
        await em.flush()
        const found = await em.find(Note, { id })
        assert.equal(found[0], note)
        res.end(String(em.getUnitOfWork().getIdentityMap().values().length))
      })
    },
  })
  const url = await serve(t, holdfast.handler)
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, id) => fetch(`${url}/notes/${id}`, { method: 'POST' })),
  )
  for (const answer of answers) {
    assert.deepEqual([answer.status, await answer.text()], [200, '1'])
    assert.equal(answer.headers.get('holdfast-store'), 'local; driver=sqlite')
  }
  assert.equal(ems.size, 200)
  await released(holdfast)
})

test('a session is released after an error, after an abort and after the client has gone', async (t) => {
  const arrived = Promise.withResolvers<void>()
  const holdfast = await makeWithNotes(t, {
    routes: (app, own) => {
      app.get('/fails', async (req) => {
        const { em } = await own.session(req)
        await em.getConnection().execute('select nothing from nowhere')
      })
      app.get('/throws', async (req) => {
        await own.session(req)
        throw new Error('with a secret: hunter2')
      })
      app.get('/begins', async (req, res) => {
        await (await own.session(req)).em.begin()
        res.end('left open')
      })
      app.get('/never', async (req) => {
        await own.session(req)
        arrived.resolve()
      })
    },
  })
  const url = await serve(t, holdfast.handler)
  for (const path of ['/fails', '/throws']) {
    const answer = await fetch(url + path)
    assert.equal(answer.status, 500)
    assert.doesNotMatch(await answer.text(), /hunter2|nowhere|SQLITE/)
  }
  assert.equal((await fetch(`${url}/begins`)).status, 200)
  await released(holdfast)
  const gone = request(`${url}/never`).on('error', () => undefined)
  gone.end()
  await arrived.promise
  assert.equal(activeSessions(holdfast), 1)
  gone.destroy()
  await released(holdfast)
  await within(
    holdfast.transactional(async ({ em }) => em.insert(Note, { id: 1, text: 'the writer is free' })),
    3_000,
  )
})

test('an error of a handler outside "routes" is answered as those inside, where it is one of the database', async (t) => {
  const holdfast = await makeWithNotes(t)
  const own = new Error('of the application')
  const app = express()
  app.get('/twice', async (req, res) => {
    const { em } = await holdfast.session(req, res)
    await em.insert(Note, { id: 1, text: 'a' })
    await em.insert(Note, { id: 1, text: 'b' })
  })
  app.get('/own', async (req, res) => {
    await holdfast.session(req, res)
    throw own
  })
  app.get('/without', () => {
    throw own
  })
  const others: unknown[] = []
  const onError: ErrorHandler = async (error, req, res, _next) => {
    if (await holdfast.answerError(req, res, error)) return
    others.push(error)
    res.writeHead(418).end()
  }
  app.use(onError)
  const url = await serve(t, app)
  const twice = await fetch(`${url}/twice`)
  const text = await twice.text()
  assert.deepEqual([twice.status, JSON.parse(text).code], [409, 'CONFLICT'])
  assert.equal(twice.headers.get('content-type'), 'application/problem+json')
  assert.doesNotMatch(text, /UNIQUE|insert/)
  for (const path of ['/own', '/without']) assert.equal((await fetch(url + path)).status, 418)
  assert.deepEqual(others, [own, own])
})

test('a transaction commits, or leaves nothing; its outcome names store and durability', async (t) => {
  const holdfast = await makeWithNotes(t)
  const outcome = await holdfast.transactional(async ({ em }) => {
    em.create(Note, { id: 1, text: 'kept' })
    return 'done'
  })
  assert.equal(outcome.value, 'done')
  assert.equal(outcome.store, 'local')
  assert.match(outcome.durability, /^local/)
  const failure = new Error('of the application')
  const failing = holdfast.transactional(async ({ em }) => {
    await em.insert(Note, { id: 2, text: 'gone' })
    throw failure
  })
  await assert.rejects(failing, failure)
  const { value } = await holdfast.transactional(({ em }) => em.find(Note, {}))
  assert.deepEqual(
    value.map(({ id }) => id),
    [1],
  )
  const demanding = holdfast.transactional(async () => assert.fail('it was run'), { durability: 'primary' })
  await assert.rejects(demanding, (error) => error instanceof HoldfastError && error.code === 'DURABILITY_UNMET')
  assert.equal(activeSessions(holdfast), 0)
})

test('work that is lost before it began is run again when it may be: the fallback of a SQLite primary refuses it, nothing could carry it', async (t) => {
  const settings = {
    database: { url: 'sqlite:///./primary/app.db' },
    fallback: { url: 'sqlite:///./spare.db', timeoutS: 1, maxRetriesPrimary: 0, retryDelayMs: 100 },
  }
  for (const rerun of ['before-commit', 'always', undefined] as const) {
    const holdfast = await make(t, { settings })
    const run = (): Promise<Outcome<number>> =>
      holdfast.transactional(async () => 1, rerun === undefined ? {} : { rerun })
    assert.equal((await run()).store, 'primary')
    await rename(join(holdfast.dir, 'primary'), join(holdfast.dir, 'away'))
    await writeFile(join(holdfast.dir, 'primary'), '')
    // For a moment after the file was taken away nobody can know.
    const outcome = await until(() => run().then(({ store }) => store !== 'primary' && store, codeOf))
    assert.equal(outcome, rerun === undefined ? 'STORE_LOST' : 'STORE_READ_ONLY')
    assert.equal(await run().catch(codeOf), 'STORE_READ_ONLY')
  }
})

test("an application's own entities have no rows on a fallback: sessions and transactions there are INCOMPLETE", async (t) => {
  const settings = {
    database: { url: 'sqlite:///./primary/app.db' },
    fallback: { url: 'sqlite:///./spare.db', timeoutS: 1, maxRetriesPrimary: 0, retryDelayMs: 100 },
  }
  for (const mode of ['read-write', 'read-only'] as const) {
    const holdfast = await make(t, {
      settings: { ...settings, fallback: { ...settings.fallback, mode } },
      entities: [Note],
      collections: [notes],
      routes: (app, own) => {
        app.get('/note', async (req, res) => {
          const { em } = await own.session(req, res)
          const found = await em.findOne(Note, 1)
          res.writeHead(found === null ? 404 : 200).end()
        })
      },
    })
    await writeFile(join(holdfast.dir, 'primary'), '')
    const url = await serve(t, holdfast.handler)
    const answer = await fetch(`${url}/note`)
    assert.deepEqual([answer.status, ((await answer.json()) as { code: string }).code], [503, 'INCOMPLETE']) // A problem of ours.
    const lookedUp = holdfast.transactional(({ em }) => em.findOne(Note, 1))
    await assert.rejects(lookedUp, (error) => codeOf(error) === 'INCOMPLETE')
    const list = (await (await fetch(`${url}/api/notes`)).json()) as { partial?: boolean } // A list of ours.
    assert.equal(list.partial, true)
    assert.equal(activeSessions(holdfast), 0)
  }
})

test('an entity that MikroORM does not accept is named as the reason why no database serves', async (t) => {
  const own = { id: p.integer().primary(), text: p.string() }
  const wrong = [
    [/missing @PrimaryKey/, defineEntity({ name: 'Keyless', tableName: 'keyless', properties: { text: p.string() } })],
    [/notes/, defineEntity({ name: 'Other', tableName: 'notes', properties: own })],
    [/notes/, defineEntity({ name: 'notes', tableName: 'mine', properties: own })],
  ] as const
  for (const [why, entity] of wrong) {
    const holdfast = await make(t, { entities: [entity], collections: [notes] })
    assert.equal((await holdfast.open()).name, 'CONNECTION_ERROR')
    const reason = holdfast.status().database.why
    assert.equal(reason?.code, 'ENTITY_INVALID')
    assert.match(reason?.summary ?? '', why)
  }
})

test('two in one process have files and rows of their own', async (t) => {
  const [one, other] = [await make(t, { collections: [notes] }), await make(t, { collections: [notes] })]
  const urls = [await serve(t, one.handler), await serve(t, other.handler)]
  const headers = { 'content-type': 'application/json' }
  await fetch(`${urls[0]}/api/notes`, { method: 'POST', body: '{"text":"a"}', headers })
  const lists = await Promise.all(urls.map(async (url) => (await fetch(`${url}/api/notes`)).json()))
  assert.deepEqual(
    lists.map((list) => (list as { items: unknown[] }).items.length),
    [1, 0],
  ) // Lists of ours.
})

test('closing works before opening, twice, with work that hangs, and by "await using"', async (t) => {
  const never = await make(t)
  await never.close()
  await never.close()
  const holdfast = await makeWithNotes(t)
  const started = Promise.withResolvers<void>()
  const hanging = holdfast.transactional(() => {
    started.resolve()
    return new Promise(() => undefined)
  })
  hanging.catch(() => undefined)
  await started.promise
  const startedAt = performance.now()
  await Promise.all([holdfast.close({ withinMs: 300 }), holdfast.close({ withinMs: 300 })])
  assert.ok(performance.now() - startedAt < 2_000)
  const late = holdfast.transactional(async () => assert.fail('it was run'))
  await assert.rejects(late, (error) => error instanceof HoldfastError && error.code === 'CLOSING')
  let port = 0
  {
    await using scoped = await make(t, { collections: [notes] })
    ;({ port } = await scoped.listen())
    assert.equal((await fetch(`http://127.0.0.1:${port}/health`)).status, 200)
  }
  const [error] = await once(connect(port, '127.0.0.1'), 'error')
  assert.equal(error.code, 'ECONNREFUSED')
})

test('new settings are taken while it runs, and wrong ones leave it as it is', async (t) => {
  const holdfast = await make(t, { collections: [notes] })
  const url = await serve(t, holdfast.handler)
  const headers = { 'content-type': 'application/json' }
  const create = async () => (await fetch(`${url}/api/notes`, { method: 'POST', body: '{"text":"a"}', headers })).status
  assert.equal(await create(), 201)
  const env = { DATA_DIR: holdfast.dir, RATE_LIMIT: '0', QUERY_TIMEOUT: '2' }
  const good = await holdfast.reload(await loadSettings({ env, cwd: holdfast.dir }))
  assert.equal(good.applied, true)
  assert.ok(good.changed.includes('database.queryTimeoutS'), good.changed.join())
  assert.equal(await create(), 201)
  const bad = await holdfast.reload(await loadSettings({ env: { ...env, QUERY_TIMEOUT: 'never' }, cwd: holdfast.dir }))
  assert.equal(bad.applied, false)
  assert.ok(bad.problems.some(({ setting }) => setting.includes('queryTimeoutS') || setting.includes('QUERY_TIMEOUT')))
  assert.equal(await create(), 201)
  const list = (await (await fetch(`${url}/api/notes`)).json()) as { items: unknown[] } // A list of ours.
  assert.equal(list.items.length, 3)
})

test('a reload finds a column of another type, which failed no statement', async (t) => {
  const holdfast = await make(t, { collections: [notes] })
  const url = await serve(t, holdfast.handler)
  const run = (sql: string): Promise<unknown> =>
    holdfast.transactional(({ em }) => em.getConnection().execute(sql, [], 'run', em.getTransactionContext()))
  const statusOf = async (): Promise<number> => (await fetch(`${url}/api/notes`)).status
  assert.equal(await statusOf(), 200)
  for (const [type, status] of [
    ['integer', 503],
    ['text', 200],
  ] as const) {
    for (const sql of [
      'alter table notes rename column text to before',
      `alter table notes add column text ${type}`,
      'alter table notes drop column before',
    ])
      await run(sql)
    const reloaded = await holdfast.reload(
      await loadSettings({ env: { DATA_DIR: holdfast.dir, RATE_LIMIT: '0' }, cwd: holdfast.dir }),
    )
    assert.deepEqual([reloaded.applied, reloaded.changed], [true, []])
    assert.equal(await statusOf(), status, `${type}: ${JSON.stringify(holdfast.status().problems)}`)
  }
})

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Collection } from '../../../src/collection/declaration/declaration.ts'
import { entityOf } from '../../../src/collection/table/entity.ts'
import { createHoldfast } from '../../../src/index.ts'
import { type Kind, onServers, type RunningServer } from '../../journal/servers.ts'
import { type Hosted, hostService } from '../../support/hosted.ts'
import { makeWorkingDir, type Service, startService } from '../../support/process.ts'
import { startProxy, type TcpProxy } from '../../support/servers/tcp-proxy.ts'
import { type Cleanup, cleanLater } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { hurriedEnv } from '../serving.ts'

/** Rows with a unique key, a limit, and fields of several types. */
const tickets: Collection = {
  name: 'tickets',
  fields: {
    title: { type: 'string', maxLength: 200 },
    text: { type: 'string', maxLength: 2_000 },
    stars: { type: 'integer', minimum: 0, maximum: 5 },
    meta: { type: 'object' },
  },
  required: ['title'],
  indexes: [{ fields: ['title'], unique: true }],
  access: { create: 'public', list: 'public', get: 'public', update: 'public', delete: 'public' },
  maxRows: 8,
}

interface Ticket {
  readonly id: string
  readonly title: string | null
  readonly text: string | null
  readonly stars: number | null
  readonly meta: unknown
  readonly version: number
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of an answer, looked into by each test.
  readonly json: any
}

type Client = Pick<Hosted, 'fetch'>

/** One database of a server, behind a proxy, and what services see of it. */
class Stage {
  readonly server: RunningServer
  readonly database: string
  readonly proxy: TcpProxy
  readonly dir: string
  readonly #kind: Kind
  readonly #t: Cleanup

  constructor(t: Cleanup, kind: Kind, server: RunningServer, database: string, proxy: TcpProxy, dir: string) {
    this.#t = t
    this.#kind = kind
    this.server = server
    this.database = database
    this.proxy = proxy
    this.dir = dir
  }

  static async make(t: Cleanup, server: RunningServer, kind: Kind): Promise<Stage> {
    const database = await server.createDatabase()
    const proxy = await startProxy(t, { port: Number(new URL(server.url(database)).port) })
    return new Stage(t, kind, server, database, proxy, await makeWorkingDir(t))
  }

  /** A service of this process. */
  async host(port = this.proxy.port): Promise<Hosted> {
    return await hostService(this.#t, { cwd: this.dir, ...this.#options(port) })
  }

  /** A service of its own, on the same files. */
  async start(): Promise<Service> {
    return await startService(this.#t, { cwd: this.dir, ...this.#options(this.proxy.port) })
  }

  /** The primary is unreachable from now on. */
  async lose(service: Client): Promise<void> {
    await this.proxy.refuse()
    this.proxy.dropAll()
    await serves(service, 'fallback')
  }

  async giveBack(service: Client): Promise<void> {
    await this.proxy.accept()
    await serves(service, 'primary')
  }

  sql(text: string): Promise<readonly Record<string, unknown>[]> {
    return this.server.query(text, this.database)
  }

  /** What another client writes, which knows nothing of attempts. */
  async insert(id: string, title: string | null, more: Readonly<Record<string, string>> = {}): Promise<void> {
    const times = ['createdAt', 'updatedAt'].map((name) => this.#kind.quoted(name))
    const [names, values] = [Object.keys(more), Object.values(more)]
    await this.sql(`insert into tickets (${['id', 'title', 'version', ...times, ...names].join(', ')}) values
      (${[`'${id}'`, title === null ? 'null' : `'${title}'`, '1', ...times.map(() => "'2026-01-01 00:00:00'"), ...values].join(', ')})`)
  }

  async titles(): Promise<Readonly<Record<string, unknown>>> {
    const rows = await this.sql('select id, title from tickets')
    return Object.fromEntries(rows.map(({ id, title }) => [String(id), title]))
  }

  async parked(): Promise<readonly string[]> {
    const rows = await this.sql('select reason from holdfast_conflict order by transaction, entry')
    return rows.map(({ reason }) => String(reason))
  }

  #options(port: number) {
    return {
      files: { [join('config', 'collections', 'tickets.json')]: JSON.stringify(tickets) },
      env: { DATABASE_URL: this.server.url(this.database, port), ...hurriedEnv },
    }
  }
}

async function call(service: Client, method: string, path = '', body?: unknown, prefer?: string): Promise<Answer> {
  const answer = await service.fetch(`/api/tickets${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...(prefer === undefined ? {} : { prefer }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, json: text === '' ? null : JSON.parse(text) }
}

async function create(service: Client, title: string): Promise<Ticket> {
  const { status, json } = await call(service, 'POST', '', { title })
  assert.equal(status, 201, JSON.stringify(json))
  return json
}

async function list(service: Client): Promise<{ items: readonly Ticket[]; partial?: true; asOfMs: number }> {
  const { status, headers, json } = await call(service, 'GET', '?limit=100')
  assert.equal(status, 200)
  return { ...json, asOfMs: Date.parse(headers.get('holdfast-as-of') ?? '') }
}

async function serves(service: Client, shown: string): Promise<void> {
  const store = async () => (await service.fetch('/api/tickets?limit=1')).headers.get('holdfast-store')
  await until(async () => (await store())?.startsWith(shown) === true, { what: shown, withinMs: 20_000 })
}

/** A machine that does much else may need more than the hurried limits to connect. */
async function onPrimary<C extends Client>(starting: Promise<C>): Promise<C> {
  const service = await starting
  await serves(service, 'primary')
  return service
}

/** Waits until the copy is whole, and no part of it older than now. */
async function copied(service: Client): Promise<void> {
  const since = Date.now()
  const isFresh = async (): Promise<boolean> => {
    const before = Date.now()
    const text = await (await service.fetch('/metrics')).text()
    const of = (name: string) => Number(new RegExp(`^${name}\\{collection="tickets"\\} (\\S+)$`, 'm').exec(text)?.[1])
    return of('holdfast_copy_complete') === 1 && before - of('holdfast_copy_age_seconds') * 1000 > since
  }
  await until(isFresh, { what: 'a copy of what there is', withinMs: 20_000 })
}

/** An id of that time. */
function idAt(ms: number, number = 1): string {
  const hex = Math.floor(ms).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`
}

const hourMs = 3_600_000

onServers('the copy of a collection', (server, kind) => {
  test('a server is killed: its rows are shown whole, and can be changed; what was changed is on it when it is back', async (t) => {
    const stage = await Stage.make(t, server(), kind)
    const service = await onPrimary(stage.host())
    const [one, two, three] = [
      await create(service, 'one'),
      await create(service, 'two'),
      await create(service, 'three'),
    ]
    const theirs = idAt(Date.now() - hourMs)
    await stage.insert(theirs, 'theirs', { stars: '4', meta: `'{"n": 12345678901234567890}'` })
    await copied(service)
    const last = await create(service, 'last')
    const lostAt = Date.now()
    await stage.server.kill()
    await serves(service, 'fallback')

    const seen = await list(service)
    assert.equal(seen.partial, undefined)
    assert.deepEqual(seen.items.map(({ title }) => title).sort(), ['last', 'one', 'theirs', 'three', 'two'])
    assert.ok(seen.asOfMs <= lostAt, 'the copy is as old as it is')
    const asOf = new Date(seen.asOfMs).toISOString()
    const answers: readonly (readonly [Answer, number, string | undefined])[] = [
      [await call(service, 'GET', `/${theirs}`), 200, undefined],
      [await call(service, 'GET', `/${last.id}`), 200, undefined],
      [await call(service, 'GET', `/${idAt(Date.now() - hourMs, 2)}`), 404, 'ROW_NOT_FOUND'],
      [await call(service, 'GET', `/${idAt(Date.now())}`), 503, 'INCOMPLETE'],
      [await call(service, 'PATCH', `/${idAt(Date.now() - hourMs, 2)}`, { stars: 1 }), 404, 'ROW_NOT_FOUND'],
      [await call(service, 'DELETE', `/${idAt(Date.now())}`), 503, 'INCOMPLETE'],
      [await call(service, 'PATCH', `/${one.id}`, { title: 'one again' }), 200, undefined],
      [await call(service, 'PATCH', `/${theirs}`, { stars: 5 }), 200, undefined],
      [await call(service, 'DELETE', `/${two.id}`), 204, undefined],
      [await call(service, 'POST', '', { title: 'three' }), 409, 'CONFLICT'],
      [await call(service, 'PATCH', `/${one.id}`, { title: 'three' }), 409, 'CONFLICT'],
      [await call(service, 'GET', '', undefined, 'max-age=3600'), 200, undefined],
      [await call(service, 'GET', '', undefined, 'max-age=0'), 503, 'INCOMPLETE'],
      [await call(service, 'POST', '', { title: 'young' }, 'max-age=0'), 503, 'INCOMPLETE'],
    ]
    for (const [at, [{ status, headers, json }, wanted, code]] of answers.entries()) {
      assert.deepEqual([status, json?.code, headers.get('holdfast-as-of')], [wanted, code, asOf], `answer ${at}`)
    }
    const made = await create(service, 'made here')
    for (const title of ['six', 'seven', 'eight']) await create(service, title)
    const full = await call(service, 'POST', '', { title: 'nine' })
    assert.deepEqual([full.status, full.json.code], [507, 'COLLECTION_FULL'])
    const got = await service.fetch(`/api/tickets/${three.id}`)
    const same = await service.fetch(`/api/tickets/${three.id}`, {
      headers: { 'if-none-match': got.headers.get('etag') ?? '' },
    })
    assert.deepEqual([same.status, same.headers.get('holdfast-as-of')], [304, asOf])

    await stage.server.start()
    await serves(service, 'primary')
    await until(async () => Object.keys(await stage.titles()).length === 8, { what: 'the rows on the server' })
    const titles = await stage.titles()
    assert.deepEqual([titles[one.id], titles[two.id], titles[made.id]], ['one again', undefined, 'made here'])
    const [row] = await stage.sql(`select stars, meta from tickets where id = '${theirs}'`)
    assert.equal(Number(row?.stars), 5)
    assert.match(JSON.stringify(row?.meta), /12345678901234567890|12345678901234567000|12345678901234567/)
    assert.deepEqual(await stage.parked(), [])
    const { headers } = await call(service, 'GET')
    assert.equal(headers.get('holdfast-as-of'), null)
  })

  test('a process that begins in the outage, or anew in it, has the copy whole', async (t) => {
    const stage = await Stage.make(t, server(), kind)
    const first = await onPrimary(stage.start())
    const own = await create(first, 'own')
    await stage.insert(idAt(Date.now() - hourMs), 'theirs')
    await copied(first)
    await stage.lose(first)
    assert.equal((await call(first, 'PATCH', `/${own.id}`, { stars: 3 })).status, 200)
    const before = await list(first)
    await first.end()
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const next = await stage.start()
      await serves(next, 'fallback')
      const { items, partial, asOfMs } = await list(next)
      assert.deepEqual([partial, items.length], [undefined, 2])
      assert.equal(items.find(({ id }) => id === own.id)?.stars, 3)
      assert.ok(asOfMs <= before.asOfMs, 'it is not younger for having been opened again')
      assert.equal((await call(next, 'GET', `/${idAt(Date.now() - hourMs, 2)}`)).status, 404)
      await next.end(signal)
    }
    const last = await stage.start()
    await serves(last, 'fallback')
    await stage.giveBack(last)
    await until(
      async () => Number((await stage.sql(`select stars from tickets where id = '${own.id}'`))[0]?.stars) === 3,
    )
  })

  test('a process that is killed as it answers denies nothing that it has answered', async (t) => {
    const stage = await Stage.make(t, server(), kind)
    const first = await onPrimary(stage.start())
    await create(first, 'own')
    await copied(first)
    const made = await create(first, 'just made')
    const answeredAt = Date.now()
    first.child.kill('SIGKILL')
    await first.exited
    await stage.proxy.refuse()
    const next = await stage.start()
    await serves(next, 'fallback')
    const { items, partial, asOfMs } = await list(next)
    assert.equal(partial, undefined)
    assert.ok(asOfMs < answeredAt)
    const isThere = items.some(({ id }) => id === made.id)
    assert.equal((await call(next, 'GET', `/${made.id}`)).status, isThere ? 200 : 503)
    assert.equal((await call(next, 'GET', `/${idAt(answeredAt + 1)}`)).status, 503)
  })

  test('what the primary no longer has as it was copied parks: a key that was taken, a row that has gone', async (t) => {
    const stage = await Stage.make(t, server(), kind)
    const service = await onPrimary(stage.host())
    const [gone, changed, kept] = [
      await create(service, 'gone'),
      await create(service, 'changed'),
      await create(service, 'kept'),
    ]
    await copied(service)
    await stage.lose(service)
    await create(service, 'taken')
    for (const { id } of [gone, changed, kept]) {
      assert.equal((await call(service, 'PATCH', `/${id}`, { stars: 5 })).status, 200)
    }
    await stage.insert(idAt(Date.now() - hourMs), 'taken')
    await stage.sql(`delete from tickets where id = '${gone.id}'`)
    await stage.sql(`update tickets set text = 'theirs' where id = '${changed.id}'`)
    await stage.giveBack(service)
    await until(async () => (await stage.parked()).length === 3, { what: 'what is parked' })
    const reasons = [...(await stage.parked())].sort()
    assert.deepEqual(reasons, ['multiple_unique_conflicts', 'update_differing', 'update_missing'])
    const rows = await stage.sql('select title, stars, text from tickets')
    assert.deepEqual(rows.map(({ title, stars, text }) => `${title} ${stars} ${text}`).sort(), [
      'changed null theirs',
      'kept 5 null',
      'taken null null',
    ])
    await copied(service)
    await stage.lose(service)
    const { items, partial } = await list(service)
    assert.deepEqual([items.map(({ title }) => title).sort(), partial], [['changed', 'kept', 'taken'], undefined])
  })

  test('rows that the declaration would refuse are shown as they are, and can be changed', async (t) => {
    const stage = await Stage.make(t, server(), kind)
    const service = await onPrimary(stage.host())
    await create(service, 'own')
    const nullable = kind.name === 'PostgreSQL' ? 'alter column title drop not null' : 'modify title varchar(200) null'
    await stage.sql(`alter table tickets ${nullable}`)
    await stage.sql('alter table tickets add column extra integer')
    const [long, bare] = [idAt(Date.now() - hourMs, 1), idAt(Date.now() - hourMs, 2)]
    await stage.insert(long, 'long', { text: `'${'x'.repeat(5_000)}'`, stars: '99', extra: '7' })
    await stage.insert(bare, null, { meta: `'[1, "a list"]'`, extra: '8' })
    await copied(service)
    const shown = new Map((await list(service)).items.map((ticket) => [ticket.id, ticket]))
    await stage.lose(service)
    const { items, partial } = await list(service)
    assert.equal(partial, undefined)
    assert.deepEqual(new Map(items.map((ticket) => [ticket.id, ticket])), shown)
    assert.deepEqual([shown.get(long)?.stars, shown.get(bare)?.title, shown.get(bare)?.meta], [99, null, [1, 'a list']])
    for (const id of [long, bare]) assert.equal((await call(service, 'PATCH', `/${id}`, { stars: 1 })).status, 200)
    await stage.giveBack(service)
    const written = async () =>
      await stage.sql('select stars, extra, length(text) as l from tickets where extra > 0 order by extra')
    await until(async () => (await written()).every(({ stars }) => Number(stars) === 1), { what: 'the changes' })
    const rows = (await written()).map(({ extra, l }) => [Number(extra), l === null ? null : Number(l)])
    assert.deepEqual(rows, [
      [7, 5_000],
      [8, null],
    ])
    assert.deepEqual(await stage.parked(), [])
  })

  test('nothing of another target is shown, whatever its identity', async (t) => {
    const stage = await Stage.make(t, server(), kind)
    const first = await onPrimary(stage.host())
    const theirs = idAt(Date.now() - hourMs)
    await stage.insert(theirs, 'theirs')
    await copied(first)
    await first.end()
    // A branch of a database has its identity, at another address.
    const branch = await startProxy(t, { port: stage.proxy.port })
    await branch.refuse()
    const second = await stage.host(branch.port)
    await serves(second, 'fallback')
    const { items, partial, asOfMs } = await list(second)
    assert.deepEqual([items, partial, asOfMs], [[], true, Number.NaN])
    assert.equal((await call(second, 'GET', `/${theirs}`)).status, 503)
    assert.equal((await call(second, 'PATCH', `/${theirs}`, { stars: 1 })).status, 503)
    const made = await create(second, 'theirs')
    await branch.accept()
    await serves(second, 'primary')
    await until(async () => (await stage.parked()).length === 1, { what: 'the clash' })
    await copied(second)
    await branch.refuse()
    branch.dropAll()
    await serves(second, 'fallback')
    assert.deepEqual(
      (await list(second)).items.map(({ id }) => id),
      [theirs],
    )
    assert.notEqual(made.id, theirs)
  })
  test('an application sees nothing of another target either, and all of a whole copy', async (t) => {
    const stage = await Stage.make(t, server(), kind)
    const branch = await startProxy(t, { port: stage.proxy.port })
    const open = async (port: number) => {
      const holdfast = createHoldfast({
        collections: [tickets],
        settings: {
          data: { dir: stage.dir },
          database: { url: stage.server.url(stage.database, port) },
          fallback: { timeoutS: 1, maxRetriesPrimary: 0 },
          http: { rateLimit: 0 },
        },
      })
      cleanLater(t, () => holdfast.close({ withinMs: 1_000 }))
      const { url } = await holdfast.listen({ port: 0, host: '127.0.0.1' })
      const titles = async () =>
        await holdfast.transactional(async ({ em }) => (await em.find(entityOf(tickets), {})).map(({ title }) => title))
      return { holdfast, titles, client: { fetch: (path: string, init?: RequestInit) => fetch(url + path, init) } }
    }
    const first = await open(stage.proxy.port)
    await serves(first.client, 'primary')
    await create(first.client, 'theirs')
    await copied(first.client)
    await first.holdfast.close()
    await branch.refuse()
    const second = await open(branch.port)
    await serves(second.client, 'fallback')
    await assert.rejects(second.titles(), { code: 'INCOMPLETE' })
    await branch.accept()
    await serves(second.client, 'primary')
    await copied(second.client)
    await branch.refuse()
    branch.dropAll()
    await serves(second.client, 'fallback')
    const { value, store } = await second.titles()
    assert.deepEqual([value, store], [['theirs'], 'fallback'])
  })
})

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { defineEntity, p } from '@mikro-orm/core'
import {
  createHoldfast,
  type Holdfast,
  HoldfastError,
  type HoldfastOptions,
  type Observation,
} from '../../../src/index.ts'
import { onServers } from '../../journal/servers.ts'
import type { Mariadb } from '../../support/servers/mariadb.ts'
import type { Postgres } from '../../support/servers/postgres.ts'
import { cleanLater, makeTempDir } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const Port = defineEntity({
  name: 'Port',
  tableName: 'port',
  properties: { id: p.bigint('string').primary(), name: p.string().length(40) },
})
const Ship = defineEntity({
  name: 'Ship',
  tableName: 'ship',
  properties: {
    id: p.integer().primary(),
    name: p.string().length(40),
    at: p.datetime(3).nullable(),
    papers: p.json<unknown>().nullable(),
    home: () => p.manyToOne(Port).nullable(),
  },
})

const notes = {
  name: 'notes',
  fields: { text: { type: 'string' } },
  access: { create: 'public', list: 'public', get: 'public' },
} as const

const tables = {
  PostgreSQL: [
    'create table port (id bigint primary key, name varchar(40) not null)',
    'create table ship (id int primary key, name varchar(40) not null, at timestamptz(3), papers jsonb, home_id bigint references port (id))',
  ],
  MariaDB: [
    'create table port (id bigint primary key, name varchar(40) not null)',
    'create table ship (id int primary key, name varchar(40) not null, at datetime(3), papers json, home_id bigint references port (id))',
  ],
} as const

const rows = [
  "insert into port values (9007199254740993, 'Hull'), (2, 'Bergen')",
  `insert into ship values (1, 'Argo', '2024-02-29 12:30:15.123', '{"crew": [1, 2.5], "flag": null}', 9007199254740993),
    (2, 'Beagle', null, null, null), (3, 'Calypso', '1969-12-31 23:59:59.999', '[]', 2)`,
]

interface Subject {
  readonly holdfast: Holdfast
  readonly url: string
  readonly seen: readonly Observation[]
}

/** A service with the entities, next to a primary that has their tables. */
async function start(t: TestContext, url: string, more: Partial<HoldfastOptions> = {}): Promise<Subject> {
  const seen: Observation[] = []
  const holdfast = createHoldfast({
    collections: [notes],
    entities: [Port, Ship],
    copyEntities: ['Port', Ship],
    observe: (one) => void seen.push(one),
    routes: (app, own) => {
      app.get('/ships', async (req, res) => {
        const { em } = await own.session(req, res)
        const found = await em.find(Ship, {}, { populate: ['home'], orderBy: { id: 'asc' } })
        res.end(JSON.stringify(found.map(({ at, ...ship }) => ({ ...ship, at: at?.toISOString() ?? null }))))
      })
      app.post('/ships', async (req, res) => {
        const { em } = await own.session(req, res)
        em.create(Ship, { id: 9, name: 'Dory', papers: null })
        await em.flush()
        res.end('{}')
      })
    },
    settings: {
      data: { dir: await makeTempDir(t, 'entities'), durable: true },
      database: { url, connectionTimeoutS: 20, queryTimeoutS: 8, boot: 'eager' },
      fallback: { timeoutS: 20, maxRetriesPrimary: 0 },
      http: { rateLimit: 0 },
    },
    ...more,
  })
  cleanLater(t, () => holdfast.close({ withinMs: 1_000 }))
  assert.equal((await holdfast.open()).name, 'PRIMARY_CONNECTED')
  return { holdfast, seen, url: (await holdfast.listen({ port: 0, host: '127.0.0.1' })).url }
}

const isCopied = ({ seen }: Subject, table: string): boolean =>
  seen.some((one) => one.type === 'copy.completed' && one.collection === table)

const codeOf = async (answer: Response): Promise<unknown> => ((await answer.json()) as { code?: unknown }).code // Ours.

/** The code with which a transaction is refused; null: it was not. */
async function refused({ holdfast }: Subject, work: Parameters<Holdfast['transactional']>[0]): Promise<string | null> {
  return await holdfast.transactional(work).then(
    () => null,
    (error: unknown) => (error instanceof HoldfastError ? error.code : String(error)),
  )
}

const sideOf = (answer: Response): string | undefined => answer.headers.get('holdfast-store')?.split(';')[0]

onServers('entities in an outage', (server, { name }) => {
  /** They are servers that can be killed. */
  const own = (): Postgres | Mariadb => server() as Postgres | Mariadb

  async function database(): Promise<string> {
    const made = await own().createDatabase()
    for (const sql of [...tables[name], ...rows]) await own().query(sql, made)
    return made
  }

  test('are read as the primary has them, and written to only there', async (t) => {
    const made = await database()
    const subject = await start(t, own().url(made))
    const { url, holdfast } = subject
    const list = (): Promise<Response> => fetch(`${url}/ships`)
    const wanted = await (await list()).text()
    assert.match(wanted, /"Argo".*"9007199254740993".*2024-02-29T12:30:15.123Z/)
    await until(() => isCopied(subject, 'ship') && isCopied(subject, 'port'), { what: 'the copy', withinMs: 30_000 })
    assert.deepEqual(
      holdfast.status().problems.filter(({ code }) => code.startsWith('COPY_')),
      [],
    )
    const killedMs = Date.now()
    await own().kill()
    const away = await until(
      async () => {
        const answer = await list()
        return sideOf(answer) === 'fallback' ? answer : null
      },
      { withinMs: 20_000, what: 'the fallback' },
    )
    assert.equal(await away.text(), wanted)
    const asOfMs = Date.parse(away.headers.get('holdfast-as-of') ?? '')
    assert.ok(asOfMs <= killedMs && asOfMs > killedMs - 60_000, away.headers.get('holdfast-as-of') ?? 'no age')

    const created = await fetch(`${url}/ships`, { method: 'POST' })
    assert.deepEqual([created.status, await codeOf(created)], [503, 'INCOMPLETE'])
    const note = {
      id: crypto.randomUUID(),
      sql: 'insert into notes (id, text, "createdAt", "updatedAt", version) values (?, ?, 0, 0, 1)',
    }
    const changes: Readonly<Record<string, Parameters<Holdfast['transactional']>[0]>> = {
      change: async ({ em }) => void em.assign(await em.findOneOrFail(Ship, 1), { name: 'Argo II' }),
      'native update': ({ em }) => em.nativeUpdate(Ship, { id: 1 }, { name: 'Argo II' }),
      'native delete': ({ em }) => em.nativeDelete(Ship, { id: 3 }),
      upsert: ({ em }) => em.upsert(Port, { id: '2', name: 'Oslo' }),
      sql: ({ em }) => em.execute("update port set name = 'Oslo'"),
      'both tables': async ({ em }) => {
        await em.execute(note.sql, [note.id, 'half'])
        await em.execute('delete from ship')
      },
    }
    for (const [what, change] of Object.entries(changes))
      assert.equal(await refused(subject, change), 'INCOMPLETE', what)
    assert.equal(await (await list()).text(), wanted)
    assert.deepEqual(((await (await fetch(`${url}/api/notes`)).json()) as { items: unknown }).items, [])
    assert.equal(holdfast.status().database.state, 'FALLBACK_CONNECTED', 'a refused change is no loss')
    assert.equal(await refused(subject, ({ em }) => em.execute(note.sql, [note.id, 'whole'])), null)

    await own().start()
    await until(async () => sideOf(await list()) === 'primary', { withinMs: 60_000, what: 'the primary' })
    const carried = (): Promise<unknown> => own().query('select text from notes', made)
    await until(async () => JSON.stringify(await carried()) === '[{"text":"whole"}]', {
      what: 'the note',
      withinMs: 30_000,
    })
    assert.equal((await fetch(`${url}/ships`, { method: 'POST' })).status, 200)
    assert.equal((await own().query('select name from ship where id = 9', made)).length, 1)
  })

  test('are not read while one of them is not copied', async (t) => {
    const subject = await start(t, own().url(await database()), { copyEntities: ['Ship'] })
    const codes = subject.holdfast.status().problems.map(({ code }) => code)
    assert.ok(codes.includes('COPY_ENTITY_LEFT_OUT'), codes.join())
    await until(() => isCopied(subject, 'ship'), { what: 'the copy', withinMs: 30_000 })
    await own().kill()
    const away = await until(
      async () => {
        const answer = await fetch(`${subject.url}/ships`)
        return (await codeOf(answer)) === 'INCOMPLETE' ? answer : null
      },
      { withinMs: 20_000, what: 'the refusal' },
    )
    assert.equal(away.status, 503)
    assert.equal(away.headers.get('holdfast-as-of'), null)
    assert.equal(await refused(subject, ({ em }) => em.count(Ship)), 'INCOMPLETE')
    await own().start()
  })
})

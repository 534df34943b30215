import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { defineEntity, p } from '@mikro-orm/core'
import { driver } from '../../../plugins/sqlite/sqlite.ts'
import { fixedConfig } from '../../../src/database/address/config.ts'
import { DatabaseUrlResolver } from '../../../src/database/address/resolver.ts'
import { connectionSettingsOf } from '../../../src/database/machine/connection-settings.ts'
import { DatabaseEngineFactory } from '../../../src/database/store/engine-factory.ts'
import { emptySteps } from '../../../src/database/supervisor/steps.ts'
import { Supervisor } from '../../../src/database/supervisor/supervisor.ts'
import { WorkRunner } from '../../../src/database/work/work.ts'
import { DriverRegistry } from '../../../src/driver/registry.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { DatabaseSessionFactory } from '../../../src/http/data/session-factory.ts'
import { settingsFromOptions } from '../../support/settings.ts'
import { cleanLater, makeTempDir } from '../../support/temp.ts'

const Note = defineEntity({ name: 'Note', properties: { id: p.string().primary(), text: p.string() } })

/** The room over the real driver, on a file in `dir`, composed as the service does it. */
function roomOf(
  t: TestContext,
  dir: string,
  url: string | null = null,
  mode: 'read-write' | 'read-only' = 'read-write',
) {
  const resolved = settingsFromOptions(
    { data: { dir, durable: true }, database: { url }, fallback: { mode } },
    { sqlite: driver.settings ?? {} },
  )
  const registry = new DriverRegistry()
  assert.equal(registry.register(driver), null)
  const settings = connectionSettingsOf(resolved.settings)
  const supervisor = new Supervisor({
    opener: new DatabaseEngineFactory({ entities: [Note], settings: () => settings }),
    steps: {
      ...emptySteps,
      prepare: async (store) => {
        await store.statements.write('create table if not exists note (id text primary key, text text)', [])
      },
    },
    settings,
    maxActiveSessions: () => 1_000,
    config: fixedConfig(new DatabaseUrlResolver(registry).resolve(resolved, [dir])),
    observe: () => {},
  })
  const work = new WorkRunner(supervisor, () => {})
  cleanLater(t, async () => {
    await supervisor.close(5_000)
    work.close()
  })
  return { supervisor, work, gate: supervisor.gate }
}

test('a local store is opened at first use, keeps what was committed, and is there again', async (t) => {
  const dir = await makeTempDir(t, 'database')
  const room = roomOf(t, dir)
  assert.equal(existsSync(join(dir, 'production.db')), false)
  const outcome = await room.work.transactional(async (session) => {
    session.em.create(Note, { id: 'one', text: 'kept' })
    await session.em.flush()
    return await session.statements.read('select text from note', [])
  })
  assert.deepEqual(outcome, { value: [{ text: 'kept' }], store: 'local', driver: 'sqlite', durability: 'local' })
  assert.equal(existsSync(join(dir, 'production.db')), true)
  await assert.rejects(
    room.work.run((session) => session.statements.write('insert into note values (?, ?)', ['one', 'again']), {
      kind: 'write',
      rerun: 'always',
    }),
    (error) => error instanceof HoldfastError && error.code === 'CONFLICT',
  )
  await room.supervisor.close(5_000)

  const again = roomOf(t, dir)
  const rows = await again.work.run((session) => session.statements.read('select id from note', []), {
    kind: 'read',
    rerun: 'always',
  })
  assert.deepEqual(rows.value, [{ id: 'one' }])
})

test('a declared SQLite primary serves with a fallback beside it', async (t) => {
  const dir = await makeTempDir(t, 'database')
  const room = roomOf(t, dir, 'sqlite:///./declared.db')
  const outcome = await room.work.transactional(async (session) => {
    session.em.create(Note, { id: 'one', text: 'x' })
  })
  assert.deepEqual([outcome.store, outcome.durability], ['primary', 'primary'])
  const { state } = room.supervisor
  assert.ok(state.name === 'PRIMARY_CONNECTED' && state.standby.status === 'open')
  assert.equal(existsSync(join(dir, 'declared.db')), true)
})

test('a session of a request writes through its own EntityManager', async (t) => {
  const dir = await makeTempDir(t, 'database')
  const room = roomOf(t, dir)
  const sessions = new DatabaseSessionFactory(room.supervisor, room.work, () => {})
  const server = createServer(async (request, response) => {
    const { em } = await sessions.session(request)
    em.create(Note, { id: request.url ?? '', text: 'x' })
    await em.flush()
    response.end(String(await em.count(Note)))
  }).listen(0, '127.0.0.1')
  cleanLater(t, async () => {
    sessions.close()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // Listening on TCP.
  const counts = await Promise.all(['/a', '/b', '/c'].map((path) => fetch(url + path).then((answer) => answer.text())))
  assert.ok(counts.includes('3'), String(counts))
})

test('no session changes a read-only fallback, whichever way it tries, and it goes on serving', async (t) => {
  const room = roomOf(t, await makeTempDir(t, 'database'), 'nowhere://u@h/db', 'read-only')
  const sessions = new DatabaseSessionFactory(room.supervisor, room.work, () => {})
  cleanLater(t, async () => sessions.close())
  const request = new IncomingMessage(new Socket())
  const response = new ServerResponse(request)
  const session = await sessions.session(request, response)
  assert.equal(session.shown, 'fallback')
  const { em, store } = session
  const ways = [
    () => em.insert(Note, { id: 'a', text: 'x' }),
    () => em.nativeUpdate(Note, {}, { text: 'y' }),
    () => em.execute("insert into note values ('b', 'x')"),
    () => em.execute('create table other (id integer)'),
    () => em.transactional((inner) => inner.insert(Note, { id: 'c', text: 'x' })),
    () => store.statements.write("insert into note values ('d', 'x')", []),
    () => room.work.run((own) => own.em.insert(Note, { id: 'e', text: 'x' }), { kind: 'read', rerun: 'never' }),
  ]
  for (const way of ways) {
    const error: unknown = await way().then(
      () => assert.fail(`${way} succeeded`),
      (thrown: unknown) => sessions.refusal(request, thrown),
    )
    assert.ok(error instanceof HoldfastError, `${way}: ${error}`)
    assert.equal(error.code, 'STORE_READ_ONLY', String(way))
  }
  assert.equal(await em.fork().count(Note), 0)
  assert.equal(room.supervisor.current?.store, store)
  response.emit('close')
})

test('a local store takes changes whatever FALLBACK_MODE says: it is the database', async (t) => {
  const room = roomOf(t, await makeTempDir(t, 'database'), null, 'read-only')
  const outcome = await room.work.transactional((session) => session.em.insert(Note, { id: 'a', text: 'x' }))
  assert.deepEqual([outcome.value, outcome.store], ['a', 'local'])
})

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type DatabaseApi, onDatabases } from '../../../support/databases.ts'
import { until } from '../../../support/until.ts'

const items = { name: 'items', fields: { label: { type: 'string', maxLength: 40 }, stock: { type: 'integer' } } }
const kinds: readonly DatabaseApi['kind'][] = ['postgresql', 'mariadb']

/** What the trigger does with a row, and how often. */
type Hindrance = 'conflicts' | 'discards'

onDatabases('writes that meet others', { collections: [items], kinds }, (api) => {
  const run = async (sql: string) => (await api().run?.(sql)) ?? []

  const make = async (): Promise<{ readonly path: string; readonly etag: string; readonly id: string }> => {
    const { status, json, headers } = await api().call('POST', '/api/items', { body: { label: 'made', stock: 1 } })
    assert.equal(status, 201)
    return { path: `/api/items/${json.id}`, etag: headers.get('etag') ?? '', id: json.id }
  }

  /** The next so many writes of the table meet it; what counts them is not undone with them. */
  const hinder = async (what: Hindrance, times: number): Promise<void> => {
    if (api().kind === 'postgresql') {
      const then = what === 'conflicts' ? "raise exception 'hindered' using errcode = '40001';" : 'return null;'
      await run(`drop trigger if exists hinder on items; drop sequence if exists met; create sequence met;
        create or replace function hinder() returns trigger language plpgsql as $$
        begin if nextval('met') <= ${times} then ${then} end if; return coalesce(new, old); end $$;
        create trigger hinder before insert or update or delete on items for each row execute function hinder()`)
      return
    }
    await run('create or replace table met (n int not null) engine = aria transactional = 0')
    await run('insert into met values (0)')
    for (const event of ['insert', 'update', 'delete']) {
      await run(`create or replace trigger hinder_${event} before ${event} on items for each row begin
        update met set n = n + 1;
        if (select n from met) <= ${times} then signal sqlstate '40001' set mysql_errno = 1213; end if; end`)
    }
  }

  const met = async (): Promise<number> => {
    const [row] = await run(`select ${api().kind === 'postgresql' ? 'last_value' : 'n'} as n from met`)
    return Number(row?.n)
  }

  it('are run again where the database has undone them, whatever they are', async () => {
    const { call } = api()
    const { path, etag } = await make()
    const { path: other } = await make()
    const headers = { 'idempotency-key': 'a-key-of-enough-characters' }
    for (const [method, at, sent, status] of [
      ['POST', '/api/items', { body: { stock: 5 } }, 201],
      ['POST', '/api/items', { body: { stock: 6 }, headers }, 201],
      ['POST', '/api/items', { body: [{ stock: 7 }, { stock: 8 }] }, 201],
      ['PATCH', other, { body: { stock: 2 } }, 200],
      ['PATCH', other, { body: { $inc: { stock: 2 } } }, 200],
      ['PUT', other, { body: { label: 'put', stock: 9 } }, 200],
      ['DELETE', path, { headers: { 'if-match': etag } }, 204],
      ['DELETE', other, {}, 204],
    ] as const) {
      await hinder('conflicts', 3)
      const answer = await call(method, at, sent)
      assert.equal(answer.status, status, `${method} ${at}: ${answer.text}`)
      assert.ok((await met()) >= 4, `${method}: it was hindered`)
    }
    const repeated = await call('POST', '/api/items', { body: { stock: 6 }, headers })
    assert.deepEqual([repeated.status, repeated.json.stock], [201, 6])
    const { json } = await call('GET', '/api/items')
    assert.deepEqual(json.items.map(({ stock }: { stock: number }) => stock).sort(), [5, 6, 7, 8], 'each is there once')
    assert.equal((await call('GET', '/health')).json.status, 'pass')
  })

  it('are refused in the end, in words that are true', async () => {
    const { call } = api()
    const { path } = await make()
    for (const [method, sent] of [
      ['PATCH', { body: { stock: 2 } }],
      ['DELETE', {}],
    ] as const) {
      await hinder('conflicts', 1_000)
      const { status, json, headers } = await call(method, path, sent)
      assert.deepEqual([status, json.code, headers.get('retry-after')], [503, 'STORE_BUSY', '1'])
      assert.match(json.detail, /changed at the same time elsewhere/)
      assert.equal(await met(), 4)
    }
    await hinder('conflicts', 0)
    assert.equal((await call('GET', path)).json.stock, 1)
  })

  it('are run again after a deadlock', async (t) => {
    const { call, kind, session } = api()
    await hinder('conflicts', 0)
    const [a, b] = [await make(), await make()]
    const other = await session?.(t)
    assert.ok(other !== undefined)
    const isPostgres = kind === 'postgresql'
    // The other one is not chosen to end: it looks later, or has done more.
    if (isPostgres) await other.run("set deadlock_timeout = '60s'")
    else await other.run('create or replace table heavy (n int primary key) engine = innodb')
    await other.run('begin')
    if (!isPostgres) await other.run('insert into heavy select seq from seq_1_to_500')
    await other.run(`update items set stock = 10 where id = '${a.id}'`)
    const operations = [
      { method: 'PATCH', path: b.path, body: { label: 'batch' } },
      { method: 'PATCH', path: a.path, body: { label: 'batch' } },
    ]
    const batch = call('POST', '/api', { body: { operations } })
    const waiting = isPostgres
      ? "select count(*) as n from pg_stat_activity where wait_event_type = 'Lock'"
      : "select count(*) as n from information_schema.innodb_trx where trx_state = 'LOCK WAIT'"
    await until(async () => Number((await run(waiting))[0]?.n) > 0, { withinMs: 10_000, what: 'the batch to wait' })
    await other.run(`update items set stock = 20 where id = '${b.id}'`)
    await other.run('commit')
    const answer = await batch
    assert.equal(answer.status, 200, answer.text)
    for (const [{ path }, stock] of [
      [a, 10],
      [b, 20],
    ] as const) {
      const { json } = await call('GET', path)
      assert.deepEqual([json.label, json.stock], ['batch', stock])
    }
  })

  it('are run again where the row came to be as they want it only after they had met none', async (t) => {
    if (api().kind !== 'postgresql') return t.skip('its triggers let no write go on without its row')
    const { call } = api()
    for (const hasMatch of [false, true]) {
      const { path, etag } = await make()
      const own = (tag: string | null) => (hasMatch ? { headers: { 'if-match': tag ?? '' } } : {})
      await hinder('discards', 1)
      const changed = await call('PATCH', path, { body: { stock: 7 }, ...own(etag) })
      assert.deepEqual([changed.status, changed.json.stock], [200, 7], changed.text)
      await hinder('discards', 1)
      const removed = await call('DELETE', path, own(changed.headers.get('etag')))
      assert.equal(removed.status, 204, removed.text)
      await hinder('discards', 0)
      assert.equal((await call('GET', path)).status, 404)
    }
  })

  it('and reads that name a version get the row that has it', async () => {
    const { call } = api()
    await hinder('conflicts', 0)
    const { path, etag } = await make()
    const at = (tag: string) => call('GET', path, { headers: { 'if-match': tag } })
    assert.deepEqual([(await at(etag)).status, (await at('*')).status], [200, 200])
    await call('PATCH', path, { body: { stock: 3 } })
    const stale = await at(etag)
    assert.deepEqual([stale.status, stale.json.code], [412, 'PRECONDITION_FAILED'])
  })
})

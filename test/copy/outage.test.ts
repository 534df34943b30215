import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onServers } from '../journal/servers.ts'
import { until } from '../support/until.ts'
import { type CopiedService, type Note, startCopied } from './service.ts'

onServers('the copy of a service', (server, { quoted }) => {
  const insert = (id: string, text: string) =>
    `insert into notes (id, text, ${['createdAt', 'updatedAt'].map(quoted).join(', ')}, version)
     values ('${id}', '${text}', '2026-01-01 00:00:00', '2026-01-01 00:00:00', 1)`
  const idOf = (number: number) => `01890000-0000-7000-8000-${number.toString(16).padStart(12, '0')}`

  test('an outage shows every row of the primary, by whoever it was written, and takes changes of them', async (t) => {
    const database = await server().createDatabase()
    const service = await startCopied(t, server(), { database })
    const own = await service.create('mine')
    for (let at = 0; at < 20; at += 1) await server().query(insert(idOf(at), `theirs ${at}`), database)
    await service.whole()
    await server().query(`update notes set text = 'changed' where id = '${idOf(3)}'`, database)
    await server().query(`delete from notes where id = '${idOf(4)}'`, database)
    await service.sweptAgain()
    const last = await service.create('last')
    const changed = await service.fetch(`/${own.id}`, { method: 'PATCH', body: '{"text":"mine again"}' })
    assert.equal(changed.status, 200)

    await service.lose()
    const list = await service.fetch('?limit=100')
    const { items, partial } = (await list.json()) as { items: Note[]; partial?: boolean } // As documented.
    assert.equal(partial, undefined)
    assert.ok(Date.parse(list.headers.get('holdfast-as-of') ?? '') <= Date.now())
    const texts = new Map(items.map(({ id, text }) => [id, text]))
    assert.equal(texts.size, 21)
    assert.equal(texts.get(own.id), 'mine again')
    assert.equal(texts.get(last.id), 'last')
    assert.equal(texts.get(idOf(3)), 'changed')
    assert.equal((await service.fetch(`/${idOf(4)}`)).status, 404)
    assert.equal((await service.fetch(`/${idOf(5)}`, { method: 'PATCH', body: '{"stars":5}' })).status, 200)
    assert.equal((await service.fetch(`/${idOf(6)}`, { method: 'DELETE' })).status, 204)
    const made = await service.create('in the outage')

    await service.giveBack()
    const found = async () => await server().query('select id, text, stars from notes order by id', database)
    await until(async () => (await found()).some(({ id }) => id === made.id), { what: 'the rows in the primary' })
    const rows = new Map((await found()).map(({ id, stars }) => [id, stars]))
    assert.equal(Number(rows.get(idOf(5))), 5)
    assert.equal(rows.has(idOf(6)), false)
    await service.whole()
    await service.lose()
    const again = (await (await service.fetch('?limit=100')).json()) as { items: Note[]; partial?: boolean } // As above.
    assert.equal(again.partial, undefined)
    assert.equal(again.items.length, 21)
    assert.ok(again.items.some(({ id, text }) => id === made.id && text === 'in the outage'))
  })

  const listed = async (service: CopiedService) => {
    const { items, partial } = (await (await service.fetch('?limit=100')).json()) as { items: Note[]; partial?: true } // As documented.
    return { ids: items.map(({ id }) => id).sort(), isWhole: partial === undefined }
  }

  test('a fallback that accepts no writes is copied into as well', async (t) => {
    const database = await server().createDatabase()
    const service = await startCopied(t, server(), { database, fallback: { mode: 'read-only' } })
    await server().query(insert(idOf(1), 'theirs'), database)
    await service.whole()
    // It may have been whole before the row was there.
    await service.sweptAgain()
    const own = await service.create('mine')
    await service.lose()
    assert.deepEqual(await listed(service), { ids: [idOf(1), own.id].sort(), isWhole: true })
    assert.equal((await service.fetch(`/${own.id}`, { method: 'DELETE' })).status, 503)
  })

  test('COPY=off drops what was copied, at once and without a restart', async (t) => {
    const service = await startCopied(t, server())
    await service.create('mine')
    await service.whole()
    await service.reload({ copies: { mode: 'off' } })
    await until(async () => (await service.metric('holdfast_copy_rows{collection="notes"}')) === 0)
    await service.create('another')
    await service.lose()
    assert.deepEqual(await listed(service), { ids: [], isWhole: false })
    await service.giveBack()
    await service.reload({ copies: { mode: 'auto' } })
    await service.whole()
  })

  test('a limit that is too small leaves the collection out, with figures; a larger one takes it up without a restart', async (t) => {
    const service = await startCopied(t, server(), { settings: { copies: { maxBytes: 0 } } })
    await service.create('mine')
    const codes = () => service.holdfast.status().problems.map(({ code }) => code)
    await until(() => codes().includes('COPY_TOO_LARGE'), { what: 'the problem' })
    await service.reload({ copies: { maxBytes: 100_000_000 } })
    await service.whole()
    assert.equal(codes().includes('COPY_TOO_LARGE'), false)
  })

  test('a copy goes with its database: another one shows none of it, nor does the first one after that', async (t) => {
    const [first, second] = [await server().createDatabase(), await server().createDatabase()]
    const one = await startCopied(t, server(), { database: first })
    const own = await one.create('in the first')
    await one.whole()
    await one.holdfast.close()
    const two = await startCopied(t, server(), { database: second, dir: one.dir, proxy: one.proxy })
    await two.whole()
    await two.lose()
    assert.deepEqual(await listed(two), { ids: [], isWhole: true })
    // Too new for the last poll to know.
    assert.equal((await two.fetch(`/${own.id}`)).status, 503)
    await two.holdfast.close()
    const again = await startCopied(t, server(), { database: first, dir: one.dir, proxy: one.proxy, isLost: true })
    assert.deepEqual(await listed(again), { ids: [], isWhole: false })
    assert.equal((await again.fetch(`/${own.id}`)).status, 503)
  })

  test('a primary that lacks what was carried to it has its copy dropped, and made again', async (t) => {
    const database = await server().createDatabase()
    const service = await startCopied(t, server(), { database })
    const old = await service.create('before')
    await service.whole()
    await service.lose()
    const carried = await service.create('carried')
    await service.giveBack()
    const ids = async () => (await server().query('select id from notes', database)).map(({ id }) => String(id))
    await until(async () => (await ids()).includes(carried.id), { what: 'the row in the primary' })
    await service.whole()
    await service.lose()
    // As a backup of before that outage has it.
    await server().query(`delete from notes where id = '${carried.id}'`, database)
    await server().query('delete from holdfast_attempt', database)
    await service.giveBack()
    await until(() => service.seen.some(({ type }) => type === 'copy.reset'), { what: 'the end of the copy' })
    await service.whole()
    await service.lose()
    assert.deepEqual(await listed(service), { ids: [old.id, carried.id].sort(), isWhole: true })
  })

  test('what was answered right before the end of the process is in the copy of the next one', async (t) => {
    const database = await server().createDatabase()
    const service = await startCopied(t, server(), { database })
    await service.create('first')
    await service.whole()
    const rows = await Promise.all(Array.from({ length: 20 }, (_, at) => service.create(`last ${at}`)))
    await service.holdfast.close()
    const next = await startCopied(t, server(), { database, dir: service.dir, proxy: service.proxy, isLost: true })
    const { ids, isWhole } = await listed(next)
    assert.equal(isWhole, true)
    assert.ok(rows.every(({ id }) => ids.includes(id)))
  })
})

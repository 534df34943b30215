import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onServers } from '../journal/servers.ts'
import { until } from '../support/until.ts'
import { type Note, startCopied } from './service.ts'

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
})

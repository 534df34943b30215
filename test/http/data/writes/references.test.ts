import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'node:test'
import { onDatabases } from '../../../support/databases.ts'

const uuid = { type: 'string', format: 'uuid' }
const reference = (collection: string, onDelete: string) => ({ ...uuid, references: { collection, onDelete } })

const parts = { name: 'parts', ids: 'client', fields: { whole: reference('parts', 'restrict') } }
const teams = { name: 'teams', fields: { label: { type: 'string' } }, maxRows: 5_000 }
const people = {
  name: 'people',
  fields: { label: { type: 'string' }, team: reference('teams', 'restrict') },
}
const notes = { name: 'notes', fields: { label: { type: 'string' }, author: reference('people', 'setNull') } }
const badges = { name: 'badges', fields: { label: { type: 'string' }, holder: reference('people', 'cascade') } }
const marks = { name: 'marks', fields: { badge: reference('badges', 'cascade') } }

onDatabases('references', { collections: [parts, teams, people, notes, badges, marks] }, (api) => {
  const make = async (collection: string, body: object = {}) => {
    const { status, json, text } = await api().call('POST', `/api/${collection}`, { body })
    assert.equal(status, 201, text)
    return json
  }
  const get = async (collection: string, { id }: { readonly id: string }) =>
    (await api().call('GET', `/api/${collection}/${id}`)).json

  it('refuse what refers to no row, and write nothing', async () => {
    const { call } = api()
    const missing = randomUUID()
    const refused = await call('POST', '/api/people', { body: { team: missing } })
    assert.deepEqual([refused.status, refused.json.code], [409, 'REFERENCE_MISSING'])
    assert.deepEqual(
      refused.json.errors.map(({ pointer }: { pointer: string }) => pointer),
      ['/team'],
    )
    assert.equal(refused.text.includes(missing), false)
    const team = await make('teams')
    const person = await make('people', { team: team.id })
    const moved = await call('PATCH', `/api/people/${person.id}`, { body: { team: missing } })
    assert.deepEqual([moved.status, moved.json.code], [409, 'REFERENCE_MISSING'])
    assert.deepEqual(await get('people', person), person)
    const many = await call('POST', '/api/people', { body: [{ team: team.id }, { team: missing }] })
    assert.deepEqual([many.status, many.json.code], [409, 'REFERENCE_MISSING'])
    assert.equal((await call('PATCH', `/api/people/${person.id}`, { body: { team: null } })).status, 200)
  })

  it('may lead to a row that comes later in the same array', async () => {
    const ids = Array.from({ length: 250 }, () => randomUUID())
    const rows = ids.map((id, at) => ({ id, whole: ids[at + 1] ?? null }))
    for (const method of ['POST', 'PUT']) {
      const body = method === 'POST' ? rows.slice(100) : rows
      const { status, json, text } = await api().call(method, '/api/parts', { body })
      assert.ok(status === 200 || status === 201, text)
      assert.deepEqual(
        json.items.map(({ id, whole }: { readonly id: string; readonly whole: string }) => ({ id, whole })),
        body,
      )
    }
  })

  it('keep a row that others refer to, and name their collection', async () => {
    const { call } = api()
    const team = await make('teams')
    const person = await make('people', { team: team.id })
    const refused = await call('DELETE', `/api/teams/${team.id}`)
    assert.deepEqual([refused.status, refused.json.code], [409, 'REFERENCED'])
    assert.match(refused.json.detail, /"people"/)
    assert.equal((await call('DELETE', `/api/people/${person.id}`)).status, 204)
    assert.equal((await call('DELETE', `/api/teams/${team.id}`)).status, 204)
    assert.equal((await call('GET', `/api/teams/${team.id}`)).status, 404)
  })

  it('set null and delete with the row that they refer to, to the depth', async () => {
    const { call } = api()
    const person = await make('people')
    const note = await make('notes', { author: person.id, label: 'stays' })
    const badge = await make('badges', { holder: person.id })
    const mark = await make('marks', { badge: badge.id })
    const other = await make('badges')
    assert.equal((await call('DELETE', `/api/people/${person.id}`)).status, 204)
    const after = await get('notes', note)
    assert.deepEqual([after.author, after.label, after.version], [null, 'stays', 2])
    assert.notEqual(after.updatedAt, note.updatedAt)
    assert.equal((await call('GET', `/api/badges/${badge.id}`)).status, 404)
    assert.equal((await call('GET', `/api/marks/${mark.id}`)).status, 404)
    assert.equal((await call('GET', `/api/badges/${other.id}`)).status, 200)
  })

  it('refuse to delete with more than a thousand others', async () => {
    const { call } = api()
    const person = await make('people')
    const rows = (length: number) => Array.from({ length }, () => ({ holder: person.id }))
    assert.equal((await call('POST', '/api/badges', { body: rows(1_000) })).status, 201)
    const extra = await make('badges', { holder: person.id })
    const refused = await call('DELETE', `/api/people/${person.id}`)
    assert.deepEqual([refused.status, refused.json.code], [409, 'REFERENCED'])
    assert.equal((await call('DELETE', `/api/badges/${extra.id}`)).status, 204)
    assert.equal((await call('DELETE', `/api/people/${person.id}`)).status, 204)
  })
})

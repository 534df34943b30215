import assert from 'node:assert/strict'
import { it } from 'node:test'
import { onDatabases } from '../../../support/databases.ts'

const members = {
  name: 'members',
  fields: {
    nick: { type: 'string', maxLength: 40 },
    tenant: { type: 'string', maxLength: 40, private: true, default: 'main' },
    pin: { type: 'integer', minimum: 0, maximum: 9_999, writeOnly: true },
  },
  indexes: [{ fields: ['nick', 'tenant'], unique: true }],
  access: { create: 'public', update: 'public' },
}

onDatabases('answers to writes', { collections: [members] }, (api) => {
  it('do not name a private field of the unique key that is taken', async () => {
    const { call } = api()
    const body = { nick: 'ann' }
    await call('POST', '/api/members', { body, token: null })
    const requests = [
      call('POST', '/api/members', { body, token: null }),
      call('POST', '/api/members', { body: [{ nick: 'bob' }, body], token: null }),
      call('POST', '/api', { body: { operations: [{ method: 'POST', path: '/api/members', body }] }, token: null }),
    ]
    for (const { status, text, json } of await Promise.all(requests)) {
      assert.equal(status, 409, text)
      assert.match(json.errors[0].pointer, /\/nick$/)
      assert.doesNotMatch(text, /tenant/)
    }
  })

  it('do not tell by its bounds what a field has that no one may read', async () => {
    const { call } = api()
    const { json } = await call('POST', '/api/members', { body: { nick: 'cid', pin: 4_711 }, token: null })
    const answers = await Promise.all(
      [1, 9_000].map((pin) => call('PATCH', `/api/members/${json.id}`, { body: { $inc: { pin } }, token: null })),
    )
    assert.deepEqual(
      answers.map(({ status, json: { errors } }) => [status, errors[0].pointer]),
      [
        [422, '/$inc/pin'],
        [422, '/$inc/pin'],
      ],
    )
  })
})

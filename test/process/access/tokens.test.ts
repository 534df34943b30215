import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { cliEntry, runProcess, startService } from '../../support/process.ts'
import { until } from '../../support/until.ts'
import { adminToken, bodyOf } from '../sight.ts'

const notes = {
  name: 'notes',
  fields: { text: { type: 'string' }, author: { type: 'string' } },
  owner: 'author',
  access: { create: 'token', list: 'public', get: 'public', update: 'owner', delete: 'none' },
}

const files = { 'config/collections/notes.json': JSON.stringify(notes) }

describe('API tokens', { concurrency: 2 }, () => {
  test('what the command prints opens what its scopes name, and is in no log', async (t) => {
    const args = [cliEntry, 'token', 'ingest', '--scope', 'notes:create', '--expires', '2999-12-31', '--json']
    const printed = await runProcess(t, { args })
    assert.equal(printed.code, 0, printed.stderr)
    const { token, entry } = JSON.parse(printed.stdout)
    const env = { API_TOKENS: JSON.stringify([entry]), ADMIN_TOKEN: adminToken }
    const service = await startService(t, { env, files })
    const made = await service.send('POST', '/api/notes', { text: 'one' }, token)
    assert.equal(made.status, 201, service.output())
    assert.match(made.headers.get('ratelimit-policy') ?? '', /^"token";q=6000;w=60$/)
    const without = await service.send('POST', '/api/notes', { text: 'two' })
    assert.deepEqual([without.status, without.headers.get('www-authenticate')], [401, 'Bearer realm="holdfast"'])
    const wrong = await service.send('POST', '/api/notes', { text: 'two' }, `${token.slice(0, -1)}-`)
    assert.equal((await bodyOf(wrong)).code, 'TOKEN_INVALID')
    assert.equal(wrong.headers.get('www-authenticate'), 'Bearer realm="holdfast", error="invalid_token"')
    const { id } = await bodyOf(made)
    const changed = await service.send('PATCH', `/api/notes/${id}`, { text: 'three' }, token)
    assert.deepEqual([changed.status, (await bodyOf(changed)).code], [403, 'SCOPE_MISSING'])
    assert.match(changed.headers.get('www-authenticate') ?? '', /error="insufficient_scope"/)
    const removed = await service.send('DELETE', `/api/notes/${id}`, undefined, adminToken)
    assert.deepEqual([removed.status, (await bodyOf(removed)).code], [403, 'ACCESS_DENIED'], 'not even the admin')
    const answered = (caller: string) =>
      service.log().filter((line) => line.event === 'request.answered' && line.caller === caller).length
    await until(() => answered('token:ingest') >= 2 && answered('public') >= 1 && answered('admin') === 1)
    const status = await bodyOf(await service.fetch('/status', { headers: { 'holdfast-token': adminToken } }))
    const shown = status.settings.find(({ name }: { name: string }) => name === 'tokens')
    assert.equal(shown.value, '***')
    assert.ok(!service.output().includes(token) && !service.output().includes(entry.sha256))
  })

  test('are replaced by a reload, and an expired one is told', async (t) => {
    const print = async (name: string, ...more: readonly string[]) => {
      const args = [cliEntry, 'token', name, '--scope', '*:*', '--json', ...more]
      return JSON.parse((await runProcess(t, { args })).stdout)
    }
    const [first, second] = [await print('first', '--expires', '2001-01-01'), await print('second')]
    const env = { ADMIN_TOKEN: adminToken, NODE_ENV: 'production' }
    const service = await startService(t, {
      env,
      files: { ...files, 'config/default.json': JSON.stringify({ tokens: [first.entry] }) },
    })
    const create = async (token: string) => (await service.send('POST', '/api/notes', { text: 'x' }, token)).status
    assert.deepEqual([await create(first.token), await create(second.token)], [401, 401])
    const { problems } = await bodyOf(await service.fetch('/status', { headers: { 'holdfast-token': adminToken } }))
    const expired = problems.find(({ code }: { code: string }) => code === 'API_TOKEN_EXPIRED')
    assert.match(expired.message, /"first" has expired \(2001-01-01\)/)
    await writeFile(join(service.dir, 'config/default.json'), JSON.stringify({ tokens: [second.entry] }))
    assert.equal((await service.send('POST', '/admin/reload', undefined, adminToken)).status, 200)
    assert.equal(await create(second.token), 201)
  })

  test('the command says what it cannot make a token of', async (t) => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['ingest'], /without a scope/],
      [['a b', '--scope', 'notes:create'], /name is not/],
      [['ingest', '--scope', 'notes:creat'], /scope that is not "<collection>:<operation>"/],
      [['ingest', '--scope', 'notes:create', '--expires', '2027-02-30'], /neither a day nor an instant/],
      [[], /write "token" with a name/],
    ]
    for (const [words, said] of cases) {
      const { code, stdout, stderr } = await runProcess(t, { args: [cliEntry, 'token', ...words] })
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, said)
    }
  })
})

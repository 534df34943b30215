import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { describe, test } from 'node:test'
import type { Service } from '../../support/process.ts'
import { writeFiles } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { adminToken, assertLocal, bodyOf, findProblem, look, makeHome, serve, statusOf } from '../sight.ts'

const notes = JSON.stringify({
  name: 'notes',
  fields: { text: { type: 'string' } },
  access: { create: 'public', list: 'public' },
})

/** Both ways to ask for a reload. Each resolves when it is done. */
const ways = {
  'POST /admin/reload': async (service: Service) => {
    const answer = await service.send('POST', '/admin/reload', undefined, adminToken)
    assert.equal(answer.status, 200)
    await answer.text()
  },
  SIGHUP: async (service: Service) => {
    const count = (): number =>
      service.log().filter(({ event }) => /^(settings\.reloaded|reload\.refused)$/.test(event ?? '')).length
    const before = count()
    service.child.kill('SIGHUP')
    await until(() => count() > before, { what: 'the reload' })
  },
} as const

describe('a reload', { concurrency: 2 }, () => {
  for (const [way, reload] of Object.entries(ways)) {
    test(`by ${way} takes what has changed, keeps what runs when the files are wrong, and says what needs a restart`, async (t) => {
      const config = (settings: object) => ({ 'config/default.json': JSON.stringify(settings) })
      const cwd = await makeHome(t, config({ log: { requests: false } }))
      const service = await serve(t, { cwd })
      const { items } = await bodyOf(await (await look(service)).service.fetch('/api/feedback'))
      const requests = () => service.log().filter(({ event }) => event === 'request.answered').length
      assert.equal(requests(), 0)

      await writeFiles(cwd, {
        ...config({ log: { requests: true, level: 'debug' } }),
        'config/collections/notes.json': notes,
      })
      assert.equal((await service.fetch('/api/notes')).status, 404)
      await reload(service)
      const reloaded = service.log().findLast(({ event }) => event === 'settings.reloaded')
      assert.match(reloaded?.msg ?? '', /\(collections added: notes\)\.$/)
      assert.equal((await service.send('POST', '/api/notes', { text: 'new' })).status, 201)
      await until(() => requests() > 0, { what: 'a line for a request' })
      assert.equal((await service.fetch(`/api/feedback/${items[0].id}`)).status, 200)
      assertLocal(await look(service))

      await writeFiles(cwd, { 'config/default.json': '{ "log": { "requests": false }, ' })
      await reload(service)
      const line = await until(() => service.log().find(({ event }) => event === 'reload.refused'))
      assert.equal(line.level, 'error')
      assert.match(JSON.stringify(line.problems), /FILE_INVALID.*config\/default\.json/)
      const settings = (await statusOf(service)).settings
      assert.equal(settings.find(({ name }) => name === 'log.requests')?.value, true)
      assert.equal((await service.send('POST', '/api/notes', { text: 'still' })).status, 201)

      await writeFiles(cwd, config({ http: { port: 1234, rateLimit: 0 }, database: { boot: 'eager' } }))
      await reload(service)
      const { problems } = await statusOf(service)
      findProblem(problems, { code: 'SETTING_NEEDS_RESTART', severity: 'info', setting: 'database.boot' })
      const said = service.log().findLast(({ event }) => event === 'settings.reloaded')
      assert.deepEqual(said?.needsRestart, ['database.boot'])
      assertLocal(await look(service))
    })
  }

  test('leaves a collection that was taken away unserved, and its rows in the file', async (t) => {
    const cwd = await makeHome(t, { 'config/collections/notes.json': notes })
    const service = await serve(t, { cwd })
    assert.equal((await service.send('POST', '/api/notes', { text: 'kept' })).status, 201)
    await rm(`${cwd}/config/collections/notes.json`)
    await ways.SIGHUP(service)
    assert.equal((await service.fetch('/api/notes')).status, 404)
    await writeFiles(cwd, { 'config/collections/notes.json': notes })
    await ways['POST /admin/reload'](service)
    assert.equal((await bodyOf(await service.fetch('/api/notes'))).items[0].text, 'kept')
  })

  test('is refused to whoever is not the admin', async (t) => {
    const service = await serve(t)
    assert.equal((await service.send('POST', '/admin/reload', undefined)).status, 401)
    assert.equal((await service.send('POST', '/admin/reload', undefined, 'another-token')).status, 401)
  })

  test('of a file that a collection is wrong in keeps the collections that run', async (t) => {
    const cwd = await makeHome(t)
    const service = await serve(t, { cwd })
    await look(service)
    await writeFiles(cwd, {
      'config/collections/feedback.json': '{"name":"feedback","fields":{"a":{"type":"strnig"}}}',
    })
    const answer = await bodyOf(await service.send('POST', '/admin/reload', undefined, adminToken))
    assert.equal(answer.applied, false)
    findProblem(answer.problems, {
      code: 'COLLECTION_INVALID',
      setting: 'config/collections/feedback.json#/fields/a/type',
    })
    assertLocal(await look(service))
  })
})

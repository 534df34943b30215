import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { CopyStatus } from '../../../src/copy/copy-line.ts'
import { onServers, type RunningServer } from '../../journal/servers.ts'
import { type Hosted, hostService, runCommand } from '../../support/hosted.ts'
import { makeWorkingDir } from '../../support/process.ts'
import { startProxy } from '../../support/servers/tcp-proxy.ts'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, hurriedEnv } from '../serving.ts'

// Everyone's changes would be a warning, and health would never pass.
const access = { create: 'public', list: 'public', get: 'public' }

/** A collection whose changes are merged. */
const merging = {
  name: 'pages',
  conflict: 'merge',
  fields: {
    title: { type: 'string', maxLength: 200 },
    text: { type: 'string' },
    views: { type: 'integer', default: 0, sum: true },
  },
  required: ['views'],
  access,
}

/** A service next to a database of its own, which it reaches through a proxy. */
async function stage(
  t: Cleanup,
  server: RunningServer,
  collection: object,
  env: Readonly<Record<string, string>> = {},
) {
  const database = await server.createDatabase()
  const proxy = await startProxy(t, { port: Number(new URL(server.url(database)).port) })
  const dir = await makeWorkingDir(t)
  const options = {
    cwd: dir,
    files: { [join('config', 'collections', 'pages.json')]: JSON.stringify(collection) },
    env: { ...hurriedEnv, DATABASE_URL: server.url(database, proxy.port), ...env },
  }
  const service = await hostService(t, options)
  await serves(service, 'primary')
  const sql = (text: string) => server.query(text, database)
  const lose = async (): Promise<void> => {
    await proxy.refuse()
    proxy.dropAll()
    await serves(service, 'fallback')
  }
  const giveBack = async (): Promise<void> => {
    await proxy.accept()
    await serves(service, 'primary')
  }
  return { service, dir, env: options.env, sql, lose, giveBack }
}

async function serves(service: Hosted, shown: string): Promise<void> {
  const store = async () => (await service.fetch('/api/pages?limit=1')).headers.get('holdfast-store')
  await until(async () => (await store())?.startsWith(shown) === true, { what: shown, withinMs: 20_000 })
}

async function call(service: Hosted, method: string, path: string, body: object) {
  const answer = await service.fetch(`/api/pages${path}`, {
    method,
    headers: { 'content-type': 'application/json', 'holdfast-token': admin },
    body: JSON.stringify(body),
  })
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of an answer, looked into by each test.
  const json = (await answer.json()) as any
  return { status: answer.status, json }
}

/** What `/status` says of the copy; `rows` is null while it is not complete. */
async function pagesOf(service: Hosted) {
  const answer = await service.fetch('/status', { headers: { 'holdfast-token': admin } })
  const { copy } = (await answer.json()) as { copy: CopyStatus[] } // As the service makes it.
  const found = copy.find(({ collection }) => collection === 'pages')
  return { rows: found?.complete === true ? found.rows : null, asOf: found?.asOf ?? null, why: found?.why ?? null }
}

onServers('a collection whose changes are merged', (server) => {
  test('has the changes of both sides after an outage, and nothing that waits for a person', async (t) => {
    const { service, dir, env, sql, lose, giveBack } = await stage(t, server(), merging)
    const { json: page } = await call(service, 'POST', '', { title: 'one', text: 'text', views: 5 })
    await until(async () => (await pagesOf(service)).rows === 1, { what: 'the copy', withinMs: 20_000 })
    const checked = await runCommand(['check'], { cwd: dir, env })
    assert.match(checked.stdout, /^ {2}pages +1 row, complete, \d+ s old: readable and writable$/m)
    await lose()
    for (const views of [6, 7]) assert.equal((await call(service, 'PATCH', `/${page.id}`, { views })).status, 200)
    assert.equal((await call(service, 'PATCH', `/${page.id}`, { title: 'ours' })).status, 200)
    await sql(`update pages set views = views + 10, text = 'theirs' where id = '${page.id}'`)
    await giveBack()
    const row = async () => (await sql('select title, text, views from pages'))[0]
    await until(async () => (await row())?.title === 'ours', { what: 'the merged row' })
    assert.deepEqual(
      { ...(await row()), views: Number((await row())?.views) },
      { title: 'ours', text: 'theirs', views: 17 },
    )
    const settled = await sql('select settled_as from holdfast_conflict where settled_at is not null')
    assert.deepEqual(
      settled.map((one) => one.settled_as),
      ['merged', 'merged', 'merged'],
    )
    const metrics = await (await service.fetch('/metrics')).text()
    assert.match(metrics, /^holdfast_conflicts_settled_total 3$/m)
    assert.match(metrics, /^holdfast_conflicts_open 0$/m)
    const isWell = async () => ((await (await service.fetch('/health')).json()) as { status: string }).status === 'pass'
    await until(isWell, { what: 'health that passes' })
    const listed = await runCommand(['conflicts', 'list', 'settled'], { cwd: dir, env })
    assert.match(listed.stdout, /update_differing +merged +update of pages[\s\S]*3 settled conflicts\./)
    // What the copy has is the merged row: the next change builds on it.
    const since = new Date().toISOString()
    const isAnew = async () => ((await pagesOf(service)).asOf ?? '') > since
    await until(isAnew, { what: 'the copy again', withinMs: 20_000 })
    await lose()
    assert.equal((await call(service, 'PATCH', `/${page.id}`, { views: 20 })).json.text, 'theirs')
    await giveBack()
    await until(async () => Number((await row())?.views) === 20, { what: 'the change of the merged row' })
    assert.equal((await sql('select settled_as from holdfast_conflict')).length, 3)
  })

  test('above COPY_MAX_BYTES it is not copied, and an outage hides its rows', async (t) => {
    const { service, dir, env, lose } = await stage(t, server(), merging, { COPY_MAX_BYTES: '1B' })
    const { json: page } = await call(service, 'POST', '', { title: 'one', text: 'text' })
    const whyNot = async () => String((await pagesOf(service)).why)
    await until(async () => /^it takes .+, and COPY_MAX_BYTES is 1 B$/.test(await whyNot()), {
      what: 'the reason',
      withinMs: 20_000,
    })
    await lose()
    const listed = (await (await service.fetch('/api/pages')).json()) as { items: unknown[]; partial?: true }
    assert.deepEqual([listed.items, listed.partial], [[], true])
    assert.equal((await service.fetch(`/api/pages/${page.id}`)).status, 503)
    const checked = await runCommand(['check'], { cwd: dir, env })
    assert.match(
      checked.stdout.replaceAll(/\s+/g, ' '),
      / pages not copied: new rows only \(nothing of it is copied so far;/,
    )
  })
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync, symlinkSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Holdfast } from '../../src/index.ts'
import { repository } from '../support/process.ts'
import { cleanLater, makeTempDir, writeFiles } from '../support/temp.ts'
import { until } from '../support/until.ts'

const folder = join(repository, 'config/examples/servers')
const library = pathToFileURL(join(repository, 'src/index.ts')).href
const headers = { 'content-type': 'application/json' }
const post = (body: string): RequestInit => ({ method: 'POST', headers, body })

/** Imports an example as it stands, but for the folders of its data, on a free port. Its variables are exported. */
async function start(t: TestContext, name: string): Promise<{ readonly url: string; readonly holdfast: Holdfast }> {
  const dir = await makeTempDir(t, 'servers')
  symlinkSync(join(repository, 'node_modules'), join(dir, 'node_modules'))
  const feedback = JSON.parse(readFileSync(join(repository, 'config/collections/feedback.json'), 'utf8'))
  const indexes = [{ fields: ['model'], unique: true }]
  const text = readFileSync(join(folder, name), 'utf8')
    .replace("'holdfast'", `'${library}'`)
    .replace(
      "'./config/collections'",
      `'${dir}/collections', settings: { data: { dir: '${dir}/data' }, http: { rateLimit: 0 } }`,
    )
  const server = name === 'fastify.mjs' ? 'app.server' : 'server'
  const program = `${text}\nconst listener = ${server}\nexport { holdfast, listener }\n`
  const collection = JSON.stringify({ ...feedback, $schema: undefined, indexes })
  await writeFiles(dir, { [name]: program, 'collections/feedback.json': collection })
  process.env.PORT = '0'
  const { holdfast, listener } = (await import(pathToFileURL(join(dir, name)).href)) as Example // The line added above.
  delete process.env.PORT
  if (!listener.listening) await once(listener, 'listening')
  cleanLater(t, async () => {
    listener.closeAllConnections()
    listener.close()
    await holdfast.close({ withinMs: 1_000 })
  })
  return { url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`, holdfast } // It listens on TCP.
}

interface Example {
  readonly holdfast: Holdfast
  readonly listener: Server
}

const names = readdirSync(folder).sort()

test('there is one example for each server that the page names', () => {
  assert.deepEqual(names, ['express.mjs', 'fastify.mjs', 'node-http.mjs', 'polka.mjs'])
})

for (const name of names) {
  test(`the example ${name} serves collections below its prefix, and answers errors of its own handlers`, async (t) => {
    const { url, holdfast } = await start(t, name)
    const created = await fetch(`${url}/data/api/feedback`, post('{"rating":4,"model":"ä"}'))
    assert.equal(created.status, 201, await created.clone().text())
    const location = created.headers.get('location') ?? ''
    assert.match(location, /^\/data\/api\/feedback\/[\w-]{36}$/)
    assert.deepEqual(await (await fetch(url + location)).json(), await created.json())
    const mean = await fetch(`${url}/mean`)
    assert.deepEqual([await mean.text(), mean.headers.get('holdfast-store')], ['[{"mean":4}]', 'local; driver=sqlite'])
    await until(() => holdfast.status().database.activeSessions === 0, { what: 'the session to be released' })

    assert.equal((await fetch(`${url}/unknown`)).status, 404)
    const twice = await fetch(`${url}/data/api/feedback`, post('{"rating":4,"model":"ä"}'))
    const problem = (await twice.json()) as Record<string, string> // A problem of ours.
    assert.deepEqual([twice.status, problem.code], [409, 'CONFLICT'])
    assert.equal(problem.type, '/data/errors/CONFLICT')
    assert.equal((await fetch(url + problem.type)).status, 200)

    const page = await (await fetch(`${url}/data/`, { headers: { accept: 'text/html' } })).text()
    const paths = [...page.matchAll(/href="(\/[^"]*)"/g)].map(([, path = '']) => path)
    assert.ok(paths.length > 4)
    for (const path of paths.filter((one) => !one.endsWith('/status'))) {
      assert.equal((await fetch(url + path)).status, 200, path)
    }
    const { links } = (await (await fetch(`${url}/data/`)).json()) as { links: Record<string, string> } // A summary of ours.
    assert.equal((await fetch(links.health ?? '')).status, 200)
  })

  test(`the example ${name} answers with the code of the fault when no database serves`, async (t) => {
    const { url, holdfast } = await start(t, name)
    await holdfast.close({ withinMs: 100 })
    const answer = await fetch(`${url}/mean`)
    const problem = (await answer.json()) as Record<string, unknown> // A problem of ours.
    assert.deepEqual([answer.status, problem.code], [503, 'CLOSING'])
  })
}

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import { type ProcessOptions, repository, runProcess, startService } from '../../support/process.ts'
import { type Cleanup, makeTempDir } from '../../support/temp.ts'

before(async () => {
  const clean: Cleanup = { after: () => undefined }
  const built = await runProcess(clean, { cwd: repository, args: ['src/cli/build.js', '--stale'], withinMs: 60_000 })
  assert.equal(built.code, 0, built.stderr)
})

/** From the sources, and as `npm start` does it: from the build. */
const ways: readonly (readonly [string, string])[] = [
  ['the sources', 'src/main.ts'],
  ['the start command', 'src/cli/start.js'],
]

const addresses: readonly (readonly [string, Record<string, string>])[] = [
  ['primary; driver=notebook', { DATABASE_URL: 'notebook:notes.db' }],
  ['local; driver=notebook', { FALLBACK_DATABASE_URL: 'notebook:notes.db' }],
]

for (const [what, entry] of ways) {
  for (const [store, env] of addresses) {
    test(`a driver of somebody else, named by its path, serves as ${store} from ${what}`, async (t) => {
      const driver = await makeStranger(t)
      const options: ProcessOptions = {
        args: [join(repository, entry)],
        env: { DRIVERS: driver, ...env },
      }
      const service = await startService(t, options)
      const created = await service.send('POST', '/api/feedback', { rating: 4, comment: 'written by a stranger' })
      const body = await created.text()
      assert.equal(created.status, 201, body)
      assert.equal(created.headers.get('holdfast-store'), store)
      const { id }: { id: string } = JSON.parse(body)
      const read = await service.fetch(`/api/feedback/${id}`)
      assert.equal(read.status, 200)
      assert.equal(await read.text(), body)
      const list = (await (await service.fetch('/api/feedback')).json()) as { items: { id: string }[] } // A list of ours.
      assert.deepEqual(
        list.items.map((row) => row.id),
        [id],
      )
      assert.ok(existsSync(join(service.dir, 'data/notes.db')))
      assert.deepEqual(await service.end(), { code: 0, signal: null })
      const again = await startService(t, { ...options, cwd: service.dir })
      assert.equal((await again.fetch(`/api/feedback/${id}`)).status, 200, 'after a restart')
    })
  }
}

/** A folder outside of the repository, with nothing in it but the plugin and its packages. */
async function makeStranger(t: TestContext): Promise<string> {
  const folder = await makeTempDir(t, 'stranger')
  await cp(join(repository, 'config/examples/drivers/notebook'), join(folder, 'notebook'), { recursive: true })
  await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'))
  return join(folder, 'notebook', 'notebook.mjs')
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHoldfast } from '../../../src/index.ts'
import { collections, idOf, insert, never, Scene, update } from '../../journal/bench.ts'
import { onServers } from '../../journal/servers.ts'
import { cleanLater } from '../../support/temp.ts'

const token = 'a-token-of-32-characters-or-more'

onServers(
  'conflicts over HTTP',
  (server) => {
    test('are listed, shown and settled with the admin token', async (t) => {
      const scene = await Scene.make(t, server())
      const [fallback, primary] = [await scene.fallback(), await scene.primary()]
      await insert(fallback, 'a', 'one')
      await scene.replayer().carry(fallback, primary, 0, never)
      await scene.server.query("update everything set word = 'theirs'", scene.database)
      const first = await update(fallback, 'a', 'ours')
      const second = await update(fallback, 'a', 'ours too')
      await scene.replayer().carry(fallback, primary, 0, never)
      await fallback.close(1_000)
      const holdfast = createHoldfast({
        collections,
        settings: { admin: { token }, data: { dir: scene.dir }, database: { url: scene.server.url(scene.database) } },
      })
      cleanLater(t, () => holdfast.close({ withinMs: 1_000 }))
      const { url } = await holdfast.listen({ port: 0, host: '127.0.0.1' })
      const ask = async (
        path: string,
        method = 'GET',
        headers: Record<string, string> = { 'holdfast-token': token },
      ) => {
        const answer = await fetch(`${url}/admin/conflicts${path}`, { method, headers })
        const body = (await answer.json()) as Record<string, unknown> // Objects of ours.
        return { status: answer.status, body }
      }
      assert.equal((await ask('')).body.code, 'STORE_UNAVAILABLE')
      await holdfast.open()
      assert.equal((await ask('', 'GET', {})).status, 401)
      const { items } = (await ask('')).body as { items: { attempt: string; transaction: string }[] }
      assert.deepEqual(
        items.map(({ attempt }) => attempt),
        [first, second],
      )
      const rest = (await ask(`?after=${items[0]?.transaction}`)).body as { items: { attempt: string }[] }
      assert.deepEqual(
        rest.items.map(({ attempt }) => attempt),
        [second],
      )
      assert.equal((await ask('?after=nothing')).body.code, 'QUERY_INVALID')
      const { entries } = (await ask(`/${first}`)).body as { entries: { ours: { word: string } }[] }
      assert.equal(entries[0]?.ours.word, 'ours')
      const blocked = await ask(`/${second}/retry`, 'POST')
      assert.deepEqual([blocked.status, blocked.body.code], [409, 'CONFLICT'])
      assert.match(String(blocked.body.detail), new RegExp(`Settle ${first} first`))
      assert.equal((await ask(`/${first}/take/ours`, 'POST', {})).status, 401)
      assert.deepEqual((await ask(`/${first}/take/ours`, 'POST')).body, { is: 'settled', as: 'ours' })
      assert.deepEqual((await ask(`/${second}/retry`, 'POST')).body, { is: 'settled', as: 'retried' })
      assert.deepEqual(await scene.words(), { [idOf('a')]: 'ours too' })
      const settled = (await ask('?state=settled')).body as { items: { settledAs: string }[] }
      assert.deepEqual(
        [(await ask('')).body, settled.items.map((one) => one.settledAs)],
        [{ items: [] }, ['ours', 'retried']],
      )
      assert.equal((await ask('?state=nothing')).body.code, 'QUERY_INVALID')
      assert.equal((await ask('/nothing')).status, 404)
      assert.equal((await ask(`/${first}/take/both`, 'POST')).body.code, 'ROUTE_NOT_FOUND')
    })
  },
  'PostgreSQL',
)

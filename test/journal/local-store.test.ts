import assert from 'node:assert/strict'
import { copyFile } from 'node:fs/promises'
import { test } from 'node:test'
import { carryLocalRows } from '../../src/journal/local-store.ts'
import { idOf, imageTables, insert, never, type OpenPrimary, pathIn, Scene } from './bench.ts'
import { onServers } from './servers.ts'

type Local = Awaited<ReturnType<Scene['local']>>

async function carry(scene: Scene, local: Local, primary: OpenPrimary): Promise<void> {
  assert.deepEqual(await carryLocalRows(scene.replayer(), local.localRows, primary, imageTables, never), [])
}

onServers('rows of a store that was local', (server, kind) => {
  test('are in the primary once, also when they are carried again, from a copy, and after a delete there', async (t) => {
    const scene = await Scene.make(t, server())
    const local = await scene.local()
    await insert(local, 'a', 'one', { large: 5, real: 0.1, flag: 1, at: 1_700_000_000_123, meta: '{"a":1}' })
    await insert(local, 'b', 'two')
    await local.statements.write(
      'insert into plain (id, word, "createdAt", "updatedAt", version) values (?, ?, 1, 1, 1)',
      [idOf('p'), 'plain'],
    )
    await local.close(1_000)
    await copyFile(pathIn(scene, 'local.db'), pathIn(scene, 'copy.db'))
    const primary = await scene.primary()
    for (const sql of kind.audit) await scene.server.query(sql, scene.database)
    await carry(scene, await scene.local(), primary)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'one', [idOf('b')]: 'two' })
    assert.deepEqual(await scene.words('plain'), { [idOf('p')]: 'plain' })
    await scene.server.query(`delete from everything where id = '${idOf('b')}'`, scene.database)
    await carry(scene, await scene.local(), primary)
    await carry(scene, await scene.local('copy.db'), primary)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'one' })
    const inserted = await scene.server.query(`select * from audit where operation = 'insert'`, scene.database)
    assert.equal(inserted.length, 2)
    assert.deepEqual(await scene.reasons(), [])
  })

  test('are done where the primary has the same, and parked where it has something else', async (t) => {
    const scene = await Scene.make(t, server())
    const local = await scene.local()
    await insert(local, 'a', 'same', { meta: '{"a":1,"b":2}' })
    await insert(local, 'b', 'ours')
    const primary = await scene.primary()
    await carry(scene, local, primary)
    await scene.server.query(`delete from holdfast_attempt`, scene.database)
    await scene.server.query(`update everything set holdfast_attempt = null`, scene.database)
    await scene.server.query(`update everything set word = 'theirs' where id = '${idOf('b')}'`, scene.database)
    await carry(scene, local, primary)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'same', [idOf('b')]: 'theirs' })
    assert.deepEqual(await scene.reasons(), ['insert_exists'])
  })

  test('are no longer named as left once all of them were carried', async (t) => {
    const scene = await Scene.make(t, server())
    const local = await scene.local('fallback.db')
    await insert(local, 'a', 'a')
    await local.close(1_000)
    const before = await scene.fallback()
    assert.ok(before.facts.problems.some(({ code }) => code === 'ROWS_LOCAL'))
    await before.close(1_000)
    const again = await scene.local('fallback.db')
    const some = imageTables.filter(({ name }) => name !== 'everything')
    const left = await carryLocalRows(scene.replayer(), again.localRows, await scene.primary(), some, never)
    assert.deepEqual(left, ['everything'])
    await carry(scene, again, await scene.primary())
    await again.close(1_000)
    const after = await scene.fallback()
    assert.deepEqual(after.facts.problems, [])
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idOf, insert, never, type OpenFallback, type OpenPrimary, remove, Scene, together, update } from './bench.ts'
import { onServers } from './servers.ts'

const updateSql = 'update everything set word = ?, holdfast_attempt = ? where id = ?'

/** Rows a and b are known to both; the primary's were changed since. */
async function parted(scene: Scene): Promise<[OpenPrimary, OpenFallback]> {
  const [primary, fallback] = [await scene.primary(), await scene.fallback()]
  await insert(fallback, 'a', 'a')
  await insert(fallback, 'b', 'b')
  await scene.replayer().carry(fallback, primary, 0, never)
  await theirs(scene, 'a', 'their a')
  return [primary, fallback]
}

async function theirs(scene: Scene, letter: string, word: string): Promise<void> {
  await scene.server.query(`update everything set word = '${word}' where id = '${idOf(letter)}'`, scene.database)
}

onServers('conflicts', (server) => {
  test('are listed oldest first, and shown with base, ours and theirs', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = await parted(scene)
    const first = await update(fallback, 'a', 'our a')
    const second = await insert(fallback, 'c', 'their a')
    await scene.replayer().carry(fallback, primary, 0, never)
    const conflicts = scene.conflicts(primary)
    assert.equal(await conflicts.count(), 2)
    const list = await conflicts.list(10)
    assert.deepEqual(
      list.map(({ attempt, entries }) => [attempt, entries.map(({ reason }) => reason)]),
      [
        [first, ['update_differing']],
        [second, ['multiple_unique_conflicts']],
      ],
    )
    const [one] = await conflicts.list(1)
    assert.equal(one?.attempt, first)
    assert.deepEqual(
      (await conflicts.list(10, one.transaction)).map(({ attempt }) => attempt),
      [second],
    )
    const shown = await conflicts.show(first)
    assert.equal(shown?.source, fallback.journal.fileId)
    const [entry] = shown.entries
    assert.deepEqual(
      [entry?.old?.word, entry?.ours?.word, entry?.theirs?.word, entry?.base],
      ['a', 'our a', 'their a', entry?.old?.holdfast_attempt],
    )
    assert.equal(await conflicts.show('00000000-0000-7000-8000-000000000000'), null)
  })

  test('take ours writes it over theirs, and what was parked behind it can be retried', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = await parted(scene)
    const first = await update(fallback, 'a', 'our a')
    const second = await update(fallback, 'a', 'our later a')
    await scene.replayer().carry(fallback, primary, 0, never)
    const conflicts = scene.conflicts(primary)
    assert.deepEqual(await conflicts.take(second, 'ours'), { is: 'blocked', by: first })
    assert.deepEqual(await conflicts.retry(second), { is: 'blocked', by: first })
    assert.deepEqual(await conflicts.take(first, 'ours'), { is: 'settled', as: 'ours' })
    assert.equal((await scene.words())[idOf('a')], 'our a')
    assert.deepEqual(await conflicts.take(first, 'theirs'), { is: 'settled-before', as: 'ours' })
    assert.deepEqual(await conflicts.retry(second), { is: 'settled', as: 'retried' })
    assert.equal((await scene.words())[idOf('a')], 'our later a')
    assert.deepEqual(await conflicts.retry(second), { is: 'settled-before', as: 'retried' })
    assert.equal(await conflicts.count(), 0)
    assert.equal((await conflicts.show(second))?.settledAs, 'retried')
  })

  test('take theirs changes no row', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = await parted(scene)
    const attempt = await update(fallback, 'a', 'our a')
    await scene.replayer().carry(fallback, primary, 0, never)
    const conflicts = scene.conflicts(primary)
    assert.deepEqual(await conflicts.take(attempt, 'theirs'), { is: 'settled', as: 'theirs' })
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'their a', [idOf('b')]: 'b' })
    assert.deepEqual(await conflicts.take(attempt, 'ours'), { is: 'settled-before', as: 'theirs' })
  })

  test('a row that moved since it was shown is shown again first', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = await parted(scene)
    const attempt = await update(fallback, 'a', 'our a')
    await scene.replayer().carry(fallback, primary, 0, never)
    const conflicts = scene.conflicts(primary)
    await theirs(scene, 'a', 'moved')
    assert.deepEqual(await conflicts.take(attempt, 'ours'), { is: 'moved' })
    assert.deepEqual(await conflicts.take(attempt, 'theirs'), { is: 'moved' })
    assert.equal((await conflicts.show(attempt))?.entries[0]?.theirs?.word, 'moved')
    await scene.server.query(`delete from everything where id = '${idOf('a')}'`, scene.database)
    assert.deepEqual(await conflicts.take(attempt, 'ours'), { is: 'moved' })
    assert.equal((await conflicts.show(attempt))?.entries[0]?.theirs, null)
    assert.deepEqual(await conflicts.take(attempt, 'ours'), { is: 'settled', as: 'ours' })
    assert.equal((await scene.words())[idOf('a')], 'our a')
  })

  test('a retry that still conflicts says why now, and counts as shown', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = await parted(scene)
    const attempt = await update(fallback, 'a', 'our a')
    await scene.replayer().carry(fallback, primary, 0, never)
    await scene.server.query(`delete from everything where id = '${idOf('a')}'`, scene.database)
    const conflicts = scene.conflicts(primary)
    const outcome = await conflicts.retry(attempt)
    assert.ok(outcome.is === 'conflicting')
    assert.deepEqual(
      outcome.conflict.entries.map(({ reason, theirs: found }) => [reason, found]),
      [['update_missing', null]],
    )
    assert.deepEqual(await scene.reasons(), ['update_missing'])
    assert.deepEqual(await conflicts.take(attempt, 'theirs'), { is: 'settled', as: 'theirs' })
  })

  test('a transaction is settled whole, deletes and inserts included', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = await parted(scene)
    const attempt = await together(fallback, [
      [updateSql, ['our a', 'ATTEMPT', idOf('a')]],
      [updateSql, ['going', 'ATTEMPT', idOf('b')]],
      ['delete from everything where id = ?', [idOf('b')]],
      [
        `insert into everything (id, word, "createdAt", "updatedAt", version, holdfast_attempt) values (?, 'b', 1, 1, 1, ?)`,
        [idOf('c'), 'ATTEMPT'],
      ],
    ])
    await scene.replayer().carry(fallback, primary, 0, never)
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'their a', [idOf('b')]: 'b' })
    assert.deepEqual(await scene.conflicts(primary).take(attempt, 'ours'), { is: 'settled', as: 'ours' })
    assert.deepEqual(await scene.words(), { [idOf('a')]: 'our a', [idOf('c')]: 'b' })
  })

  test('what the primary refuses stays open', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = await parted(scene)
    const attempt = await insert(fallback, 'c', 'their a')
    await scene.replayer().carry(fallback, primary, 0, never)
    const conflicts = scene.conflicts(primary)
    const refused = await conflicts.take(attempt, 'ours')
    assert.ok(refused.is === 'refused' && refused.refusal === 'unique')
    assert.equal(await conflicts.count(), 1)
    await theirs(scene, 'a', 'free')
    assert.deepEqual(await conflicts.retry(attempt), { is: 'settled', as: 'retried' })
    assert.equal((await scene.words())[idOf('c')], 'their a')
  })

  test('a missing column is added, and the retry applies what waited for it', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = await parted(scene)
    await scene.server.query('alter table everything drop column flag', scene.database)
    const attempt = await insert(fallback, 'c', 'c', { flag: 1 })
    await scene.replayer().carry(fallback, primary, 0, never)
    const conflicts = scene.conflicts(primary)
    assert.equal((await conflicts.show(attempt))?.entries[0]?.ours?.flag, '1')
    const refused = await conflicts.retry(attempt)
    assert.ok(refused.is === 'refused' && refused.refusal === 'column-missing')
    await scene.server.query('alter table everything add column flag boolean', scene.database)
    assert.deepEqual(await conflicts.retry(attempt), { is: 'settled', as: 'retried' })
    assert.equal((await scene.words())[idOf('c')], 'c')
  })

  test('two that settle the same one at the same time: one of them does', async (t) => {
    const scene = await Scene.make(t, server())
    const [primary, fallback] = await parted(scene)
    const attempt = await remove(fallback, 'a')
    await scene.replayer().carry(fallback, primary, 0, never)
    const conflicts = scene.conflicts(primary)
    const outcomes = await Promise.all([conflicts.take(attempt, 'ours'), conflicts.take(attempt, 'theirs')])
    assert.deepEqual(outcomes.map(({ is }) => is).sort(), ['settled', 'settled-before'])
    const gone = outcomes[0]?.is === 'settled'
    assert.equal(idOf('a') in (await scene.words()), !gone)
  })
})

import assert from 'node:assert/strict'
import type { Value } from '../driver/facet/statements.ts'
import { type Bench, type BenchStore, Note, type NoteTables, note } from './bench.ts'
import { engineTest, rejection } from './connection.ts'

/** The engine's `setReadOnly`. */
export function conformReadOnly(bench: () => Bench): void {
  const test = engineTest(bench, 'setReadOnly')
  const isRefused = async (way: string, change: Promise<unknown>): Promise<void> => {
    assert.equal(bench().driver.classify(await rejection(change), 'commit').kind, 'read-only', way)
  }

  test('refuses every way to change something while it is read-only, and accepts changes again afterwards', async (store) => {
    const { engine, orm } = store
    await orm.em.fork().insert(Note, note('kept'))
    for (const round of ['first', 'second']) {
      engine.setReadOnly?.(orm, true)
      engine.setReadOnly?.(orm, true)
      for (const [way, change] of changes(store)) await isRefused(way, change())
      assert.deepEqual(await orm.em.fork().findAll(Note, { orderBy: { id: 'asc' }, where: { count: { $ne: 0 } } }), [])
      engine.setReadOnly?.(orm, false)
      await orm.em.fork().insert(Note, note(round))
    }
    assert.equal(await orm.em.fork().count(Note), 3)
  })

  test('reads while it is read-only, alone, in a transaction and as a stream', async (store) => {
    const { engine, orm } = store
    await orm.em.fork().insert(Note, note('a'))
    engine.setReadOnly?.(orm, true)
    assert.equal((await orm.em.fork().findOneOrFail(Note, 'a')).text, 'a')
    assert.equal(await orm.em.fork().transactional(async (em) => await em.count(Note)), 1)
    const seen: string[] = []
    for await (const row of orm.em.fork().stream(Note)) seen.push(row.id)
    assert.deepEqual(seen, ['a'])
    if (engine.statements === undefined) return
    const query = orm.em.getKysely<NoteTables>().selectFrom('conformance_note').select('id').compile()
    assert.equal((await store.statements().read(query.sql, [])).length, 1)
  })

  test('refuses what an open transaction would still change once it is read-only', async ({ engine, orm }) => {
    const half = orm.em.fork().transactional(async (em) => {
      await em.insert(Note, note('before'))
      engine.setReadOnly?.(orm, true)
      await em.insert(Note, note('after'))
    })
    await isRefused('inside', half)
    assert.equal(await orm.em.fork().count(Note), 0)
  })

  /** Each way that the core or an application has. */
  function changes(store: BenchStore): readonly (readonly [string, () => Promise<unknown>])[] {
    const { orm } = store
    const flush = async (): Promise<void> => {
      const em = orm.em.fork()
      em.create(Note, note('flushed'))
      await em.flush()
    }
    const native = (): Promise<unknown> => {
      const query = orm.em.getKysely<NoteTables>().insertInto('conformance_note').values(note('native')).compile()
      // The values are those of `note`: strings and a number.
      return store.statements().write(query.sql, query.parameters as readonly Value[])
    }
    return [
      ['insert', () => orm.em.fork().insert(Note, note('inserted'))],
      ['update', () => orm.em.fork().nativeUpdate(Note, { id: 'kept' }, { count: 1 })],
      ['delete', () => orm.em.fork().nativeDelete(Note, { id: 'kept' })],
      ['execute', () => orm.em.fork().execute("update conformance_note set count = 2 where id = 'kept'")],
      ['table', () => orm.em.fork().execute('create table conformance_other (id integer)')],
      ['flush', flush],
      ['transaction', () => orm.em.fork().transactional((em) => em.insert(Note, note('in a transaction')))],
      ...(store.engine.statements === undefined ? [] : [['native', native] as const]),
    ]
  }
}

import assert from 'node:assert/strict'
import type { SchemaLock } from '../driver/facet/schema-lock.ts'
import { type Bench, type BenchStore, limits, Note, note, openStore, slackMs, within } from './bench.ts'
import { engineTest, rejection, using } from './connection.ts'

/** The engine's `schemaLock`. */
export function conformSchemaLock(bench: () => Bench): void {
  const test = engineTest(bench, 'schemaLock')

  test('lets one holder change the schema at a time, across stores', async (one) => {
    await using(await openStore(bench(), { target: one.target, made: true }), async (two) => {
      let holders = 0
      const hold = (store: BenchStore, id: string): Promise<void> =>
        lockOf(store).hold(AbortSignal.timeout(4 * limits.queryMs), async (em) => {
          holders += 1
          assert.equal(holders, 1)
          await em.insert(Note, note(id))
          await new Promise((resolve) => setTimeout(resolve, 20))
          holders -= 1
        })
      const all = [hold(one, 'a'), hold(two, 'b'), hold(one, 'c'), hold(two, 'd')]
      await within(Promise.all(all), 4 * limits.queryMs + slackMs)
      assert.equal(await one.orm.em.fork().count(Note), 4)
    })
  })

  test('frees the schema lock when the change fails', async (store) => {
    const lock = lockOf(store)
    const failing = lock.hold(AbortSignal.timeout(limits.queryMs), async () => {
      throw new Error('on purpose')
    })
    await assert.rejects(failing, /on purpose/)
    const value = lock.hold(AbortSignal.timeout(limits.queryMs), async () => 'had')
    assert.equal(await within(value, limits.queryMs + slackMs), 'had')
  })

  test('stops waiting for the schema lock when its signal aborts', async (one) => {
    await using(await openStore(bench(), { target: one.target, made: true }), async (two) => {
      const held = Promise.withResolvers<void>()
      const free = Promise.withResolvers<void>()
      const first = lockOf(one).hold(AbortSignal.timeout(60_000), async () => {
        held.resolve()
        await free.promise
      })
      await held.promise
      for (const store of [one, two]) {
        const second = lockOf(store).hold(AbortSignal.timeout(100), async () => {})
        await within(rejection(second), 100 + slackMs)
      }
      free.resolve()
      await first
      const last = lockOf(two).hold(AbortSignal.timeout(limits.queryMs), async () => {})
      await within(last, limits.queryMs + slackMs)
    })
  })
}

function lockOf({ engine, orm }: BenchStore): SchemaLock {
  const lock = engine.schemaLock?.(orm)
  assert.ok(lock)
  return lock
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SchemaLock } from '../driver/driver.ts'
import { type Bench, limits, Note, note, openStore, slackMs, within } from './bench.ts'
import { rejection, using } from './connection.ts'

/** The facet `schemaLock`. */
export function conformSchemaLock(bench: () => Bench, skip: string | false): void {
  test('lets one holder change the schema at a time, across stores', { skip }, async () => {
    await using(await openStore(bench()), async (one) => {
      await using(await openStore(bench(), { target: one.target, made: true }), async (two) => {
        const lock = lockOf(bench())
        let holders = 0
        const hold = (orm: typeof one.orm, id: string): Promise<void> =>
          lock.hold(orm, AbortSignal.timeout(4 * limits.queryMs), async (em) => {
            holders += 1
            assert.equal(holders, 1)
            await em.insert(Note, note(id))
            await new Promise((resolve) => setTimeout(resolve, 20))
            holders -= 1
          })
        const all = [hold(one.orm, 'a'), hold(two.orm, 'b'), hold(one.orm, 'c'), hold(two.orm, 'd')]
        await within(Promise.all(all), 4 * limits.queryMs + slackMs)
        assert.equal(await one.orm.em.fork().count(Note), 4)
      })
    })
  })

  test('frees the schema lock when the change fails', { skip }, async () => {
    await using(await openStore(bench()), async ({ orm }) => {
      const lock = lockOf(bench())
      const failing = lock.hold(orm, AbortSignal.timeout(limits.queryMs), async () => {
        throw new Error('on purpose')
      })
      await assert.rejects(failing, /on purpose/)
      const value = lock.hold(orm, AbortSignal.timeout(limits.queryMs), async () => 'had')
      assert.equal(await within(value, limits.queryMs + slackMs), 'had')
    })
  })

  test('does not wait for the schema lock past its signal', { skip }, async () => {
    await using(await openStore(bench()), async (one) => {
      await using(await openStore(bench(), { target: one.target, made: true }), async (two) => {
        const lock = lockOf(bench())
        const held = Promise.withResolvers<void>()
        const free = Promise.withResolvers<void>()
        const first = lock.hold(one.orm, AbortSignal.timeout(60_000), async () => {
          held.resolve()
          await free.promise
        })
        await held.promise
        for (const orm of [one.orm, two.orm]) {
          const second = lock.hold(orm, AbortSignal.timeout(100), async () => {})
          await within(rejection(second), 100 + slackMs)
        }
        free.resolve()
        await first
        await within(
          lock.hold(two.orm, AbortSignal.timeout(limits.queryMs), async () => {}),
          limits.queryMs + slackMs,
        )
      })
    })
  })
}

function lockOf(bench: Bench): SchemaLock {
  const { schemaLock } = bench.driver
  if (schemaLock === undefined) throw new Error('The driver has no facet "schemaLock".')
  return schemaLock
}

import assert from 'node:assert/strict'
import { type Bench, type BenchStore, limits, Note, note, slackMs, within } from './bench.ts'
import { engineTest, rejection } from './connection.ts'

/** What is said of transactions that meet each other. */
export function conformCollisions(bench: () => Bench): void {
  const test = engineTest(bench, 'statements')

  test('says of a transaction that a deadlock has ended that it was undone, and commits the other', async (store, t) => {
    if (bench().driver.embedded !== undefined) return t.skip('an embedded database has one writer')
    await store.orm.em.fork().insertMany(Note, [note('a'), note('b')])
    const outcomes = await within(deadlocked(store), 2 * limits.queryMs + slackMs)
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
    assert.equal(failed.length, 1)
    const fault = bench().driver.classify(failed[0]?.reason, 'statement')
    assert.deepEqual([fault.kind, fault.undone, fault.ambiguous], ['transient', true, false])
    const counts = (await store.orm.em.fork().findAll(Note)).map(({ count }) => count)
    assert.equal(new Set(counts).size, 1, 'the changes of one transaction, and none of the other')
    const broken = await rejection(store.orm.em.fork().insert(Note, note('a')))
    assert.equal(bench().driver.classify(broken, 'commit').undone, undefined, 'a broken rule is met again')
  })
}

/** Two transactions that change the same two rows in opposite orders. */
async function deadlocked({ orm }: BenchStore): Promise<readonly PromiseSettledResult<void>[]> {
  const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const run = (ids: readonly [string, string], own: 0 | 1, other: 0 | 1): Promise<void> =>
    orm.em.fork().transactional(async (em) => {
      await em.nativeUpdate(Note, { id: ids[0] }, { count: own + 1 })
      both[own].resolve()
      await both[other].promise
      await em.nativeUpdate(Note, { id: ids[1] }, { count: own + 1 })
    })
  return await Promise.allSettled([run(['a', 'b'], 0, 1), run(['b', 'a'], 1, 0)])
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '../driver/driver.ts'
import type { Standing } from '../driver/facet/standing.ts'
import { type Bench, type BenchStore, limits, Note, note, openStore } from './bench.ts'
import { using } from './connection.ts'

/** What a server says of its place in a cluster. */
export function conformStanding(bench: () => Bench): void {
  test('says the same of its place on each connection, and whatever was committed lies before its position', async (t) => {
    await using(await openStore(bench()), async (store) => {
      const [one, other] = [await connectionTo(bench(), store), await connectionTo(bench(), store)]
      try {
        if (one.standing === undefined) return t.skip('the driver knows no clusters')
        const before = await standingOf(one)
        assert.equal(before.isWritable, true)
        assert.ok(before.members === null || (Number.isInteger(before.members) && before.members >= 1))
        await store.orm.em.fork().insert(Note, note('a'))
        for (const after of [await standingOf(one), await standingOf(other)]) {
          assert.deepEqual({ ...after, position: null }, { ...before, position: null })
          assert.equal(after.position === null, before.position === null)
          if (before.position !== null) assert.ok((after.position ?? 0n) > before.position, 'the position has moved on')
        }
        const facts = await one.verify({ role: 'primary', proof: 'open' }, AbortSignal.timeout(limits.connectMs))
        assert.deepEqual([facts.standing?.cluster, facts.standing?.server], [before.cluster, before.server])
        await assert.rejects(one.standing(AbortSignal.abort()))
      } finally {
        await one.close()
        await other.close()
      }
    })
  })
}

async function connectionTo({ driver }: Bench, { target }: BenchStore): Promise<Connection> {
  const [candidate] = await driver.connect(target, limits)
  if (candidate === undefined) throw new Error('The driver returned no candidate.')
  return await candidate.open(AbortSignal.timeout(limits.connectMs))
}

async function standingOf(connection: Connection): Promise<Standing> {
  const standing = await connection.standing?.(AbortSignal.timeout(limits.connectMs))
  assert.ok(standing !== undefined)
  return standing
}

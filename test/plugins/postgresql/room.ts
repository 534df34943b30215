import assert from 'node:assert/strict'
import type { PostgresqlTarget } from '../../../plugins/postgresql/address/target.ts'
import type { SafePool } from '../../../plugins/postgresql/client/pool.ts'
import driver from '../../../plugins/postgresql/postgresql.ts'
import { type Bench, type BenchStore, limits, Note, note, urlAddress } from '../../../src/conformance/bench.ts'
import type { Limits } from '../../../src/driver/driver.ts'
import type { Fault, Phase } from '../../../src/driver/fault.ts'
import type { ServerEngine } from '../../../src/driver/kit/server-engine.ts'
import { within } from '../../support/until.ts'

/** A pool of two, and little patience. */
export const short: Limits = { ...limits, connectMs: 2_000, queryMs: 400, poolSize: 2, poolMaxOverflow: 0 }

/** A usable address as its target. */
export function targetOf(bench: Bench, text: string): PostgresqlTarget {
  const { target, problems } = driver.parse(urlAddress(bench, text), bench.settings)
  assert.ok(target, problems[0]?.message)
  return target
}

/** Why the first host of an address cannot serve. */
export async function openingFault(bench: Bench, text: string, withinMs = 3_000): Promise<Fault> {
  const [candidate] = await driver.connect(targetOf(bench, text), short)
  assert.ok(candidate)
  return await faultOf(
    candidate.open(AbortSignal.timeout(withinMs)).then(async (connection) => {
      try {
        return await connection.verify({ role: 'primary', proof: 'write' }, AbortSignal.timeout(withinMs))
      } finally {
        connection.evict()
      }
    }),
    'open',
  )
}

/** Both slots of a pool of two run a query at once, twice: a leaked one would leave the second waiting. */
export async function assertWhole({ engine, orm }: Pick<BenchStore, 'engine' | 'orm'>): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    const rows = await within(
      Promise.all([1, 2].map(() => orm.em.fork().execute('select 1 as one, pg_sleep(0.05)'))),
      2_000,
      'a query on every slot',
    )
    assert.deepEqual(
      rows.flat().map(({ one }) => one),
      [1, 1],
    )
  }
  const { pool } = engine as ServerEngine<SafePool> // This driver's own.
  assert.ok(pool !== null && pool.size <= 2)
}

/** One row in a transaction of an EntityManager. */
export function insert(store: Pick<BenchStore, 'orm'>, id: string): Promise<unknown> {
  return store.orm.em.fork().transactional((em) => em.insert(Note, note(id)))
}

/** The fault that work ends with. */
export async function faultOf(work: Promise<unknown>, phase: Phase): Promise<Fault> {
  const outcome = await within(
    work.then(
      () => null,
      (error: unknown) => ({ error }),
    ),
    8_000,
    'the failing work',
  )
  assert.ok(outcome !== null, 'it did not fail')
  return driver.classify(outcome.error, phase)
}

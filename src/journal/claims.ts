import { sql } from 'kysely'
import { faultOf } from '../database/machine/faults.ts'
import type { Store } from '../database/store/store.ts'
import type { Attempts } from '../driver/facet/attempts.ts'
import { FaultError } from '../driver/fault.ts'
import { idOfTime } from '../driver/kit/draw-id.ts'
import { OwnStatements } from './own-rows.ts'

/** Claims that one step deletes. */
const stepMax = 5_000

/**
 * How far the clocks of the primary and of the services may be apart: claims are kept for so much longer than the watermark
 * says, because they have the primary's time, and local transactions that of a service.
 */
const skewS = 86_400

/**
 * Sets the watermark of a primary to that time, unless it is later already, and deletes the claims that it makes useless, in
 * steps. What was written on a fallback before and is not marked as carried is parked from now on, never applied. Resolves with
 * the number of deleted claims; rejects with a `FaultError`, or with the signal's reason.
 */
export async function pruneClaims(
  store: Store,
  attempts: Attempts,
  beforeMs: number,
  nowMs: number,
  signal: AbortSignal,
  progress: (deleted: number) => void = () => {},
): Promise<number> {
  const own = new OwnStatements(store)
  const watermark = idOfTime(beforeMs)
  try {
    // Committed before any claim goes: replay reads it after it has claimed.
    const change = own.builder
      .updateTable('holdfast_identity')
      .set({ watermark })
      .where((of) => of.or([of('watermark', 'is', null), of('watermark', '<', watermark)]))
    await own.write(change)
    const ageS = Math.ceil((nowMs - beforeMs) / 1_000) + skewS
    return await deleteOlder(own, attempts, ageS, signal, progress)
  } catch (error) {
    signal.throwIfAborted()
    throw new FaultError(faultOf(store.driver, error, 'statement'))
  }
}

/** The age by the primary's own clock, which made the times. */
async function deleteOlder(
  own: OwnStatements,
  attempts: Attempts,
  ageS: number,
  signal: AbortSignal,
  progress: (deleted: number) => void,
): Promise<number> {
  let deleted = 0
  for (let after = '00000000-0000-0000-0000-000000000000'; ; ) {
    signal.throwIfAborted()
    // By the key, since the times have no index.
    const step = own.builder
      .selectFrom('holdfast_attempt')
      .select([
        'id',
        sql<number>`case when made_at < current_timestamp - interval ${sql.lit(String(ageS))} second then 1 else 0 end`.as(
          'old',
        ),
      ])
      .where('id', '>', after)
      .orderBy('id')
      .limit(stepMax)
    const rows = await own.read(step)
    const last = rows.at(-1)
    if (last === undefined) return deleted
    after = String(last.id)
    const ids = rows.filter(({ old }) => Number(old) === 1).map(({ id }) => String(id))
    if (ids.length > 0) await attempts.forget(ids)
    deleted += ids.length
    progress(deleted)
  }
}

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Store } from '../../../src/database/store/store.ts'
import { idOfTime } from '../../../src/driver/kit/draw-id.ts'
import { type AcknowledgedWrite, AcknowledgedWrites } from '../../../src/journal/past/acknowledged-writes.ts'
import { type FindLastWrites, type LastWrite, missingWrites } from '../../../src/journal/past/missing-writes.ts'

/** A primary of which only the target counts. */
function primaryOf(id: string): Store {
  return { target: { id } } as unknown as Store // Nothing else of it is read.
}

const primary = primaryOf('one')

const everything = { sinceMs: Number.NEGATIVE_INFINITY, servedUntilMs: Number.POSITIVE_INFINITY }

/** Writes at times that the test says, whose attempts began 5 ms before. */
class Past {
  nowMs = 1_000_000
  readonly writes: AcknowledgedWrites = new AcknowledgedWrites(() => this.nowMs)
  /** What the primary has, by table and id. */
  readonly rows: Map<string, LastWrite> = new Map()
  readonly asked: number[] = []
  readonly find: FindLastWrites = async (table, ids) => {
    this.asked.push(ids.length)
    return new Map(
      ids.flatMap((id) => {
        const row = this.rows.get(`${table}/${id}`)
        return row === undefined ? [] : [[id, row]]
      }),
    )
  }

  /** `isThere`: the primary has it. */
  write(id: string, isThere: boolean, version = 1): void {
    const attempt = idOfTime(this.nowMs - 5)
    this.writes.wrote(primary, 'feedback', id, { holdfast_attempt: attempt, version })
    if (isThere) this.rows.set(`feedback/${id}`, { attempt, version })
    this.nowMs += 10
  }

  async missing(servedUntilMs = Number.POSITIVE_INFINITY): Promise<readonly string[]> {
    const missing = await missingWrites(this.writes.newestFirst('one'), this.find, { ...everything, servedUntilMs })
    return missing.map(({ id }) => id)
  }
}

describe('acknowledged writes that a primary lacks', () => {
  it('are those behind the last one that is there', async () => {
    const past = new Past()
    for (const id of ['a', 'b', 'c', 'd']) past.write(id, id < 'c')
    assert.deepEqual(await past.missing(), ['d', 'c'])
  })

  it('are none where the last one is there: what is absent before it was deleted by somebody else', async () => {
    const past = new Past()
    for (const id of ['a', 'b', 'c']) past.write(id, id !== 'a')
    assert.deepEqual(await past.missing(), [])
  })

  it('may have been acknowledged while the last one that is there was under way', async () => {
    const past = new Past()
    past.write('a', false)
    // Began before "a" was answered.
    past.nowMs -= 8
    past.write('b', true)
    assert.deepEqual(await past.missing(), ['a'])
  })

  it('show by an older version, or by the attempt of another write of the same version', async () => {
    const past = new Past()
    for (const id of ['older', 'other', 'later']) past.write(id, false, 3)
    past.rows.set('feedback/older', { attempt: 'x', version: 2 })
    past.rows.set('feedback/other', { attempt: 'x', version: 3 })
    past.rows.set('feedback/later', { attempt: 'x', version: 4 })
    assert.deepEqual(await past.missing(), ['other', 'older'])
  })

  it('are deletions, too', async () => {
    const past = new Past()
    past.write('a', true)
    past.write('b', true)
    past.nowMs += 10
    for (const id of ['a', 'b']) past.writes.removed(primary, 'feedback', id)
    past.rows.delete('feedback/a')
    assert.deepEqual(await past.missing(), ['b'])
  })

  it('are not hidden by a write that another server may have acknowledged', async () => {
    const past = new Past()
    past.write('a', true)
    past.write('b', false)
    const servedUntilMs = past.nowMs
    past.nowMs += 100
    past.write('c', true)
    assert.deepEqual(await past.missing(servedUntilMs), ['b'])
    assert.deepEqual(await past.missing(), [])
  })

  it('are looked for from the end, and no further than needed', async () => {
    const past = new Past()
    for (let at = 0; at < 1_000; at += 1) past.write(`row ${at}`, at < 900)
    const missing = await past.missing()
    assert.equal(missing.length, 100)
    assert.deepEqual(past.asked, [128])
    for (let at = 0; at < 1_000; at += 1) past.rows.delete(`feedback/row ${at}`)
    assert.equal((await past.missing()).length, 1_000)
  })

  it('are those that were acknowledged since a moment', async () => {
    const past = new Past()
    for (const id of ['a', 'b']) past.write(id, false)
    const span = { ...everything, sinceMs: 1_000_010 }
    const missing = await missingWrites(past.writes.newestFirst('one'), past.find, span)
    assert.deepEqual(
      missing.map(({ id }) => id),
      ['b'],
    )
  })

  it('are not sought in a table that cannot be read', async () => {
    const past = new Past()
    past.write('a', false)
    assert.deepEqual(await missingWrites(past.writes.newestFirst('one'), async () => null, everything), [])
  })
})

describe('what is remembered of acknowledged writes', () => {
  const ids = (writes: readonly AcknowledgedWrite[]): readonly string[] => writes.map(({ id }) => id)

  it('is the last write of each row, newest first, of one database', () => {
    const past = new Past()
    for (const id of ['a', 'b', 'a', 'c']) past.write(id, true)
    past.writes.wrote(primaryOf('other'), 'feedback', 'd', {})
    assert.deepEqual(ids(past.writes.newestFirst('one')), ['c', 'a', 'b'])
    assert.deepEqual(ids(past.writes.newestFirst('other')), ['d'])
    assert.equal(past.writes.newestFirst('one')[1]?.atMs, 1_000_020)
  })

  it('is of 10,000 writes at most', () => {
    const past = new Past()
    past.write('old', true)
    for (let at = 0; at < 10_000; at += 1) {
      past.writes.wrote(primary, 'feedback', `row ${at}`, {})
    }
    const many = ids(past.writes.newestFirst('one'))
    assert.deepEqual([many.length, many[0], many.at(-1)], [10_000, 'row 9999', 'row 0'])
  })

  it('is forgotten with what was reported, but not a later write of the same row', () => {
    const past = new Past()
    for (const id of ['a', 'b']) past.write(id, true)
    const reported = past.writes.newestFirst('one')
    past.write('a', true)
    past.writes.forget(reported)
    assert.deepEqual(ids(past.writes.newestFirst('one')), ['a'])
  })
})

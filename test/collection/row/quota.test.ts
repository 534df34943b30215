import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Quota, type RowReservation } from '../../../src/collection/row/quota.ts'
import { HoldfastError } from '../../../src/errors.ts'

/** A table that only knows how many rows it has. */
class Counter {
  rows: number
  counts = 0
  now = 0
  constructor(rows: number) {
    this.rows = rows
  }
  quota(maxRows: number): Quota {
    const count = async () => {
      this.counts++
      return this.rows
    }
    return new Quota(maxRows, count, () => this.now)
  }
  /** One create through the quota. */
  async create(quota: Quota): Promise<void> {
    const place = await quota.reserve()
    this.rows++
    place.settle(true)
  }
}

const full = (error: unknown) => error instanceof HoldfastError && error.code === 'COLLECTION_FULL'

describe('a quota', () => {
  it('lets in exactly as many rows as there may be, without counting each time', async () => {
    const table = new Counter(3)
    const quota = table.quota(10)
    for (let at = 0; at < 7; at++) await table.create(quota)
    await assert.rejects(quota.reserve(), full)
    assert.equal(table.rows, 10)
    assert.equal(table.counts, 1)
  })

  it('lets in exactly as many when they all come at once', async () => {
    const table = new Counter(5)
    const quota = table.quota(10)
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => table.create(quota)))
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 5)
    assert.equal(table.rows, 10)
  })

  it('sees near the limit, within a second, what another process has written', async () => {
    const table = new Counter(0)
    const [one, other] = [table.quota(10), table.quota(10)]
    for (let at = 0; at < 4; at++) await table.create(one)
    for (let at = 0; at < 4; at++) await table.create(other)
    table.now = 1_000
    await table.create(one)
    await table.create(other)
    assert.equal(table.rows, 10)
    table.now = 2_000
    await assert.rejects(one.reserve(), full)
    await assert.rejects(other.reserve(), full)
    assert.equal(table.counts, 6)
  })

  it('counts far from the limit only after many creates', async () => {
    const table = new Counter(0)
    const quota = table.quota(1_000_000)
    for (let at = 0; at < 900; at++) {
      await table.create(quota)
      table.now += 1_000
    }
    assert.equal(table.counts, 1)
  })

  it('gives a place back when the insert failed, to one who waited for it', async () => {
    const quota = new Counter(9).quota(10)
    const first = await quota.reserve()
    const second = quota.reserve()
    first.settle(false)
    first.settle(false)
    const place: RowReservation = await second
    const third = quota.reserve()
    place.settle(true)
    await assert.rejects(third, full)
  })

  it('has a place again at once when a row was removed through it', async () => {
    const table = new Counter(10)
    const quota = table.quota(10)
    await assert.rejects(quota.reserve(), full)
    const removed = quota.removing()
    table.rows--
    removed()
    await table.create(quota)
    assert.equal(table.counts, 1)
  })

  it('takes no row off twice that was removed while the rows were counted', async () => {
    const table = new Counter(10)
    const counting: (() => void)[] = []
    const quota = new Quota(
      10,
      async () => {
        await new Promise<void>((resolve) => counting.push(resolve))
        return table.rows
      },
      () => table.now,
    )
    const removals = [quota.removing()]
    const first = quota.reserve()
    removals.push(quota.removing())
    table.rows -= 2
    counting.shift()?.()
    const place = await first
    table.rows++
    place.settle(true)
    for (const removed of removals) removed()
    const second = await quota.reserve()
    table.rows++
    second.settle(true)
    await assert.rejects(quota.reserve(), full)
    assert.equal(table.rows, 10)
  })

  it('sees within a second what others removed, and counts a full table no more often', async () => {
    const table = new Counter(10)
    const quota = table.quota(10)
    await assert.rejects(quota.reserve(), full)
    table.rows = 4
    for (let at = 0; at < 100; at++) await assert.rejects(quota.reserve(), full)
    assert.equal(table.counts, 1)
    table.now = 1_000
    await table.create(quota)
    assert.equal(table.counts, 2)
  })

  it('counts again after a thousand creates, since others write too', async () => {
    const table = new Counter(0)
    const quota = table.quota(5_000)
    for (let at = 0; at < 1_000; at++) await table.create(quota)
    table.rows = 5_000
    await assert.rejects(quota.reserve(), full)
    assert.equal(table.counts, 2)
  })

  it('counts the less often the more places are free, since all creates wait for it', async () => {
    const table = new Counter(0)
    const quota = table.quota(1_000_000)
    for (let at = 0; at < 45_000; at++) await table.create(quota)
    assert.equal(table.counts, 1)
    for (let at = 0; at < 5_000; at++) await table.create(quota)
    assert.equal(table.counts, 2)
  })

  it('forgets a count that failed', async () => {
    let isBroken = true
    const quota = new Quota(
      10,
      async () => {
        if (isBroken) throw new Error('lost')
        return 0
      },
      () => 0,
    )
    await assert.rejects(quota.reserve(), /lost/)
    isBroken = false
    await quota.reserve()
  })
})

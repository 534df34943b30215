import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LateError, StatementTurns } from '../../../src/driver/kit/statement-turns.ts'
import { until } from '../../support/until.ts'

/** A busy machine may be late, a limit never early. */
const mostLateMs = 150

function assertDue(tookMs: number, limitMs: number): void {
  assert.ok(tookMs >= limitMs - 1 && tookMs < limitMs + mostLateMs, `after ${tookMs} ms, not ${limitMs}`)
}

describe('the limit of a connection', () => {
  test('what begins while the timer of an earlier one runs has its whole limit, and no more', async () => {
    const turns = new StatementTurns(200)
    const ended = (): void => assert.fail('it ended in time')
    turns.begin(ended)
    await new Promise((resolve) => setTimeout(resolve, 120))
    assert.equal(turns.end(ended), true)
    const begun = performance.now()
    const error = await new Promise((resolve) => turns.begin(resolve))
    assert.ok(error instanceof LateError)
    assertDue(performance.now() - begun, 200)
  })

  test('what ends late does not take the limit from what runs', async () => {
    const turns = new StatementTurns(30)
    let rings = 0
    const first = (): void => {
      rings += 1
      assert.equal(turns.end(first), true)
    }
    turns.begin(first)
    await until(() => rings === 1, { what: 'the first limit' })
    const second = Promise.withResolvers<unknown>()
    turns.begin(second.resolve)
    assert.equal(turns.end(first), false)
    await second.promise
    assert.equal(rings, 1)
  })

  test('of statements that were sent together, each has its limit from when it was sent', async () => {
    const turns = new StatementTurns(200)
    const first = (): void => assert.fail('it ended in time')
    const sent = performance.now()
    turns.begin(first)
    const second = new Promise((resolve) => turns.begin(resolve))
    const third = (): void => assert.fail('the one before it has not ended')
    turns.begin(third)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(turns.end(first), true)
    assert.ok((await second) instanceof LateError)
    assertDue(performance.now() - sent, 200)
    assert.equal(turns.end(third), true)
  })

  test('a statement with a limit of its own neither waits for a longer one nor shortens it', async () => {
    const turns = new StatementTurns(100)
    const patient = (): void => assert.fail('it ended in time')
    turns.begin(patient, 60_000)
    assert.equal(turns.end(patient), true)
    for (const limitMs of [100, 250]) {
      const begun = performance.now()
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const done = (): void => resolve(turns.end(done))
      turns.begin(done, limitMs)
      assert.equal(await promise, true)
      assertDue(performance.now() - begun, limitMs)
    }
  })

  test('nothing is called after the end of the statement', async () => {
    const turns = new StatementTurns(10)
    const done = (): void => assert.fail('it has ended')
    turns.begin(done)
    turns.end(done)
    await new Promise((resolve) => setTimeout(resolve, 30))
  })
})

describe('the turns on a connection', () => {
  test('come in the order of asking, one at a time', async () => {
    const turns = new StatementTurns(1_000)
    assert.equal(turns.take(), true)
    const order: number[] = []
    const waiting = [1, 2, 3].map((at) => turns.wait().then(() => order.push(at)))
    assert.equal(turns.take(), false)
    for (const [at, one] of waiting.entries()) {
      turns.pass()
      await one
      assert.equal(order.length, at + 1)
    }
    assert.deepEqual(order, [1, 2, 3])
    turns.pass()
    assert.equal(turns.isTaken, false)
  })

  test('a wait that is given up has its reason, and costs the others nothing', async () => {
    const turns = new StatementTurns(1_000)
    turns.take()
    const abort = new AbortController()
    const given = assert.rejects(turns.wait(abort.signal), /tired/)
    const kept = turns.wait()
    abort.abort(new Error('tired'))
    await given
    turns.pass()
    await kept
    abort.abort()
    assert.equal(turns.isTaken, true)
  })
})

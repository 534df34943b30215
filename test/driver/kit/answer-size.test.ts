import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerSize } from '../../../src/driver/kit/primary/answer-size.ts'

const megabyte = 1_024 * 1_024

/** A table whose row of that number has so many bytes; `asked` gets each number of rows that was measured. */
function measuring(bytesOf: (row: number) => number, from: number, asked: number[]) {
  return async (rows: number): Promise<number> => {
    asked.push(rows)
    let bytes = 0
    for (let row = from; row < from + rows; row += 1) bytes += bytesOf(row)
    return bytes
  }
}

test('answers with small rows grow to the limit that was asked for', async () => {
  const size = new AnswerSize()
  const asked: number[] = []
  const got: number[] = []
  for (let page = 0; page < 6; page += 1)
    got.push(
      await size.fit(
        't',
        5_000,
        measuring(() => 400, 0, asked),
      ),
    )
  assert.deepEqual(got, [64, 256, 1_024, 4_096, 5_000, 5_000])
  assert.deepEqual(asked, got)
  assert.equal(
    await size.fit(
      'another',
      5_000,
      measuring(() => 400, 0, asked),
    ),
    64,
  )
})

test('an answer with large rows among small ones is cut to about four megabytes', async () => {
  const size = new AnswerSize()
  const bytesOf = (row: number): number => (row < 20_000 ? 400 : megabyte)
  let most = 0
  for (let from = 0; from < 20_100; ) {
    const rows = await size.fit('t', 5_000, measuring(bytesOf, from, []))
    assert.ok(rows >= 1)
    most = Math.max(most, await measuring(bytesOf, from, [])(rows))
    from += rows
  }
  assert.ok(most <= 4 * megabyte)
})

test('a row above the limit is an answer of its own', async () => {
  const size = new AnswerSize()
  for (let round = 0; round < 3; round += 1) {
    assert.equal(
      await size.fit(
        't',
        5_000,
        measuring(() => 100 * megabyte, 0, []),
      ),
      1,
    )
  }
})

test('a measurement that fails is not repeated with as many rows', async () => {
  const size = new AnswerSize()
  const asked: number[] = []
  const failing = async (rows: number): Promise<number> => {
    asked.push(rows)
    throw new Error('on purpose')
  }
  for (let round = 0; round < 4; round += 1) await assert.rejects(size.fit('t', 5_000, failing), /on purpose/)
  assert.deepEqual(asked, [64, 8, 1, 1])
})

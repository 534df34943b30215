import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadCache } from '../../../src/collection/row/read-cache.ts'

test('what was read is kept for its generation, and for no other', () => {
  const cache = new ReadCache<string>(10_000)
  cache.set(1, 'a', 'one', 3)
  assert.equal(cache.get(1, 'a'), 'one')
  assert.equal(cache.get(2, 'a'), undefined)
  cache.set(2, 'b', 'two', 3)
  assert.equal(cache.get(1, 'a'), undefined)
  assert.equal(cache.get(2, 'a'), undefined)
  assert.equal(cache.get(2, 'b'), 'two')
})

test('nothing is kept where the generation is not known', () => {
  const cache = new ReadCache<string>(10_000)
  cache.set(null, 'a', 'one', 3)
  assert.equal(cache.get(null, 'a'), undefined)
  cache.set(1, 'a', 'one', 3)
  assert.equal(cache.get(null, 'a'), undefined)
})

test('a read that began before a change is not kept after it', () => {
  const cache = new ReadCache<string>(10_000)
  cache.set(2, 'b', 'new', 3)
  cache.set(1, 'a', 'old', 3)
  assert.equal(cache.get(2, 'a'), undefined)
  assert.equal(cache.get(1, 'a'), undefined)
  assert.equal(cache.get(2, 'b'), 'new')
})

test('memory is bounded, whatever is read', () => {
  const cache = new ReadCache<string>(10_000)
  let kept = 0
  for (let at = 0; at < 1_000; at += 1) cache.set(1, `row ${at}`, 'x', 300)
  for (let at = 0; at < 1_000; at += 1) kept += cache.get(1, `row ${at}`) === undefined ? 0 : 1
  assert.ok(kept >= 1 && kept * 800 <= 10_000, `${kept} are kept`)
  cache.set(1, 'long', 'x', 100_000)
  assert.equal(cache.get(1, 'long'), undefined)
  const none = new ReadCache<string>(0)
  none.set(1, 'a', 'x', 1)
  none.set(1, 'b', 'x', 1)
  assert.equal(none.get(1, 'a'), undefined)
  assert.equal(none.get(1, 'b'), undefined)
  const small = new ReadCache<string>(10_000)
  small.set(1, 'long', 'x', 50_000)
  assert.equal(small.get(1, 'long'), undefined)
})

test('the same key again takes no more memory', () => {
  const cache = new ReadCache<string>(10_000)
  cache.set(1, 'first', 'x', 300)
  for (let at = 0; at < 1_000; at += 1) cache.set(1, 'again', 'x', 300)
  assert.equal(cache.get(1, 'first'), 'x')
})

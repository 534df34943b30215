import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinkedList, type ListNode } from '../../../src/database/work/linked-list.ts'
import fc from '../../support/property.ts'

test('a list holds what a set would hold, in insertion order, whatever is added and removed', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 }), { maxLength: 200 }), (moves) => {
      const list = new LinkedList<number>()
      const set = new Set<number>()
      const nodes = new Map<number, ListNode<number>>()
      for (const [at, move] of moves.entries()) {
        const node = nodes.get(move)
        if (node === undefined || move % 3 === 0) {
          nodes.set(at + 100, list.add(at + 100))
          set.add(at + 100)
        }
        const some = [...nodes.values()][move]
        if (some !== undefined) assert.equal(list.remove(some), set.delete(some.item))
        assert.deepEqual([...list], [...set])
        assert.equal(list.size, set.size)
      }
    }),
  )
})

test('the current item may be removed during an iteration', () => {
  const list = new LinkedList<string>()
  const nodes = new Map(['a', 'b', 'c'].map((name) => [name, list.add(name)]))
  const seen: string[] = []
  for (const name of list) {
    seen.push(name)
    const node = nodes.get(name)
    if (node !== undefined) assert.ok(list.remove(node))
  }
  assert.deepEqual(seen, ['a', 'b', 'c'])
  assert.equal(list.size, 0)
  assert.deepEqual([...list], [])
  const late = list.add('d')
  list.clear()
  assert.equal(list.remove(late), false)
  assert.equal(list.size, 0)
})

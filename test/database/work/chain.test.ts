import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Chain, type Place } from '../../../src/database/work/chain.ts'

test('a chain holds what a set would hold, in its order, whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 }), { maxLength: 200 }), (moves) => {
      const chain = new Chain<number>()
      const set = new Set<number>()
      const places = new Map<number, Place<number>>()
      for (const [at, move] of moves.entries()) {
        const place = places.get(move)
        if (place === undefined || move % 3 === 0) {
          places.set(at + 100, chain.add(at + 100))
          set.add(at + 100)
        }
        const some = [...places.values()][move]
        if (some !== undefined) assert.equal(chain.remove(some), set.delete(some.item))
        assert.deepEqual([...chain], [...set])
        assert.equal(chain.size, set.size)
      }
    }),
  )
})

test('what a chain gives may be taken out while it is gone through', () => {
  const chain = new Chain<string>()
  const places = new Map(['a', 'b', 'c'].map((name) => [name, chain.add(name)]))
  const seen: string[] = []
  for (const name of chain) {
    seen.push(name)
    const place = places.get(name)
    if (place !== undefined) assert.ok(chain.remove(place))
  }
  assert.deepEqual(seen, ['a', 'b', 'c'])
  assert.equal(chain.size, 0)
  assert.deepEqual([...chain], [])
  const late = chain.add('d')
  chain.clear()
  assert.equal(chain.remove(late), false)
  assert.equal(chain.size, 0)
})

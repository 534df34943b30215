import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tempFolder } from './bench.ts'
import { digestOf, fed, here, noteCopied, notesOf, openCopy } from './copy-store.ts'
import { entriesOf } from './journal-store.ts'

test('applies rows and removals with their marks, and journals nothing of it', async (t) => {
  const store = await openCopy(t, await tempFolder(t))
  const { copy } = store
  assert.deepEqual(copy.source(), here)
  const rows = Array.from({ length: 50 }, (_, index) => fed(`n-${index + 10}`, `words ${index}`, `v${index}`))
  const outcome = await copy.apply(noteCopied, { rows, removed: [] })
  assert.deepEqual(outcome, { written: 50, removed: 0, waiting: 0, refused: [] })
  assert.deepEqual(copy.digest('note', null, null), digestOf(rows))
  assert.deepEqual(copy.digest('note', 'n-10', 'n-20'), digestOf(rows.slice(1, 11)))
  assert.deepEqual(
    [...copy.versions('note', 'n-57', null)],
    [
      ['n-58', 'v48'],
      ['n-59', 'v49'],
    ],
  )
  const changed = fed('n-10', 'changed', 'v100')
  const second = await copy.apply(noteCopied, { rows: [changed], removed: ['n-11', 'n-99'] })
  assert.deepEqual(second, { written: 1, removed: 1, waiting: 0, refused: [] })
  assert.deepEqual(copy.digest('note', null, null), digestOf([changed, ...rows.slice(2)]))
  assert.deepEqual((await notesOf(store)).slice(0, 2), ['n-10 changed', 'n-12 words 2'])
  assert.deepEqual(await entriesOf(store), [])
  assert.equal(copy.state('note')?.rows, 49)
})

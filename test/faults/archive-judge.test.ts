import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArchiveJudge, type LookOptions, type ReadRow } from './history/archive-judge.ts'
import type { WriteRecord } from './history/history.ts'

let tokens = 0

function write(fields: Partial<WriteRecord> = {}): WriteRecord {
  tokens += 1
  const beganMs = tokens * 1_000
  return {
    ...{
      token: `t${tokens}`,
      client: 's1',
      operation: 'create',
      rows: 1,
      ids: [`id${tokens}`],
      base: null,
      seen: null,
    },
    ...{ attempt: null, ending: 'acknowledged', side: 'local', durability: 'local-ephemeral', lagS: null, said: '201' },
    ...{ beganMs, endedMs: beganMs + 10 },
    ...fields,
  }
}

function shown(...writes: readonly WriteRecord[]): readonly ReadRow[] {
  return writes.flatMap(({ ids, token }) => ids.map((id) => ({ id, token })))
}

function wrongs(
  writes: readonly WriteRecord[],
  rows: readonly ReadRow[],
  options: LookOptions = { isRestored: true },
  judge = new ArchiveJudge(),
): readonly string[] {
  return judge.look(writes, rows, options).map(({ wrong }) => wrong)
}

test('what said archived has to be there, the last rows of the others need not', () => {
  const [first, second] = [write(), write()]
  assert.deepEqual(wrongs([first, second], shown(first)), [])
  assert.deepEqual(wrongs([first, { ...second, durability: 'archived' }], shown(first)), ['lost'])
})

test('nothing may be missing that came before what is there', () => {
  const [first, second, third] = [write(), write(), write()]
  assert.deepEqual(wrongs([first, second, third], shown(first, third)), ['hole'])
})

test('two at the same time may come in any order', () => {
  const first = write()
  const second = write({ beganMs: first.beganMs + 5 })
  assert.deepEqual(wrongs([first, second], shown(second)), [])
})

test('what was answered before the lag that an answer named is there', () => {
  const [first, second, third] = [write(), write(), write({ lagS: 1.5 })]
  assert.deepEqual(wrongs([first, second, third], shown(first)), [])
  assert.deepEqual(wrongs([first, second, { ...third, lagS: 0.8 }], shown(first)), ['older than the lag'])
})

test('a file that was not emptied has all that was acknowledged', () => {
  const [first, second] = [write(), write({ ending: 'unknown' })]
  assert.deepEqual(wrongs([first, second], [], { isRestored: false }), ['lost'])
  assert.deepEqual(wrongs([first, second], shown(first), { isRestored: false }), [])
})

test('what was shipped at the end is all there', () => {
  const [first, second] = [write(), write()]
  assert.deepEqual(wrongs([first, second], shown(first), { isRestored: true, isShipped: true }), ['lost'])
})

test('a row shows its last change, and each one before it', () => {
  const create = write()
  const change = write({ operation: 'change', ids: create.ids, durability: 'archived' })
  const later = write({ operation: 'change', ids: create.ids })
  assert.deepEqual(wrongs([create, change, later], [{ id: create.ids[0] ?? '', token: later.token }]), [])
  assert.deepEqual(wrongs([create, change, later], [{ id: create.ids[0] ?? '', token: change.token }]), [])
  assert.deepEqual(wrongs([create, change, later], shown(create)), ['lost'])
})

test('a removal that said archived is not undone', () => {
  const create = write()
  const remove = write({ operation: 'remove', ids: create.ids, durability: 'archived' })
  assert.deepEqual(wrongs([create, remove], []), [])
  assert.deepEqual(wrongs([create, remove], shown(create)), ['lost'])
})

test('a row that was removed comes back only with a disk that was lost before its removal was archived', () => {
  const create = write()
  const remove = write({ operation: 'remove', ids: create.ids, ending: 'unknown' })
  const kept = new ArchiveJudge()
  assert.deepEqual(wrongs([create, remove], [], { isRestored: false }, kept), [])
  assert.deepEqual(wrongs([create, remove], shown(create), { isRestored: true }, kept), [])
  const restored = new ArchiveJudge()
  assert.deepEqual(wrongs([create, remove], [], { isRestored: true }, restored), [])
  assert.deepEqual(wrongs([create, remove], shown(create), { isRestored: true }, restored), ['came back'])
})

test('a refused write is not there, and neither is one that nobody sent', () => {
  const refused = write({ ending: 'refused' })
  assert.deepEqual(wrongs([refused], shown(refused)), ['refused and there'])
  assert.deepEqual(wrongs([], [{ id: 'a', token: 'b' }]), ['unheard of'])
})

test('a transaction is there whole or not at all', () => {
  const transaction = write({ operation: 'transaction', rows: 2, ids: ['a', 'b'], ending: 'unknown' })
  assert.deepEqual(wrongs([transaction], shown(transaction)), [])
  assert.deepEqual(wrongs([transaction], shown({ ...transaction, ids: ['a'] })), ['half'])
  assert.deepEqual(wrongs([{ ...transaction, ids: [] }], shown({ ...transaction, ids: ['a'] })), ['half'])
})

test('what was gone after a restore stays gone, and what was restored stays', () => {
  const [first, second] = [write({ lagS: 0.1 }), write({ lagS: 0.1 })]
  const judge = new ArchiveJudge()
  assert.deepEqual(wrongs([first, second], shown(first), { isRestored: true }, judge), [])
  assert.deepEqual(wrongs([first, second], shown(first, second), { isRestored: true }, judge), ['came back'])
  assert.deepEqual(wrongs([first, second], [], { isRestored: true }, judge), ['lost'])
})

test('what was answered before there was a snapshot may come back with one that arrives late', () => {
  const early = write()
  const judge = new ArchiveJudge()
  assert.deepEqual(wrongs([early], [], { isRestored: true }, judge), [])
  assert.deepEqual(wrongs([early], shown(early), { isRestored: true }, judge), [])
})

test('after a restore the rows that are gone are no hole', () => {
  const [first, second] = [write(), write()]
  const judge = new ArchiveJudge()
  judge.look([first, second], shown(first), { isRestored: true })
  const third = write()
  assert.deepEqual(wrongs([first, second, third], shown(first, third), { isRestored: true }, judge), [])
})

test('a process that was replaced may lose what it answered later, but for what said archived', () => {
  const [first, late] = [write(), write()]
  const other = write({ client: 's2' })
  const options = { isRestored: true, replaced: new Map([['s1', late.beganMs]]) }
  assert.deepEqual(wrongs([first, late, other], shown(first, other), options), [])
  assert.deepEqual(wrongs([first, { ...late, durability: 'archived' }, other], shown(first, other), options), ['lost'])
})

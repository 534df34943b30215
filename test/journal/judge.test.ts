import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Image } from '../../src/driver/facet/image.ts'
import type { Entry } from '../../src/driver/facet/journal.ts'
import type { Replay } from '../../src/driver/facet/replay.ts'
import { judge, tablesByName, type Verdict, type Write } from '../../src/journal/judge.ts'
import { transactionBatches, transactionsOf } from '../../src/journal/local-transaction.ts'
import { CountOff, writeLayers } from '../../src/journal/order/layers.ts'
import fc from '../support/property.ts'
import { histories, notes, others, Rows } from './history.ts'

const tables = tablesByName([notes, others])

/** The model: applies a write where the row is exactly what it was on the fallback. */
function apply(rows: Rows, { entry, image }: Write): void {
  const found = rows.get(entry.table, entry.key)
  assert.deepEqual(found, entry.old, 'laid over something else than what was seen on the fallback')
  rows.set(entry.table, entry.key, image)
}

/** The rule, entry by entry, on rows that are given back unless the whole transaction fits. */
function model(rows: Rows, transactions: ReturnType<typeof transactionsOf>): boolean[] {
  return transactions.map(({ entries }) => {
    const before = rows.copy()
    const fits = entries.every((entry) => {
      const found = rows.get(entry.table, entry.key)
      if (JSON.stringify(found) !== JSON.stringify(entry.old)) return false
      rows.set(entry.table, entry.key, entry.new)
      return true
    })
    if (!fits) {
      rows.byId.clear()
      for (const [id, image] of before.byId) rows.byId.set(id, image)
    }
    return fits
  })
}

const writesOf = (verdicts: readonly Verdict[]): Write[] =>
  verdicts.flatMap((verdict) => (verdict.is === 'applied' ? verdict.writes : []))

test('a transaction is applied whole where each row is what it was on the fallback, and parked whole elsewhere', () => {
  fc.assert(
    fc.property(histories, ({ primary, entries }) => {
      const transactions = transactionsOf(entries)
      const verdicts = judge(transactions, primary, tables)
      const expected = primary.copy()
      assert.deepEqual(
        verdicts.map(({ is }) => is === 'applied'),
        model(expected, transactions),
      )
      const rows = primary.copy()
      for (const write of writesOf(verdicts)) apply(rows, write)
      assert.deepEqual(rows.shown(), expected.shown())
      for (const verdict of verdicts) {
        if (verdict.is === 'applied') continue
        assert.equal(verdict.parked.length, verdict.transaction.entries.length)
        assert.ok(verdict.parked.some(({ reason }) => reason !== 'with_transaction'))
      }
    }),
  )
})

test('a journal is carried wholly where nobody else changed its rows, and the primary ends as the fallback', () => {
  fc.assert(
    fc.property(histories, ({ primary, fallback, entries, isAlone }) => {
      fc.pre(isAlone)
      const verdicts = judge(transactionsOf(entries), primary, tables)
      assert.ok(verdicts.every(({ is }) => is === 'applied'))
      const rows = primary.copy()
      for (const write of writesOf(verdicts)) apply(rows, write)
      assert.deepEqual(rows.shown(), fallback.shown())
    }),
  )
})

test('batches of any size give the same verdicts', () => {
  fc.assert(
    fc.property(histories, fc.integer({ min: 1, max: 5 }), ({ primary, entries }, size) => {
      const transactions = transactionsOf(entries)
      const whole = judge(transactions, primary, tables).map(({ is }) => is)
      const rows = primary.copy()
      const parts = transactionBatches(transactions, { entries: size, weight: 1_000_000 }).flatMap((batch) => {
        const verdicts = judge(batch, rows, tables)
        for (const write of writesOf(verdicts)) apply(rows, write)
        return verdicts.map(({ is }) => is)
      })
      assert.deepEqual(parts, whole)
    }),
  )
})

test('bulk writes by layers end like writes one by one, each with its guard, and each row is written as often', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async ({ primary, entries }) => {
      const writes = writesOf(judge(transactionsOf(entries), primary, tables))
      const expected = primary.copy()
      for (const write of writes) apply(expected, write)
      const { replay, rows, seen } = guarded(primary.copy())
      await writeLayers(replay, writes, tables)
      assert.deepEqual(rows.shown(), expected.shown())
      const attempts = (list: readonly string[]): readonly string[] => [...list].sort()
      assert.deepEqual(
        attempts(seen),
        attempts(writes.map(({ entry, image }) => `${entry.table}/${entry.key} ${image?.holdfast_attempt ?? 'gone'}`)),
      )
    }),
  )
})

/** A primary in memory, whose writes change only what the guard names. */
function guarded(rows: Rows) {
  const seen: string[] = []
  const write = (table: string, key: string, image: Image | null): 1 => {
    seen.push(`${table}/${key} ${image?.holdfast_attempt ?? 'gone'}`)
    rows.set(table, key, image)
    return 1
  }
  const isBase = (table: string, key: string, base: string | null): boolean => {
    const found = rows.get(table, key)
    return found !== null && (found.holdfast_attempt ?? null) === base
  }
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
  const replay: Replay = {
    claim: async () => new Set(),
    lock: async () => new Map(),
    insert: async ({ name }, images) =>
      sum(images.map((image) => (rows.get(name, image.id ?? '') === null ? write(name, image.id ?? '', image) : 0))),
    update: async ({ name }, list) =>
      sum(list.map(({ image, base }) => (isBase(name, image.id ?? '', base) ? write(name, image.id ?? '', image) : 0))),
    remove: async ({ name }, list) =>
      sum(list.map(({ id, base }) => (isBase(name, id, base) ? write(name, id, null) : 0))),
    refusalOf: () => null,
  }
  return { replay, rows, seen }
}

test('a count that is off is an error', async () => {
  const { replay } = guarded(new Rows())
  const removal = entry({ operation: 'delete', old: row('x') })
  const write: Write = { entry: removal, operation: 'delete', base: removal.base, image: null }
  await assert.rejects(writeLayers(replay, [write], tables), CountOff)
})

const row = (word: string, attempt: string | null = 'base'): Image => ({
  id: 'a',
  word,
  real: '0.5',
  meta: '{"a":1,"b":[1,2]}',
  holdfast_attempt: attempt,
})

function entry(given: Partial<Entry>): Entry {
  const { old = null, operation = 'insert' } = given
  return {
    sequence: 1,
    transaction: 't',
    attempt: 'own',
    table: 'notes',
    key: 'a',
    operation,
    base: old?.holdfast_attempt ?? null,
    old,
    new: operation === 'delete' ? null : row('ours', 'own'),
    ...given,
  }
}

function reasonsOf(found: Image | null, ...entries: Entry[]): readonly (string | null)[] {
  const rows = new Rows()
  rows.set('notes', 'a', found)
  return judge(transactionsOf(entries), rows, tables).flatMap((verdict) =>
    verdict.is === 'applied'
      ? verdict.transaction.entries.map(() => null)
      : verdict.parked.map(({ reason }) => reason as string),
  )
}

test('each reason has its name', () => {
  const update = entry({ operation: 'update', old: row('x') })
  const remove = entry({ operation: 'delete', old: row('x') })
  assert.deepEqual(reasonsOf(row('theirs', 'other'), entry({})), ['insert_exists'])
  assert.deepEqual(reasonsOf(row('x', 'other'), update), ['update_differing'])
  assert.deepEqual(reasonsOf(null, update), ['update_missing'])
  assert.deepEqual(reasonsOf(row('x', 'other'), remove), ['delete_recently_updated'])
  assert.deepEqual(reasonsOf(null, remove), ['delete_missing'])
  assert.deepEqual(reasonsOf(null, entry({ table: 'gone' })), ['target_table_missing'])
  assert.deepEqual(reasonsOf(null, entry({ new: { ...row('ours'), more: '1' } })), ['target_column_missing'])
  // Nothing is lost with a NULL.
  assert.deepEqual(reasonsOf(null, entry({ new: { ...row('ours'), more: null } })), [null])
})

test('a change without an attempt is seen by the image', () => {
  assert.deepEqual(reasonsOf(row('by hand'), entry({ operation: 'update', old: row('x') })), ['update_differing'])
  assert.deepEqual(reasonsOf(row('by hand'), entry({ operation: 'delete', old: row('x') })), [
    'delete_recently_updated',
  ])
})

test('a row that names no attempt is a base like any other', () => {
  assert.deepEqual(reasonsOf(row('x', null), entry({ operation: 'update', old: row('x', null) })), [null])
  assert.deepEqual(reasonsOf(row('x', 'other'), entry({ operation: 'update', old: row('x', null) })), [
    'update_differing',
  ])
})

test('the forms in which databases write a value are compared by what they mean', () => {
  const found: Image = { ...row('x'), real: '5e-1', meta: '{"b": [1.0, 2], "a": 1}' }
  assert.deepEqual(reasonsOf(found, entry({ operation: 'update', old: row('x') })), [null])
  assert.deepEqual(reasonsOf({ ...found, meta: '{"a":1,"b":[2,1]}' }, entry({ operation: 'update', old: row('x') })), [
    'update_differing',
  ])
  assert.deepEqual(reasonsOf({ ...found, real: '0.51' }, entry({ operation: 'update', old: row('x') })), [
    'update_differing',
  ])
  assert.deepEqual(reasonsOf({ ...found, word: null }, entry({ operation: 'update', old: row('x') })), [
    'update_differing',
  ])
})

test('an insert whose own attempt is there is done, and so is what the transaction did to the row afterwards', () => {
  const first = entry({})
  const second = entry({ operation: 'update', old: row('ours', 'own'), new: row('later', 'own') })
  assert.deepEqual(reasonsOf(row('later', 'own'), first, second), [null, null])
  const rows = new Rows()
  rows.set('notes', 'a', row('later', 'own'))
  assert.deepEqual(writesOf(judge(transactionsOf([first, second]), rows, tables)), [])
})

test('what builds on a parked transaction does not find its base', () => {
  const first = entry({ operation: 'update', old: row('x') })
  const second = { ...first, transaction: 'u', attempt: 'next', base: 'own', old: row('ours', 'own') }
  assert.deepEqual(reasonsOf(row('theirs', 'other'), first, second), ['update_differing', 'update_differing'])
})

test('a column that was added meanwhile keeps what others wrote into it', () => {
  const more = { ...notes, columns: [...notes.columns, { name: 'more', kind: 'text' } as const] }
  const rows = new Rows()
  rows.set('notes', 'a', { ...row('x'), more: 'theirs' })
  const first = entry({ operation: 'update', old: row('x') })
  const second = entry({
    transaction: 'u',
    operation: 'update',
    attempt: 'next',
    old: { ...row('ours', 'own'), more: null },
    new: { ...row('later', 'next'), more: 'ours' },
  })
  const verdicts = judge(transactionsOf([first, second]), rows, tablesByName([more]))
  assert.deepEqual(
    verdicts.map(({ is }) => is),
    ['applied', 'parked'],
  )
})

test('rows of a store that was local are done where the primary has the same content', () => {
  const rows = new Rows()
  rows.set('notes', 'a', { ...row('ours', 'another'), meta: '{"b":[1,2],"a":1}' })
  const options = { acceptsEqualRows: true }
  const [same] = judge(transactionsOf([entry({})]), rows, tables, options)
  assert.ok(same?.is === 'applied' && same.writes.length === 0)
  const [other] = judge(transactionsOf([entry({ new: row('differs', 'own') })]), rows, tables, options)
  assert.ok(other?.is === 'parked' && other.parked[0]?.reason === 'insert_exists')
})

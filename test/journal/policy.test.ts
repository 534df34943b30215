import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Image } from '../../src/driver/facet/image.ts'
import type { Entry } from '../../src/driver/facet/journal.ts'
import { type CarriedTable, judge, tablesByName, type Verdict } from '../../src/journal/judge.ts'
import { type LocalTransaction, transactionBatches, transactionsOf } from '../../src/journal/local-transaction.ts'
import { type ConflictPolicy, mergedAttempt } from '../../src/journal/merge.ts'
import fc from '../support/property.ts'
import { Rows } from './history.ts'

/** A table with a field of each kind that merges in its own way. */
function notesWith(policy: ConflictPolicy, name = 'notes'): CarriedTable {
  return {
    name,
    columns: [
      { name: 'id', kind: 'text' },
      { name: 'word', kind: 'text' },
      { name: 'whole', kind: 'integer' },
      { name: 'views', kind: 'integer' },
      { name: 'version', kind: 'integer' },
      { name: 'holdfast_attempt', kind: 'text' },
    ],
    rules: { policy, sums: new Map([['views', { minimum: -50, maximum: 50 }]]) },
  }
}

/** What somebody does to one row; what is impossible at that moment is left out. */
interface Deed {
  readonly table: string
  readonly key: string
  readonly operation: Entry['operation']
  readonly word: string | null
  readonly whole: string | null
  /** Added to the counter. */
  readonly more: number
  /** Changes the row without a new attempt or version, as raw SQL does. */
  readonly unstamped: boolean
}

const deedOf = (operations: readonly Entry['operation'][], tables = ['notes']): fc.Arbitrary<Deed> =>
  fc.record({
    table: fc.constantFrom(...tables),
    key: fc.constantFrom('a', 'b'),
    operation: fc.constantFrom(...operations),
    word: fc.constantFrom('x', 'y', null),
    whole: fc.constantFrom('1', '2', null),
    more: fc.integer({ min: -20, max: 20 }),
    unstamped: fc.boolean(),
  })

interface Parting {
  /** As both sides knew the rows when they parted. */
  readonly common: Rows
  /** The primary as replay finds it. */
  readonly primary: Rows
  /** The fallback after its last transaction. */
  readonly fallback: Rows
  readonly transactions: readonly LocalTransaction[]
}

function partingOf(
  operations: readonly Entry['operation'][],
  change: (deed: Deed) => Deed = (deed) => deed,
  tables?: string[],
) {
  const deed = deedOf(operations, tables).map(change)
  return fc
    .record({
      before: fc.array(
        deedOf(['insert'], tables).map((one) => ({ ...one, more: 0 })),
        { maxLength: 4 },
      ),
      local: fc.array(fc.array(deed, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 }),
      foreign: fc.array(deed, { maxLength: 4 }),
    })
    .map(({ before, local, foreign }): Parting => {
      const common = new Rows()
      for (const [at, one] of before.entries()) act(common, one, `before-${at}`)
      const [primary, fallback] = [common.copy(), common.copy()]
      const entries = local.flatMap((deeds, at) =>
        deeds.flatMap((one) => {
          const entry = act(fallback, one, `local-${at}`)
          return entry === null ? [] : [entry]
        }),
      )
      for (const [at, one] of foreign.entries()) act(primary, one, `foreign-${at}`)
      return { common, primary, fallback, transactions: transactionsOf(entries) }
    })
}

/** Does it, and gives what a journal would record of it. */
function act(rows: Rows, deed: Deed, attempt: string): Entry | null {
  const { table, key, operation, word, whole, more, unstamped } = deed
  const old = rows.get(table, key)
  if ((operation === 'insert') !== (old === null)) return null
  const made: Image = {
    ...{ id: key, word, whole },
    views: String(Number(old?.views ?? 0) + more),
    version: String(Number(old?.version ?? 0) + (unstamped ? 0 : 1)),
    holdfast_attempt: unstamped ? (old?.holdfast_attempt ?? null) : attempt,
  }
  const image = operation === 'delete' ? null : made
  rows.set(table, key, image)
  const base = old?.holdfast_attempt ?? null
  return { sequence: 0, transaction: attempt, attempt, table, key, operation, base, old, new: image }
}

/** What the reference says of one transaction: how each of its conflicts was settled; null: it is parked. */
type Told = readonly string[] | null

/** The reference: differences that are done one by one, and a row that is given back unless its transaction fits whole. */
function reference(ofNotes: ConflictPolicy, rows: Rows, transactions: readonly LocalTransaction[]): readonly Told[] {
  const parked = new Set<string | null>()
  return transactions.map(({ entries }) => {
    const before = rows.copy()
    const sides: string[] = []
    for (const entry of entries) {
      const policy = entry.table === 'notes' ? ofNotes : 'park'
      const found = rows.get(entry.table, entry.key)
      let image: Image | null | undefined = entry.new
      if (JSON.stringify(found) !== JSON.stringify(entry.old)) {
        image = undefined
        if (policy === 'merge' && entry.old !== null && entry.new !== null && found !== null) {
          image = differing(entry.old, entry.new, found, entry.attempt)
          sides.push('merged')
        }
        const waits = entry.base !== null && parked.has(entry.base)
        if (policy === 'primary-wins' && !waits) sides.push('theirs')
        if (policy === 'fallback-wins' && !waits) sides.push('ours')
        if (policy === 'primary-wins' && !waits) image = found
        if (policy === 'fallback-wins' && !waits) image = entry.new
      }
      if (image === undefined) {
        for (const [id] of [...rows.byId]) rows.byId.delete(id)
        for (const [id, row] of before.byId) rows.byId.set(id, row)
        parked.add(entry.attempt)
        return null
      }
      rows.set(entry.table, entry.key, image)
    }
    return sides
  })
}

/** The row of the primary after the difference of a change on the fallback; undefined: the two exclude each other. */
function differing(from: Image, to: Image, there: Image, attempt: string): Image | undefined {
  const made: Record<string, string | null> = { ...there, holdfast_attempt: mergedAttempt(attempt) }
  const add = (name: 'views' | 'version'): number => Number(there[name]) + Number(to[name]) - Number(from[name])
  made.version = String(add('version'))
  if (from.views !== to.views) made.views = String(add('views'))
  if (from.views !== to.views && from.views !== there.views && Math.abs(add('views')) > 50) return undefined
  for (const name of ['word', 'whole']) {
    const [was, is, has] = [from[name] ?? null, to[name] ?? null, there[name] ?? null]
    if (was === is) continue
    const bothDid = is === has && (name === 'word' || is === null)
    if (has !== was && !bothDid) return undefined
    made[name] = is
  }
  return made
}

const policies = ['park', 'merge', 'primary-wins', 'fallback-wins'] as const
const operations: readonly Entry['operation'][] = ['insert', 'update', 'update', 'update', 'delete']
/** The second table parks, and what builds on its transactions waits. */
const anything = partingOf(operations, undefined, ['notes', 'notes', 'kept'])

function told(verdicts: readonly Verdict[]): readonly Told[] {
  return verdicts.map((verdict) => (verdict.is === 'parked' ? null : verdict.settled.map(({ as }) => as)))
}

/** Writes what was judged, and holds each write to its guard. */
function write(rows: Rows, verdicts: readonly Verdict[]): void {
  for (const verdict of verdicts) {
    if (verdict.is === 'parked') continue
    for (const { entry, operation, base, image } of verdict.writes) {
      const found = rows.get(entry.table, entry.key)
      assert.equal(operation === 'insert', found === null)
      assert.equal(found?.holdfast_attempt ?? null, base)
      rows.set(entry.table, entry.key, image === null ? null : { ...(operation === 'update' ? found : {}), ...image })
    }
  }
}

for (const policy of policies) {
  const tables = tablesByName([notesWith(policy), notesWith('park', 'kept')])

  test(`${policy}: random histories end as by the reference, and each settling is told`, () => {
    fc.assert(
      fc.property(anything, ({ primary, transactions }) => {
        const expected = primary.copy()
        const sides = reference(policy, expected, transactions)
        const verdicts = judge(transactions, primary, tables)
        assert.deepEqual(told(verdicts), sides)
        const rows = primary.copy()
        write(rows, verdicts)
        assert.deepEqual(rows.shown(), expected.shown())
      }),
      { numRuns: 2_000 },
    )
  })

  test(`${policy}: batches of any size give the same, when each knows what is parked before it`, () => {
    fc.assert(
      fc.property(anything, fc.integer({ min: 1, max: 4 }), ({ primary, transactions }, size) => {
        const whole = told(judge(transactions, primary, tables))
        const [rows, parked] = [primary.copy(), new Set<string>()]
        const parts = transactionBatches(transactions, { entries: size, weight: 1_000_000 }).flatMap((batch) => {
          const verdicts = judge(batch, rows, tables, { parked })
          write(rows, verdicts)
          for (const one of verdicts) if (one.is === 'parked') parked.add(one.transaction.id)
          return told(verdicts)
        })
        assert.deepEqual(parts, whole)
      }),
    )
  })
}

test('counters end at the sum of what both sides have added, and nothing is parked', () => {
  const counting = partingOf(['update'], (deed) => ({ ...deed, word: 'x', whole: '1', more: Math.sign(deed.more) }))
  fc.assert(
    fc.property(counting, ({ common, primary, fallback, transactions }) => {
      // Rows that begin alike, so that nothing but the counters changes.
      const same = (rows: Rows): Rows => {
        const made = new Rows()
        for (const [id, row] of rows.byId) made.byId.set(id, { ...row, word: 'x', whole: '1' })
        return made
      }
      const alike = transactions.map((one) => ({
        ...one,
        entries: one.entries.map((entry) => ({ ...entry, old: entry.old && { ...entry.old, word: 'x', whole: '1' } })),
      }))
      const rows = same(primary)
      const verdicts = judge(alike, rows, tablesByName([notesWith('merge')]))
      assert.ok(verdicts.every(({ is }) => is === 'applied'))
      write(rows, verdicts)
      for (const [id, row] of rows.byId) {
        for (const name of ['views', 'version'] as const) {
          const of = (from: Rows): number => Number(from.byId.get(id)?.[name])
          assert.equal(Number(row[name]), of(fallback) + of(primary) - of(common), name)
        }
      }
    }),
  )
})

test('where the fallback wins, each row that it changed ends as it was there', () => {
  fc.assert(
    fc.property(partingOf(operations), ({ primary, fallback, transactions }) => {
      const rows = primary.copy()
      write(rows, judge(transactions, rows, tablesByName([notesWith('fallback-wins')])))
      for (const { key } of transactions.flatMap(({ entries }) => entries)) {
        assert.deepEqual(rows.get('notes', key), fallback.get('notes', key))
      }
    }),
  )
})

test('where the primary wins, each row that others changed stays, and the rest ends as on the fallback', () => {
  const stamped = partingOf(['insert', 'update', 'update'], (deed) => ({ ...deed, unstamped: false }))
  fc.assert(
    fc.property(stamped, ({ common, primary, fallback, transactions }) => {
      const rows = primary.copy()
      write(rows, judge(transactions, rows, tablesByName([notesWith('primary-wins')])))
      for (const key of ['a', 'b']) {
        const was = JSON.stringify(common.get('notes', key))
        const winner = JSON.stringify(primary.get('notes', key)) === was ? fallback : primary
        assert.deepEqual(rows.get('notes', key), winner.get('notes', key))
      }
    }),
  )
})

test('what builds on a parked change waits with it where a side wins, and merges its own difference elsewhere', () => {
  const row = (word: string, views: string, attempt: string): Image => ({
    ...{ id: 'a', word, whole: '1', views, version: '1', holdfast_attempt: attempt },
  })
  const common = { sequence: 1, table: 'notes', key: 'a', operation: 'update' } as const
  const second: Entry = {
    ...{ ...common, transaction: 't2', attempt: 'local-2', base: 'local-1' },
    ...{ old: row('x', '1', 'local-1'), new: row('x', '2', 'local-2') },
  }
  const primary = new Rows()
  primary.set('notes', 'a', row('x', '0', 'before'))
  for (const [policy, parked, expected] of [
    ['primary-wins', ['local-1'], null],
    ['primary-wins', [], ['theirs']],
    ['fallback-wins', ['local-1'], null],
    ['fallback-wins', [], ['ours']],
    ['merge', ['local-1'], ['merged']],
  ] as const) {
    const verdicts = judge(transactionsOf([second]), primary, tablesByName([notesWith(policy)]), {
      parked: new Set(parked),
    })
    assert.deepEqual(told(verdicts), [expected], policy)
    const rows = primary.copy()
    write(rows, verdicts)
    if (policy === 'merge') assert.equal(rows.get('notes', 'a')?.views, '1')
  }
})

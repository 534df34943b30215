import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Image, ImageTable } from '../../src/driver/facet/image.ts'
import type { Entry } from '../../src/driver/facet/journal.ts'
import type { Replay } from '../../src/driver/facet/replay.ts'
import { tablesByName, type Write } from '../../src/journal/judge.ts'
import { writeLayers } from '../../src/journal/order/layers.ts'
import fc from '../support/property.ts'
import { Rows } from './history.ts'

const columns: ImageTable['columns'] = ['id', 'parent', 'other', 'holdfast_attempt'].map((name) => ({
  name,
  kind: 'text',
}))

/** Children come before their parents in the map; `tree` refers to itself, `here` and `there` to each other. */
const references = {
  leaf: { parent: 'branch', other: 'root' },
  branch: { parent: 'root' },
  root: {},
  tree: { parent: 'tree', other: 'root' },
  here: { parent: 'there' },
  there: { parent: 'here' },
} as const
type Name = keyof typeof references
const names = Object.keys(references) as Name[]
const tables = tablesByName(
  names.map((name) => ({ name, columns, references: new Map(Object.entries(references[name])) })),
)

interface Deed {
  readonly table: Name
  readonly key: string
  readonly parent: string | null
  readonly other: string | null
  readonly operation: Entry['operation']
}

const key = fc.constantFrom('a', 'b')
const deed: fc.Arbitrary<Deed> = fc.record({
  table: fc.constantFrom(...names),
  key,
  parent: fc.option(key),
  other: fc.option(key),
  operation: fc.constantFrom('insert', 'insert', 'update', 'delete'),
})

/** Whether each reference of these rows leads to a row. */
function isKept(rows: Rows): boolean {
  return [...rows.byId].every(([id, image]) => {
    const name = id.slice(0, id.indexOf('/')) as Name
    return Object.entries(references[name]).every(([column, parent]) => {
      const value = image[column] ?? null
      return value === null || rows.get(parent, value) !== null
    })
  })
}

/** A history that a database with these references accepts, change by change; and the rows at its end. */
function historyOf(deeds: readonly Deed[]): { readonly writes: readonly Write[]; readonly rows: Rows } {
  let rows = new Rows()
  const writes: Write[] = []
  for (const [at, { table, key: id, parent, other, operation }] of deeds.entries()) {
    const before = rows.get(table, id)
    if ((before === null) !== (operation === 'insert')) continue
    const image: Image | null = operation === 'delete' ? null : { id, parent, other, holdfast_attempt: `${at}` }
    const next = rows.copy()
    next.set(table, id, image)
    if (!isKept(next)) continue
    rows = next
    const base = before?.holdfast_attempt ?? null
    const entry: Entry = {
      sequence: at,
      transaction: `${at}`,
      attempt: `${at}`,
      table,
      key: id,
      operation,
      base,
      old: before,
      new: image,
    }
    writes.push({ entry, operation, base, image })
  }
  return { writes, rows }
}

/** A primary that checks each reference row by row, as InnoDB does, whatever the order of the rows in a statement. */
function strict(rows: Rows): Replay {
  const apply = (table: string, list: readonly { readonly id: string; readonly image: Image | null }[]): number => {
    for (const order of [list, list.toReversed()]) {
      const tried = rows.copy()
      for (const { id, image } of order) {
        tried.set(table, id, image)
        assert.ok(isKept(tried), `a reference is broken by ${table}/${id}`)
      }
    }
    for (const { id, image } of list) rows.set(table, id, image)
    return list.length
  }
  return {
    claim: async () => new Set(),
    lock: async () => new Map(),
    insert: async ({ name }, images) =>
      apply(
        name,
        images.map((image) => ({ id: image.id ?? '', image })),
      ),
    update: async ({ name }, list) =>
      apply(
        name,
        list.map(({ image }) => ({ id: image.id ?? '', image })),
      ),
    remove: async ({ name }, list) =>
      apply(
        name,
        list.map(({ id }) => ({ id, image: null })),
      ),
    refusalOf: () => null,
  }
}

test('a row is written in bulk after those that it refers to, and deleted before them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 1, maxLength: 60 }), async (deeds) => {
      const { writes, rows } = historyOf(deeds)
      const primary = new Rows()
      await writeLayers(strict(primary), writes, tables)
      assert.deepEqual(primary.shown(), rows.shown())
    }),
    { numRuns: 500 },
  )
})

test('parents and children of one batch take one statement a table', async () => {
  const calls: string[] = []
  const primary = new Rows()
  const replay = strict(primary)
  const counting: Replay = {
    ...replay,
    insert: (table, list) => {
      if (list.length > 0) calls.push(table.name)
      return replay.insert(table, list)
    },
    remove: (table, list) => {
      if (list.length > 0) calls.push(`-${table.name}`)
      return replay.remove(table, list)
    },
  }
  const made = ['a', 'b', 'c'].flatMap((id): Deed[] => [
    { table: 'root', key: id, parent: null, other: null, operation: 'insert' },
    { table: 'branch', key: id, parent: id, other: null, operation: 'insert' },
    { table: 'leaf', key: id, parent: id, other: id, operation: 'insert' },
  ])
  await writeLayers(counting, historyOf(made).writes, tables)
  assert.deepEqual(calls, ['root', 'branch', 'leaf'])
  calls.length = 0
  const gone = ['leaf', 'branch', 'root'].map((table) => ({ ...made[0], table, key: 'a', operation: 'delete' }) as Deed)
  await writeLayers(counting, historyOf([...made, ...gone]).writes.slice(made.length), tables)
  assert.deepEqual(calls, ['-leaf', '-branch', '-root'])
})

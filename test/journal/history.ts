import type { Image, ImageTable } from '../../src/driver/facet/image.ts'
import type { Entry } from '../../src/driver/facet/journal.ts'
import fc from '../support/property.ts'

/** A small table with a column of each kind that compares in its own way. */
export const notes: ImageTable = {
  name: 'notes',
  columns: [
    { name: 'id', kind: 'text' },
    { name: 'word', kind: 'text' },
    { name: 'real', kind: 'number' },
    { name: 'meta', kind: 'json' },
    { name: 'holdfast_attempt', kind: 'text' },
  ],
}

/** The same table under another name. */
export const others: ImageTable = { ...notes, name: 'others' }

/** What somebody does to one row; what is impossible at that moment is left out. */
interface Deed {
  readonly table: string
  readonly key: string
  readonly operation: 'insert' | 'update' | 'delete'
  readonly word: string
  /** Changes the row without a new attempt, as query builders and raw SQL do. */
  readonly unstamped: boolean
}

const deed: fc.Arbitrary<Deed> = fc.record({
  table: fc.constantFrom('notes', 'notes', 'others'),
  key: fc.constantFrom('a', 'b', 'c'),
  operation: fc.constantFrom('insert', 'update', 'update', 'delete'),
  word: fc.constantFrom('x', 'y', 'z'),
  unstamped: fc.boolean(),
})

/** Rows by table and key. */
export class Rows {
  readonly byId: Map<string, Image> = new Map()

  get(table: string, key: string): Image | null {
    return this.byId.get(`${table}/${key}`) ?? null
  }

  set(table: string, key: string, image: Image | null): void {
    if (image === null) this.byId.delete(`${table}/${key}`)
    else this.byId.set(`${table}/${key}`, image)
  }

  copy(): Rows {
    const made = new Rows()
    for (const [id, image] of this.byId) made.byId.set(id, image)
    return made
  }

  /** For comparing. */
  shown(): readonly (readonly [string, Image])[] {
    return [...this.byId].sort(([one], [other]) => (one < other ? -1 : 1))
  }
}

/** Rows that both sides knew when they parted, what the fallback journaled, and what others did to the primary. */
export interface History {
  /** The primary as replay finds it. */
  readonly primary: Rows
  /** The fallback after its last transaction. */
  readonly fallback: Rows
  readonly entries: readonly Entry[]
  /** Others changed nothing. */
  readonly isAlone: boolean
}

/** A random history. */
export const histories: fc.Arbitrary<History> = fc
  .record({
    before: fc.array(deed, { maxLength: 6 }),
    local: fc.array(fc.array(deed, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 }),
    foreign: fc.array(deed, { maxLength: 4 }),
  })
  .map(({ before, local, foreign }) => {
    const common = new Rows()
    for (const [at, one] of before.entries()) act(common, one, `before-${at}`)
    const [primary, fallback] = [common.copy(), common.copy()]
    const entries = local.flatMap((deeds, at) => journaled(fallback, deeds, `local-${at}`))
    const changes = foreign.map((one, at) => act(primary, one, `foreign-${at}`))
    const isAlone = changes.every((change) => change === null)
    return { primary, fallback, entries: entries.map((entry, at) => ({ ...entry, sequence: at + 1 })), isAlone }
  })

function journaled(rows: Rows, deeds: readonly Deed[], attempt: string): Entry[] {
  return deeds.flatMap((one) => {
    const entry = act(rows, one, attempt)
    return entry === null ? [] : [entry]
  })
}

/** Does it, and gives what a journal would record of it. */
function act(rows: Rows, { table, key, operation, word, unstamped }: Deed, attempt: string): Entry | null {
  const old = rows.get(table, key)
  if ((operation === 'insert') !== (old === null)) return null
  const stamp = unstamped ? (old?.holdfast_attempt ?? null) : attempt
  const made: Image = { id: key, word, real: '0.5', meta: `{"w":"${word}"}`, holdfast_attempt: stamp }
  const image = operation === 'delete' ? null : made
  rows.set(table, key, image)
  const base = old?.holdfast_attempt ?? null
  return { sequence: 0, transaction: attempt, attempt, table, key, operation, base, old, new: image }
}

import { rowId, type TablesByName, type Write } from '../judge.ts'

/** In this order the writes of a layer are done. */
const phases = ['delete', 'update', 'insert'] as const

/** When the write of a row that others depend on is done. */
interface Done {
  readonly layer: number
  readonly phase: (typeof phases)[number]
  readonly rank: number
}

/** Tables by their distance from those that refer to no others: in this order no row is written before one that it refers to. */
export type TableRanks = ReadonlyMap<string, number>

/** References in a circle count for nothing: rows that refer to each other are written in different layers. */
export function tableRanks(tables: TablesByName): TableRanks {
  const ranks = new Map<string, number>()
  const open = new Set<string>()
  const rankOf = (name: string): number => {
    const known = ranks.get(name)
    if (known !== undefined || open.has(name)) return known ?? -1
    open.add(name)
    const parents = [...(tables.get(name)?.references.values() ?? [])].filter((parent) => parent !== name)
    const rank = 1 + Math.max(-1, ...parents.map(rankOf))
    ranks.set(name, rank)
    return rank
  }
  for (const name of tables.keys()) rankOf(name)
  return ranks
}

/** Which layer a write may be in, so that a row is there while others refer to it. To be asked for each write, in order. */
export class ReferenceOrder {
  readonly #tables: TablesByName
  readonly #ranks: TableRanks
  /** By row: when it was inserted. */
  readonly #made = new Map<string, Done>()
  /** By row: when rows ceased to refer to it. */
  readonly #left = new Map<string, Done[]>()

  constructor(tables: TablesByName, ranks: TableRanks) {
    this.#tables = tables
    this.#ranks = ranks
  }

  /** The layer, `first` or a later one. */
  place({ entry, operation, image }: Write, first: number): number {
    const phase = image === null ? 'delete' : operation
    const rank = this.#ranks.get(entry.table) ?? 0
    const id = rowId(entry.table, entry.key)
    let layer = first
    const references = this.#tables.get(entry.table)?.references ?? none
    for (const [column, parent] of references) {
      const made = this.#made.get(rowId(parent, image?.[column] ?? ''))
      if (made !== undefined) layer = Math.max(layer, layerBehind(made, { phase, rank }))
    }
    if (phase === 'delete') {
      for (const left of this.#left.get(id) ?? []) layer = Math.max(layer, layerBehind(left, { phase, rank }))
    }
    const done: Done = { layer, phase, rank }
    if (phase === 'insert') this.#made.set(id, done)
    for (const [column, parent] of references) {
      const before = entry.old?.[column] ?? null
      if (before === null || before === image?.[column]) continue
      const key = rowId(parent, before)
      const known = this.#left.get(key)
      if (known === undefined) this.#left.set(key, [done])
      else known.push(done)
    }
    return layer
  }
}

const none: ReadonlyMap<string, string> = new Map()

/** The first layer in which `next` comes after `before`: that one, where its phase or its table is later there. */
function layerBehind(before: Done, next: Pick<Done, 'phase' | 'rank'>): number {
  const [one, other] = [phases.indexOf(before.phase), phases.indexOf(next.phase)]
  if (one < other) return before.layer
  // Rows are deleted from the last table to the first, and inserted the other way.
  const isLater = next.phase === 'delete' ? next.rank < before.rank : next.rank > before.rank
  return one === other && isLater ? before.layer : before.layer + 1
}

import type { Image } from '../../driver/facet/image.ts'
import type { Replay, RowRemoval, RowUpdate } from '../../driver/facet/replay.ts'
import { partsOf } from '../../driver/kit/primary/row-batches.ts'
import { rowId, type TableColumns, type TablesByName, type Write } from '../judge.ts'
import { ReferenceOrder, type TableRanks, tableRanks } from './reference-order.ts'

/** How many rows are written by one call. */
const rowsMax = 1_000

/** Thrown when a statement changed fewer rows than it was given: a trigger discarded them, or they were not locked. */
export class CountOff extends Error {
  override readonly name = 'CountOff'
}

/** The writes to one table that may be done in any order: each row once. */
interface TableWrites {
  readonly removals: RowRemoval[]
  readonly updates: RowUpdate[]
  readonly inserts: Image[]
}

/** Writes to different rows, by table. */
type Layer = Map<string, TableWrites>

/**
 * Writes in bulk: a row that changes several times is written as often, in order, because the primary's triggers are to see
 * each attempt. Rejects with `CountOff`, or what the driver says.
 */
export async function writeLayers(replay: Replay, writes: readonly Write[], tables: TablesByName): Promise<void> {
  const ranks = tableRanks(tables)
  for (const layer of layersOf(writes, tables, ranks)) {
    const sorted = [...layer].sort(([one], [other]) => (ranks.get(one) ?? 0) - (ranks.get(other) ?? 0))
    // Removals first, inserts last: a key that is given up is free for another row.
    for (const [name, { removals }] of sorted.toReversed()) await removeRows(replay, tables, name, removals)
    for (const [name, { updates }] of sorted) await updateRows(replay, tables, name, updates)
    for (const [name, { inserts }] of sorted) await insertRows(replay, tables, name, inserts)
  }
}

/** Writes one by one, in order. Rejects like `writeLayers`; `begun` is called before each write is sent. */
export async function writeInOrder(
  replay: Replay,
  writes: readonly Write[],
  tables: TablesByName,
  begun: (write: Write) => void,
): Promise<void> {
  for (const write of writes) {
    begun(write)
    await writeLayers(replay, [write], tables)
  }
}

function layersOf(writes: readonly Write[], tables: TablesByName, ranks: TableRanks): readonly Layer[] {
  const layers: Layer[] = []
  const depths = new Map<string, number>()
  const isAny = [...tables.values()].some(({ references }) => references.size > 0)
  const order = isAny ? new ReferenceOrder(tables, ranks) : null
  for (const write of writes) {
    const { entry, operation, base, image } = write
    const id = rowId(entry.table, entry.key)
    const first = depths.get(id) ?? 0
    const depth = order?.place(write, first) ?? first
    depths.set(id, depth + 1)
    while (layers.length <= depth) layers.push(new Map())
    const layer: Layer = layers[depth] ?? new Map()
    const table = layer.get(entry.table) ?? { removals: [], updates: [], inserts: [] }
    layer.set(entry.table, table)
    if (image === null) table.removals.push({ id: entry.key, base })
    else if (operation === 'insert') table.inserts.push(image)
    else table.updates.push({ image, base })
  }
  return layers
}

async function removeRows(
  replay: Replay,
  tables: TablesByName,
  name: string,
  rows: readonly RowRemoval[],
): Promise<void> {
  const { table } = known(tables, name)
  for (const some of partsOf(rows, rowsMax)) counted(await replay.remove(table, some), some)
}

async function updateRows(
  replay: Replay,
  tables: TablesByName,
  name: string,
  rows: readonly RowUpdate[],
): Promise<void> {
  const { table } = known(tables, name)
  for (const some of partsOf(rows, rowsMax)) counted(await replay.update(table, some), some)
}

async function insertRows(replay: Replay, tables: TablesByName, name: string, rows: readonly Image[]): Promise<void> {
  const { table } = known(tables, name)
  for (const some of partsOf(rows, rowsMax)) counted(await replay.insert(table, some), some)
}

function counted(changed: number, rows: readonly unknown[]): void {
  if (changed !== rows.length) throw new CountOff(`${changed} of ${rows.length} rows were written.`)
}

function known(tables: TablesByName, name: string): TableColumns {
  const found = tables.get(name)
  if (found === undefined) throw new Error(`unreachable: writes to "${name}" are parked`)
  return found
}

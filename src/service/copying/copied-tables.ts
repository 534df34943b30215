import type { Collection } from '../../collection/declaration/declaration.ts'
import { misfitOf } from '../../collection/declaration/misfit.ts'
import { pointerInto } from '../../collection/declaration/source.ts'
import { imageTableOf } from '../../collection/table/image-table.ts'
import type { TableReports } from '../../collection/table/tables.ts'
import type { WantedTable } from '../../copy/pair.ts'
import type { Store } from '../../database/store/store.ts'
import type { CopiedTable } from '../../driver/facet/feed.ts'
import { requestTable } from '../../driver/facet/requests.ts'

/** The answers of keyed requests: one that was answered before an outage is answered alike in it. */
const wantedRequests: WantedTable = {
  table: { ...requestTable, key: { name: 'id', kind: 'text' }, keyOrder: 'uuid' },
  setting: 'copies.mode',
  isAlways: true,
  misfit: () => null,
}

const ofCollections = new WeakMap<Collection, WantedTable>()

/** The table of a collection that is to be copied. */
function wantedTableOf(collection: Collection): WantedTable {
  const known = ofCollections.get(collection)
  if (known !== undefined) return known
  const wanted: WantedTable = {
    table: { ...imageTableOf(collection), key: { name: 'id', kind: 'text' }, keyOrder: 'uuid' },
    setting: pointerInto(collection),
    isAlways: collection.copy === true,
    misfit: (image) => misfitOf(collection, image),
  }
  ofCollections.set(collection, wanted)
  return wanted
}

/** The table of an entity of the application, which has said that it is to be copied. */
function wantedEntityOf(table: CopiedTable): WantedTable {
  return { table, setting: 'copyEntities', isAlways: true, misfit: () => null }
}

/** All tables that are to be copied as far as they can be read and shown, and are small enough. */
export function wantedTables(
  collections: readonly Collection[],
  entities: readonly CopiedTable[],
  isUsable: (collection: string) => boolean,
): readonly WantedTable[] {
  const wanted = collections.filter(({ name, copy }) => copy !== false && isUsable(name))
  return [...wanted.map(wantedTableOf), ...entities.map(wantedEntityOf), wantedRequests]
}

/** Whether the rows of a collection can be read in each of these stores. */
export function isReadable(tables: TableReports, stores: readonly Store[], collection: string): boolean {
  return stores.every((store) => {
    const found = tables.of(store)?.unusable.get(collection)
    return found === undefined || !found.operations.includes('get')
  })
}

import type { ExportedTable } from '../../archive/export/exporter.ts'
import { publicCaller } from '../../collection/access/caller.ts'
import type { Granted } from '../../collection/access/granted.ts'
import { visibleFields } from '../../collection/access/visible-fields.ts'
import type { AskedTable } from '../../collection/ask/asked-table.ts'
import type { ListPart, Lists } from '../../collection/ask/lists.ts'
import type { Collection } from '../../collection/declaration/declaration.ts'
import type { FieldValue } from '../../collection/declaration/validator.ts'
import type { ListQuery } from '../../collection/query/list-query.ts'
import type { TableReport } from '../../collection/table/tables.ts'
import type { Outcome } from '../../database/work/session.ts'
import type { Row } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import type { ServedCollection } from '../../http/data/served-collection.ts'

/** Rows of one read: at first, and at most. */
const firstRows = 20
const mostRows = 500

/** About how much text one read gives. */
const readLength = 256 * 1_024

/** Every row, the oldest first. */
const everyRow: ListQuery = {
  filter: null,
  sort: [{ field: 'id', isDescending: false }],
  limit: null,
  place: null,
  skipped: 0,
  fields: null,
  expand: [],
  count: 'none',
}

/** The collections whose tables can be read, and the names of the others. */
export function exportedTables(
  served: readonly Pick<ServedCollection, 'collection' | 'lists'>[],
  { unusable }: Pick<TableReport, 'unusable'>,
): { readonly tables: readonly ExportedTable[]; readonly unavailable: readonly string[] } {
  const isUsable = ({ collection }: Pick<ServedCollection, 'collection'>): boolean =>
    unusable.get(collection.name)?.operations.includes('list') !== true
  const tables = served.filter(isUsable).map(({ collection, lists }) => exportedTable(collection, lists))
  const others = served.filter((one) => !isUsable(one))
  return { tables, unavailable: others.map(({ collection }) => collection.name) }
}

/**
 * A collection for the export: every row, as a list answers with it, without `private` and `writeOnly` fields: who reads the
 * export needs no token. Its rows reject with the errors of lists, and with STORE_LOST when another database serves before the end.
 */
function exportedTable(collection: Collection, lists: Pick<Lists, 'part'>): ExportedTable {
  // Rules are about callers; the bucket decides who reads this.
  const granted: Granted = { caller: publicCaller, rule: null, fields: visibleFields(collection, publicCaller) }
  return {
    name: collection.name,
    async *lines(signal) {
      let after: readonly FieldValue[] | null = null
      let rows = firstRows
      let from: string | null = null
      do {
        signal.throwIfAborted()
        const part: Outcome<ListPart<string>> = await lists.part(everyRow, { after, rows }, lineOf, { granted })
        const store = `${part.store} ${part.driver}`
        if (from !== null && from !== store)
          throw new HoldfastError('STORE_LOST', { detail: 'Another database serves now.' })
        from = store
        const { items, next } = part.value
        yield items
        after = next
        const length = items.reduce((sum, item) => sum + item.length, 0)
        rows =
          length === 0 ? mostRows : Math.max(1, Math.min(mostRows, Math.floor((readLength * items.length) / length)))
      } while (after !== null)
    },
  }
}

function lineOf(_asked: AskedTable, _row: Row, text: () => string): string {
  return `${text()}\n`
}

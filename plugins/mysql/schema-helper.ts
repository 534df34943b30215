import type { Transaction } from '@mikro-orm/core'
import {
  type AbstractSqlConnection,
  type CheckDef,
  type Column,
  type DatabaseTable,
  type IndexDef,
  MariaDbSchemaHelper,
  type Table,
} from '@mikro-orm/mariadb'

/** The bytes of a row without its long texts, which are stored elsewhere; the server's limit is 65,535. */
const rowLimitBytes = 60_000

/** What a key may take. */
const keyLimitBytes = 3_072

/** A letter of utf8mb4, at most. */
const letterBytes = 4

/** The most that any other column needs. */
const plainBytes = 16

/** MikroORM's reader and maker of schemas, within the limits of InnoDB and of what a plain user is shown. */
export class SafeSchemaHelper extends MariaDbSchemaHelper {
  /** Short texts that do not fit into a row together become long ones, the widest first; those in a key stay. */
  override createTable(table: DatabaseTable, alter?: boolean): string[] {
    const keyed = new Set(table.getIndexes().flatMap(({ columnNames }) => columnNames))
    const texts = table.getColumns().filter((column) => lettersOf(column) !== null && !keyed.has(column.name))
    texts.sort((one, other) => (lettersOf(other) ?? 0) - (lettersOf(one) ?? 0))
    let bytes = table.getColumns().reduce((sum, column) => sum + widthOf(column), 0)
    for (const column of texts) {
      if (bytes <= rowLimitBytes) break
      bytes -= widthOf(column) - plainBytes
      column.type = this.platform.getTextTypeDeclarationSQL({})
    }
    return super.createTable(table, alter)
  }

  /** A lookup by texts that are too long for a key is by their beginnings; what is unique MariaDB keys by a hash. */
  override createIndex(index: IndexDef, table: DatabaseTable, partialExpression?: boolean): string {
    const columns = index.columnNames.map((name) => table.getColumn(name))
    const bytes = columns.reduce((sum, column) => sum + (column === undefined ? 0 : widthOf(column)), 0)
    if (index.unique || index.columns !== undefined || bytes <= keyLimitBytes) {
      return super.createIndex(index, table, partialExpression)
    }
    const share = Math.floor((keyLimitBytes / columns.length - plainBytes) / letterBytes)
    const cut = index.columnNames.map((name, at) => {
      const letters = columns[at] === undefined ? null : lettersOf(columns[at])
      return letters === null || letters <= share ? { name } : { name, length: share }
    })
    return super.createIndex({ ...index, columns: cut }, table, partialExpression)
  }

  /**
   * A column of JSON is a long text with a check, and checks are hidden from users who may only read and write. They may
   * see the text of the table, which contains the check.
   */
  override async getAllChecks(
    connection: AbstractSqlConnection,
    tables: Table[],
    ctx?: Transaction,
    columns?: Record<string, Column[]>,
  ): Promise<Record<string, CheckDef[]>> {
    const checks = await super.getAllChecks(connection, tables, ctx, columns)
    for (const table of tables) {
      const unclear = columns?.[this.getTableKey(table)]?.filter(({ type }) => type === 'longtext') ?? []
      if (unclear.length === 0) continue
      const text = `show create table ${this.platform.quoteIdentifier(table.table_name)}`
      const [row] = await connection.execute<Record<string, unknown>[]>(text, [], 'all', ctx)
      const json = jsonColumns(String(row?.['Create Table'] ?? ''))
      for (const column of unclear) if (json.has(column.name)) this.#asJson(column)
    }
    return checks
  }

  #asJson(column: Column): void {
    const { length: _length, collation: _collation, ...rest } = column
    const mappedType = this.platform.getMappedType('json')
    for (const key of Object.keys(column)) Reflect.deleteProperty(column, key)
    Object.assign(column, rest, { type: 'json', mappedType })
  }
}

/** The columns of which a table's text says that they must be JSON. */
function jsonColumns(text: string): ReadonlySet<string> {
  const found = text.matchAll(/check \(json_valid\(`((?:[^`]|``)+)`\)\)/gi)
  return new Set([...found].map(([, name = '']) => name.replaceAll('``', '`')))
}

/** How many letters a short text may hold; null for any other column. */
function lettersOf({ type }: Column): number | null {
  const letters = /^varchar\((\d+)\)/i.exec(type)?.[1]
  return letters === undefined ? null : Number(letters)
}

function widthOf(column: Column): number {
  const letters = lettersOf(column)
  return letters === null ? plainBytes : letters * letterBytes + 3
}

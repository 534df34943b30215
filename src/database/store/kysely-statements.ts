import { CompiledQuery } from 'kysely'
import type { Row, Statements, Value, Written } from '../../driver/facet/statements.ts'
import type { MikroORM } from '../../driver/orm.ts'

/**
 * The facet `statements` for drivers that have none: through MikroORM's kysely, slower and equal. The ORM's global
 * EntityManager resolves to the open transaction of this async context, so both join it, as the contract says.
 */
export function kyselyStatements(orm: MikroORM): Statements {
  const run = async (sql: string, values: readonly Value[]) => {
    // Binding parameters: MikroORM's own `execute` would write the values into the text.
    return await orm.em.getKysely().executeQuery<Row>(CompiledQuery.raw(sql, [...values]))
  }
  return {
    read: async (sql, values): Promise<readonly Row[]> => (await run(sql, values)).rows,
    write: async (sql, values): Promise<Written> => {
      const { rows, numAffectedRows } = await run(sql, values)
      // With RETURNING some clients count nothing: each returned row is one that was changed.
      return { rows, changed: numAffectedRows === undefined ? rows.length : Number(numAffectedRows) }
    },
  }
}

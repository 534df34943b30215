import type { Refusal } from '../driver/facet/replay.ts'

/**
 * Why an entry is parked: the names of EDB Postgres Distributed for conflicts where it has one. `with_transaction`: another
 * entry of its transaction is the reason. `refused` is followed by the code of the database.
 */
export type ParkReason =
  | 'insert_exists'
  | 'update_differing'
  | 'update_missing'
  | 'delete_recently_updated'
  | 'delete_missing'
  | 'multiple_unique_conflicts'
  | 'target_table_missing'
  | 'target_column_missing'
  | `refused ${string}`
  | 'connection_ended'
  | 'too_old'
  | 'with_transaction'

/** The reason of rows that the primary itself refuses. */
export function reasonOfRefusal(refusal: Refusal, code: string): ParkReason {
  switch (refusal) {
    case 'table-missing':
      return 'target_table_missing'
    case 'column-missing':
      return 'target_column_missing'
    case 'unique':
      return 'multiple_unique_conflicts'
    case 'refused':
      return `refused ${code}`
  }
}

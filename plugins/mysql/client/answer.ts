/** The server's answer to one statement. */
export interface Answer {
  readonly rows: readonly Record<string, unknown>[]
  /** Rows inserted, deleted, or met by an update, changed or not. */
  readonly changed: number
  /** The number that AUTO_INCREMENT gave; null for none. */
  readonly insertId: number | string | null
  /** True where there are no rows by the nature of the statement. */
  readonly isCount: boolean
  /** The server's flags; null where they are not known. */
  readonly status: number | null
}

/** The members of mysql2's header of a result that are used. */
interface Header {
  readonly affectedRows: number
  readonly insertId: number | string
  readonly serverStatus?: number
}

/** Reads a result of mysql2: a header, rows, or, for a procedure, a list of both. */
export function answerOf(result: unknown, fields: unknown): Answer {
  const isSeveral =
    Array.isArray(result) && Array.isArray(fields) && fields.some((one) => Array.isArray(one) || one === undefined)
  if (isSeveral) return several(result)
  if (Array.isArray(result)) return { ...nothing, rows: result, changed: result.length }
  return isHeader(result) ? counted(result) : nothing
}

const nothing: Answer = { rows: [], changed: 0, insertId: null, isCount: false, status: null }

/** The results of a procedure, as MikroORM reads them: its tables, then the header that ends them. */
function several(results: readonly unknown[]): Answer {
  const last = results.at(-1)
  const status = isHeader(last) ? (last.serverStatus ?? null) : null
  return { ...nothing, rows: results as Answer['rows'], status } // A list of lists: the caller of the procedure knows.
}

function counted({ affectedRows, insertId, serverStatus }: Header): Answer {
  const given = insertId === 0 || insertId === '0' ? null : insertId
  return { rows: [], changed: affectedRows, insertId: given, isCount: true, status: serverStatus ?? null }
}

function isHeader(value: unknown): value is Header {
  return typeof value === 'object' && value !== null && 'affectedRows' in value
}

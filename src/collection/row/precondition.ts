import type { Session } from '../../database/work/session.ts'
import type { ReadNote, Row } from '../../driver/facet/statements.ts'
import { isNamed, type Precondition } from './etag.ts'
import type { AnsweredRow, RowTable, TableView } from './row-table.ts'

/** The result of a request for one row. */
export type RowResult =
  | AnsweredRow
  | { readonly is: 'removed' }
  | { readonly is: 'missing' }
  /** The row exists, but `If-Match` does not name it. */
  | { readonly is: 'mismatch' }
  /** The fallback cannot tell: the row, or the version that `If-Match` names, may be in the primary. */
  | { readonly is: 'unknown' }
  /**
   * Nothing was written, and the row is there as the request wants it: another writer has made it so a moment ago, or the
   * database discards the change. A transaction that locks the row tells which.
   */
  | { readonly is: 'unmet' }

/**
 * Of a read that decides about a write or a condition, or says why a write met no row: the client may know what another
 * member of the cluster has answered.
 */
export const fresh: ReadNote = { fresh: true }

/** What a read of one row must find, by the headers of its request. */
export interface ReadConditions {
  /** `If-Match`. */
  readonly match: Precondition | null
  /** The client names a version that it has seen. */
  readonly hasVersion: boolean
}

/** A read without conditions. */
export const unconditional: ReadConditions = { match: null, hasVersion: false }

/** A row that a request is about. */
export interface RequestedRow {
  readonly table: RowTable
  readonly view: TableView
  readonly id: string
  readonly match: Precondition | null
}

/**
 * The result for a row that is not in this store. A fallback knows that a row does not exist where it deleted it, or has a
 * whole copy in which it would be.
 */
export function absent({ shown, store }: Session, { table, view, id }: RequestedRow): RowResult {
  if (shown !== 'fallback' || view.whole?.knows(id) === true) return { is: 'missing' }
  return store.journal?.history(table.name, id).isDeleted === true ? { is: 'missing' } : { is: 'unknown' }
}

/** The result for a row that `If-Match` does not name. A fallback knows only the versions that it replaced itself. */
export function stale({ shown, store }: Session, { table, id, match }: RequestedRow): RowResult {
  if (shown !== 'fallback' || match === null || match === '*') return { is: 'mismatch' }
  const replaced = store.journal?.history(table.name, id).replaced
  return match.every((attempt) => replaced?.has(attempt) === true) ? { is: 'mismatch' } : { is: 'unknown' }
}

/** The result for a row that was read; null: it was not found. */
export function matching(session: Session, row: AnsweredRow | null, wanted: RequestedRow): RowResult {
  if (row === null) return absent(session, wanted)
  const { match } = wanted
  return match === null || isNamed(match, row.etag?.slice(1, -1)) ? row : stale(session, wanted)
}

/** The attempt that the statement must find in the row, or the result if it is already known. */
export interface Expectation {
  /** Null matches any row. */
  readonly attempt: string | null
  readonly settled: RowResult | null
}

/** What a change or delete must find; on a fallback, before anything is written. */
export async function expectation(session: Session, wanted: RequestedRow): Promise<Expectation> {
  const { table, view, id, match } = wanted
  const isAny = match === null || match === '*'
  if (session.shown !== 'fallback') {
    if (isAny) return { attempt: null, settled: null }
    if (match.length === 1) return { attempt: match[0] ?? null, settled: null }
  }
  const [row] = await table.read(session, id, view, fresh)
  if (row === undefined) return { attempt: null, settled: absent(session, wanted) }
  if (isAny) return { attempt: null, settled: null }
  if (!isNamed(match, row.holdfast_attempt)) return { attempt: null, settled: stale(session, wanted) }
  return { attempt: String(row.holdfast_attempt), settled: null }
}

/**
 * The result of a change or delete that matched no row; `found` is the row after it, `expected` the attempt that it had to
 * have (null: any).
 */
export function untouched(
  session: Session,
  wanted: RequestedRow,
  found: Row | undefined,
  expected: string | null,
): RowResult {
  if (found === undefined) return absent(session, wanted)
  if (expected !== null && found.holdfast_attempt !== expected) return stale(session, wanted)
  return { is: 'unmet' }
}

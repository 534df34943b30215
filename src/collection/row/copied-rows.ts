import type { CopySink } from '../../copy/copy-sink.ts'
import { type WholeCopy, wholeCopyOf } from '../../copy/whole-copy.ts'
import { incompleteError } from '../../database/work/failure.ts'
import type { Session } from '../../database/work/session.ts'
import { versionColumn } from '../../driver/facet/feed.ts'
import type { Row } from '../../driver/facet/statements.ts'
import type { AcknowledgedSink } from '../../journal/past/acknowledged-writes.ts'
import type { Collection } from '../declaration/declaration.ts'
import type { RowTable, TableView } from './row-table.ts'

/** How old the rows of an answer may be, and are. */
export interface AnswerAge {
  /** `Prefer: max-age`, in seconds; null: any. */
  readonly maxAgeS: number | null
  /** No part of what was answered from is older, in milliseconds since 1970; null: it is the primary, or no whole copy. Set by `Rows`. */
  asOfMs: number | null
}

/** What `CopiedRows` hands writes to; without it there is no copy. */
export interface CopyParts {
  /** Takes what was written into a primary. */
  readonly copy?: CopySink
  /** Where the declared primary is, as `CopySource.target`; null: not known. */
  readonly copyTarget?: () => string | null
  /** Takes what a primary has acknowledged; absent: nothing is remembered. */
  readonly acknowledged?: AcknowledgedSink
}

/** The copy of one collection, both ways: what is written into the primary goes to it, and a fallback answers from it. */
export class CopiedRows {
  readonly #name: string
  readonly #fields: readonly string[]
  readonly #hasGivenIds: boolean
  readonly #parts: CopyParts

  constructor({ name, fields, ids }: Pick<Collection, 'name' | 'fields' | 'ids'>, parts: CopyParts) {
    this.#name = name
    this.#hasGivenIds = ids === 'client'
    this.#fields = Object.keys(fields)
    this.#parts = parts
  }

  /** How a unit of work sees the table. Throws INCOMPLETE where the rows are older than the client accepts. */
  view(session: Session, table: RowTable, age: AnswerAge | undefined): TableView {
    const whole = session.shown === 'fallback' ? this.#whole(session) : null
    if (age !== undefined) checkAge(session, whole, age)
    return session.shown === 'fallback' ? table.inFallback(whole) : table.plain
  }

  /** The same for a write, whose rows may have to be known to a copy. */
  viewForWrite(session: Session, table: RowTable, age: AnswerAge | undefined): TableView {
    const view = this.view(session, table, age)
    return this.#isCopied(session) ? table.fed : view
  }

  /** To be called when a row was written, before the answer: with the row as it was read, returned or encoded. */
  wrote(session: Session, table: RowTable, id: string, row: Row, version: unknown = row[versionColumn]): void {
    if (session.shown === 'primary') this.#parts.acknowledged?.wrote(session.store, this.#name, id, row)
    if (!this.#isCopied(session)) return
    const known = typeof version === 'string' ? version : null
    this.#parts.copy?.wrote(session.store, this.#name, id, () => table.image(row), known)
  }

  /** To be called when a row was removed, before the answer. */
  removed(session: Session, id: string): void {
    if (session.shown === 'primary') this.#parts.acknowledged?.removed(session.store, this.#name, id)
    if (this.#isCopied(session)) this.#parts.copy?.removed(session.store, this.#name, id)
  }

  #isCopied({ shown, store }: Session): boolean {
    return shown === 'primary' && this.#parts.copy?.isCopied(store, this.#name) === true
  }

  #whole({ store }: Session): WholeCopy | null {
    return wholeCopyOf(store, this.#name, this.#parts.copyTarget?.() ?? null, this.#fields, this.#hasGivenIds)
  }
}

function checkAge({ shown }: Session, whole: WholeCopy | null, age: AnswerAge): void {
  age.asOfMs = whole?.asOfMs ?? null
  if (shown !== 'fallback' || age.maxAgeS === null) return
  if (whole === null)
    throw incompleteError('The fallback has no whole copy of this collection, so its age is not known.')
  const oldS = (Date.now() - whole.asOfMs) / 1000
  if (oldS <= age.maxAgeS) return
  throw incompleteError(
    `The copy in the fallback is ${Math.ceil(oldS)} s old, and "Prefer: max-age=${age.maxAgeS}" asks for no more.`,
  )
}

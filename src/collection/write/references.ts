import { faultOf } from '../../database/machine/faults.ts'
import type { Statement } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import type { FieldValue } from '../declaration/validator.ts'
import { encoded, type OpenTable, type WriteScope } from './write-scope.ts'
import type { TableReference, WrittenTable } from './written-table.ts'

/** Rows that one delete may change or delete in other collections. */
const childrenMax = 1_000

/**
 * Throws REFERENCE_MISSING where a value refers to no row. Servers look themselves, and hold it against other transactions; in
 * an embedded database no other one writes meanwhile. `own`: ids of rows that the same statement makes.
 */
export async function checkReferences(
  scope: WriteScope,
  table: WrittenTable,
  rows: readonly ReadonlyMap<string, FieldValue>[],
  own: ReadonlySet<string>,
): Promise<void> {
  const { driver, journal } = scope.session.store
  if (driver.holdsReferences === true && journal === null) return
  for (const { field, to } of table.references) {
    const wanted = new Set<string>()
    for (const values of rows) {
      const id = values.get(field)
      if (typeof id === 'string' && !(to === table && own.has(id))) wanted.add(id)
    }
    if (wanted.size === 0) continue
    const open = scope.open(to, 'get')
    const found = await scope.read(open.many.read(encoded(open.rows, [...wanted]), false))
    for (const { id } of found) wanted.delete(String(id))
    const missing = [...wanted].find((id) => isKnownMissing(scope, open, id))
    if (missing !== undefined) throw missingError(field, to)
  }
}

/** A fallback without a whole copy has not all rows: the primary decides when the change is carried there. */
function isKnownMissing({ session }: WriteScope, { view, rows }: OpenTable, id: string): boolean {
  if (session.shown !== 'fallback' || view.whole?.knows(id) === true) return true
  return session.store.journal?.history(rows.name, id).isDeleted === true
}

/** The error for a field that refers to no row. */
export function missingError(field: string, to: WrittenTable | undefined, cause?: unknown): HoldfastError {
  const where = to === undefined ? 'of its collection' : `of "${to.collection.name}"`
  return new HoldfastError('REFERENCE_MISSING', {
    cause,
    errors: [{ pointer: `/${field}`, message: `There is no row ${where} with this id.` }],
  })
}

/**
 * Does what the references to these rows declare for their deletion, then deletes them. Throws REFERENCED where rows refer to
 * them that stay, or more than a transaction may change.
 */
export async function removeRows(scope: WriteScope, open: OpenTable, ids: readonly string[]): Promise<number> {
  return await new Removal(scope).remove(open, ids)
}

class Removal {
  readonly #scope: WriteScope
  /** By table, what is being deleted. */
  readonly #leaving = new Map<WrittenTable, Set<string>>()
  #children = 0

  constructor(scope: WriteScope) {
    this.#scope = scope
  }

  async remove(open: OpenTable, ids: readonly string[]): Promise<number> {
    const { written, many, rows } = open
    const leaving = this.#leaving.get(written) ?? new Set()
    this.#leaving.set(written, leaving)
    for (const id of ids) leaving.add(id)
    for (const reference of written.referring)
      if (reference.onDelete !== 'restrict') await this.#follow(reference, open, ids)
    for (const reference of written.referring)
      if (reference.onDelete === 'restrict') await this.#refuse(reference, open, ids)
    const removed = rows.quota(this.#scope.session, open.view)?.removing()
    const { changed } = await this.#deleted(many.remove(encoded(rows, ids)))
    this.#scope.committed.push(() => removed?.(changed))
    for (const id of ids) this.#scope.touched.push({ table: written, id, row: null })
    return changed
  }

  /** A row may have been written that refers to one of these after others were looked for. */
  async #deleted(queries: readonly Statement[]): Promise<{ readonly changed: number }> {
    try {
      return await this.#scope.write(queries)
    } catch (error) {
      const { kind, rule } = faultOf(this.#scope.session.store.driver, error, 'statement')
      throw kind === 'constraint' && rule === 'reference' ? referencedError(null, undefined, error) : error
    }
  }

  async #follow({ from, field, onDelete }: TableReference, parent: OpenTable, ids: readonly string[]): Promise<void> {
    const open = this.#scope.open(from, onDelete === 'cascade' ? 'delete' : 'update')
    const children = await this.#referring(open, field, parent, ids, childrenMax + 1)
    if (children.length === 0) return
    this.#children += children.length
    if (this.#children > childrenMax) throw referencedError(from, `More than ${childrenMax} rows depend on it.`)
    if (onDelete === 'cascade') await this.remove(open, children)
    else await this.#clear(open, field, children)
  }

  async #refuse({ from, field }: TableReference, parent: OpenTable, ids: readonly string[]): Promise<void> {
    const open = this.#scope.open(from, 'get')
    if ((await this.#referring(open, field, parent, ids, 1)).length > 0) throw referencedError(from)
  }

  /** Ids of rows that refer to one of these, without those that are being deleted themselves. */
  async #referring(
    open: OpenTable,
    field: string,
    parent: OpenTable,
    ids: readonly string[],
    limit: number,
  ): Promise<readonly string[]> {
    const leaving = this.#leaving.get(open.written)
    const more = open.written === parent.written ? (leaving?.size ?? 0) : 0
    const { many } = open
    const queries = many.referring(field, encoded(parent.rows, ids), limit + more, this.#scope.locks)
    const found = (await this.#scope.read(queries)).map(({ id }) => String(id))
    return [...new Set(found)].filter((id) => leaving?.has(id) !== true)
  }

  async #clear({ written, rows, view, many }: OpenTable, field: string, ids: readonly string[]): Promise<void> {
    const { session, now } = this.#scope
    const changed = rows.encode(
      new Map<string, FieldValue>([
        ['updatedAt', now],
        ['holdfast_attempt', session.attempt],
      ]),
    )
    const values = encoded(rows, ids)
    await this.#scope.write(many.clear(field, values, changed))
    const after = await this.#scope.read(many.read(values, false))
    for (const row of after) this.#scope.touched.push({ table: written, id: String(row.id), row })
    for (const row of after)
      this.#scope.stored.push({ open: { written, rows, view, many }, id: String(row.id), values: {}, isNew: false })
  }
}

/** The error for rows that cannot be deleted, since rows of this collection refer to them. */
function referencedError(from: WrittenTable | null, detail?: string, cause?: unknown): HoldfastError {
  const who = from === null ? 'Rows of another collection' : `Rows of "${from.collection.name}"`
  return new HoldfastError('REFERENCED', { cause, detail: [`${who} refer to it.`, detail].filter(Boolean).join(' ') })
}

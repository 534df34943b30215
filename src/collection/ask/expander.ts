import { incompleteError } from '../../database/work/failure.ts'
import type { Session } from '../../database/work/session.ts'
import type { Row } from '../../driver/facet/statements.ts'
import type { Caller } from '../access/caller.ts'
import { permitted } from '../access/permit.ts'
import { type Collection, referenceOf } from '../declaration/declaration.ts'
import type { Expansion } from '../query/list-query.ts'
import type { RowRequest, TableAccess } from '../row/table-access.ts'
import { type AskedTable, askedTableOf } from './asked-table.ts'

/** The collections of the service, by name. */
export type Accesses = (name: string) => TableAccess | undefined

/** Who asks, and in which unit of work. */
export interface ExpandRequest {
  readonly session: Session
  readonly caller: Caller
  readonly age: RowRequest['age']
}

/** The text of a row with the rows that it refers to, as a member `expand`. */
export type Expanded = (row: Row, text: string) => string

/** Ids that one statement looks for. */
const idsAtOnce = 512

/**
 * Reads the rows that these rows refer to: a statement for each reference field and level. What the caller may not get is as good
 * as missing. Throws INCOMPLETE where a row may be elsewhere.
 */
export async function expandRows(
  { collection, asked }: { readonly collection: Collection; readonly asked: AskedTable },
  rows: readonly Row[],
  expansions: readonly Expansion[],
  accesses: Accesses,
  request: ExpandRequest,
): Promise<Expanded> {
  if (expansions.length === 0) return (_row, text) => text
  const found = new Map<string, ReadonlyMap<string, string>>()
  for (const { field, inner } of expansions) {
    const ids = new Set(rows.flatMap((row) => textIn(asked, row, field) ?? []))
    found.set(field, await readReferred(targetOf(collection, field), [...ids], inner, accesses, request))
  }
  return (row, text) => {
    const members = expansions.map(({ field }) => {
      const id = textIn(asked, row, field)
      return `${JSON.stringify(field)}:${(id === null ? undefined : found.get(field)?.get(id)) ?? 'null'}`
    })
    return `${text.slice(0, -1)},"expand":{${members.join()}}}`
  }
}

/** The JSON of the rows of these ids, by id, with those that they refer to. */
async function readReferred(
  name: string,
  ids: readonly string[],
  inner: readonly Expansion[],
  accesses: Accesses,
  request: ExpandRequest,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>()
  const access = accesses(name)
  const granted = access === undefined ? null : permitted(access.collection, 'get', request.caller)
  if (access === undefined || granted === null || ids.length === 0) return texts
  const { session, age } = request
  const table = access.table(session, 'get')
  const view = access.copies.view(session, table, age)
  if (access.isPartial(session, view)) throw incompleteError()
  const asked = askedTableOf(access, session, table, view)
  const filter = asked.shape(granted.rule)
  const serialize = table.serializerFor(granted.fields)
  for (let at = 0; at < ids.length; at += idsAtOnce) {
    const rows = await asked.readSome(session, filter, ids.slice(at, at + idsAtOnce))
    const expanded = await expandRows({ collection: access.collection, asked }, rows, inner, accesses, request)
    for (const row of rows) texts.set(String(row.id), expanded(row, serialize(row)))
  }
  return texts
}

function textIn(asked: AskedTable, row: Row, field: string): string | null {
  const value = asked.valueOf(row, field)
  return typeof value === 'string' ? value : null
}

function targetOf({ fields }: Collection, name: string): string {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined
  const reference = field === undefined ? null : referenceOf(field)
  if (reference === null) throw new Error(`"${name}" refers to no collection.`)
  return reference.collection
}

import { createProblem, type Problem } from '../../../config/problem.ts'
import type { Store } from '../../../database/store/store.ts'
import type { Collection } from '../../declaration/declaration.ts'
import { pointerInto } from '../../declaration/source.ts'
import type { DeniedOperations } from '../rights.ts'
import type { OpenKey } from './keys.ts'
import type { SupersededIndex, TablePlan } from './table-plan.ts'

/** Problems with the tables of collections, by code. */
export const tableProblems: Readonly<Record<string, string>> = {
  TABLE_UNFIT: 'A table does not match the declaration of its collection. Its requests get 503.',
  TABLE_PLAN_NEEDED:
    'Rows stand against a unique key or a reference that was declared, or the key may not be added. The collection is read-only; the problem has the SQL.',
  TABLE_INDEX_REPLACED: 'An index that Holdfast made is no longer used: one that serves more has replaced it.',
  TABLE_ORDER_DIFFERENT:
    'The text columns of a table that Holdfast did not create sort by the rules of a language, not by bytes. The collection is served.',
  TABLE_MISSING:
    'A table, column or index is missing and may not be added (SCHEMA_APPLY=none, the role has no right to, or it was there before). Requests to the collection get 503; the problem has the SQL.',
  TABLE_DENIED: 'The database refuses an operation on a table. Requests for that operation get 503.',
}

export function unfitTableProblem(
  store: Store,
  collection: Collection,
  column: string | null,
  message: string,
): Problem {
  const isField = column !== null && Object.hasOwn(collection.fields, column)
  return createProblem('TABLE_UNFIT', 'error', pointerInto(collection, isField ? `/fields/${column}` : ''), {
    part: column,
    message: `Table "${collection.name}" in ${store.label} does not match its collection. ${message}`,
    suggestion: 'Change the declaration to match the table, rename the collection, or migrate the table.',
  })
}

export function orderProblem({ label }: Store, { collection, otherOrder }: TablePlan): Problem {
  const { columns = [], statements = [] } = otherOrder ?? {}
  const [names, verb] = [columns.map((name) => `"${name}"`).join(', '), columns.length > 1 ? 'sort' : 'sorts']
  return createProblem('TABLE_ORDER_DIFFERENT', 'warning', pointerInto(collection), {
    message: `Table "${collection.name}" in ${label}: ${names} ${verb} text by the rules of a language; other databases, and tables that Holdfast creates, by bytes.`,
    suggestion: `To have the same order everywhere, and sorts that an index serves, run: ${statements.join('; ')}`,
  })
}

/** `refused`: the reason of the database; undefined if nothing was tried. */
export function missingTableProblem(
  store: Store,
  { collection, statements, refused, isAbsent, isGone }: TablePlan,
): Problem {
  const lack = isAbsent ? 'does not exist' : 'lacks columns or indexes'
  const why = isGone
    ? 'it was whole before: Holdfast adds nothing to it until it is restarted, because the rows may be under another name'
    : refused === undefined
      ? 'SCHEMA_APPLY=none allows no changes'
      : `the database does not allow Holdfast to ${isAbsent ? 'create' : 'change'} it: ${refused}`
  const grants = grantsFor(store, collection)
  return createProblem('TABLE_MISSING', 'error', pointerInto(collection), {
    message: `Table "${collection.name}" in ${store.label} ${lack}, and ${sentence(why)}`,
    suggestion: `As the owner of the database, run: ${[...statements, ...grants].join('; ')}`,
  })
}

/** A key that is not in the table. The rows are not looked for again before the next opening, so adding it is part of the repair. */
export function keyProblem(store: Store, collection: Collection, { statements, why, areRows }: OpenKey): Problem {
  const repair = areRows
    ? 'Change or delete these rows, then run, as the owner of the database:'
    : 'As the owner of the database, run:'
  return createProblem('TABLE_PLAN_NEEDED', 'error', pointerInto(collection), {
    message: `Table "${collection.name}" in ${store.label} lacks a key of its collection: ${sentence(why)} Writes get 503 PLAN_NEEDED.`,
    suggestion: `${repair} ${statements.join('; ')}`,
  })
}

/** An index of an earlier release: each write pays for it. */
export function replacedProblem({ label }: Store, collection: Collection, { name, drop }: SupersededIndex): Problem {
  return createProblem('TABLE_INDEX_REPLACED', 'info', pointerInto(collection), {
    message: `Table "${collection.name}" in ${label} has the index "${name}", which another one has replaced.`,
    suggestion: `To make writes cheaper, run: ${drop}`,
  })
}

export function deniedTableProblem(
  store: Store,
  collection: Collection,
  { rights, refused }: DeniedOperations,
): Problem {
  const grants = grantsFor(store, collection, rights)
  return createProblem('TABLE_DENIED', 'error', pointerInto(collection), {
    message: `The database refuses to ${rights.join(', ')} rows of table "${collection.name}" in ${store.label}: ${sentence(refused)}`,
    suggestion: grants.length === 0 ? 'Check the table.' : `As the owner of the database, run: ${grants.join('; ')}`,
  })
}

/** The rights that the role of this service needs on a table that another role creates; none without roles. */
function grantsFor(
  { target, orm }: Store,
  { name }: Collection,
  rights: readonly string[] = ['select', 'insert', 'update', 'delete'],
): readonly string[] {
  if (target.user === null) return []
  const quote = (word: string): string => orm.em.getPlatform().quoteIdentifier(word)
  return [`grant ${rights.join(', ')} on ${quote(name)} to ${quote(target.user)}`]
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}

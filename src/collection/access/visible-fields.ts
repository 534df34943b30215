import type { Collection, Field } from '../declaration/declaration.ts'
import { ownColumns } from '../declaration/names.ts'
import type { Caller } from './caller.ts'

/** The only door to the names of fields: for anything else, a field that a caller may not see does not exist. */
export interface VisibleFields {
  /** What rows are answered with, in the order of responses: `id`, the fields, `createdAt`, `updatedAt`, `version`. */
  readonly answered: readonly string[]
  /** True if that is every column of the table but the attempt. */
  readonly isWhole: boolean
  /** What filters, sorts, groups and `fields` may name: the same. */
  readonly asked: ReadonlySet<string>
  /** Fields that a body may have. */
  readonly written: ReadonlySet<string>
}

interface Views {
  readonly admin: VisibleFields
  readonly others: VisibleFields
}

const known = new WeakMap<Collection, Views>()

/** The fields that this caller sees. Cached: the same object for the same kind of caller. */
export function visibleFields(collection: Collection, caller: Caller): VisibleFields {
  let views = known.get(collection)
  if (views === undefined) {
    const admin = viewOf(collection, true)
    const isOpen = Object.values(collection.fields).every((field) => !field.private && !field.readOnly)
    const isSame = isOpen && collection.owner === undefined
    views = { admin, others: isSame ? admin : viewOf(collection, false) }
    known.set(collection, views)
  }
  return caller.is === 'admin' ? views.admin : views.others
}

function viewOf({ fields, owner }: Collection, isAdmin: boolean): VisibleFields {
  const names = (is: (field: Field) => boolean) => Object.keys(fields).filter((name) => is(fields[name] as Field)) // Its own key.
  const isSeen = (field: Field): boolean => isAdmin || field.private !== true
  const [first, ...later] = ownColumns.filter((name) => name !== 'holdfast_attempt')
  const answered = [first, ...names((field) => isSeen(field) && field.writeOnly !== true), ...later].filter(
    (name) => name !== undefined,
  )
  const written = names((field) => isSeen(field) && (isAdmin || field.readOnly !== true))
  return {
    answered,
    isWhole: answered.length === Object.keys(fields).length + 4,
    asked: new Set(answered),
    written: new Set(written.filter((name) => isAdmin || name !== owner)),
  }
}

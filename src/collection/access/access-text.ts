import { type Collection, grantsOf, type Operation } from '../declaration/declaration.ts'

/** Who may perform the operation, for people: `public`, `token, owner (by a rule)`. */
export function accessText(collection: Collection, operation: Operation): string {
  const grants = grantsOf(collection, operation)
  return grants.map((grant) => (typeof grant === 'string' ? grant : `${grant.to} (by a rule)`)).join(', ')
}

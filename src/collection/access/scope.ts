import type { Collection, Operation } from '../declaration/declaration.ts'

/** Words that stand for several operations in a scope. */
const groups: Readonly<Record<string, readonly Operation[]>> = {
  read: ['list', 'get', 'aggregate'],
  write: ['create', 'update', 'delete'],
}

/** True if one of the scopes allows the operation: `feedback:create`, `orders:*`, `*:read`. */
export function isInScope(scopes: readonly string[], { name, access }: Collection, operation: Operation): boolean {
  const allows = (scope: string): boolean => {
    const [collection, word = ''] = scope.split(':', 2)
    if (collection !== '*' && collection !== name) return false
    if (word === '*' || word === operation) return true
    // Where `access` does not have `aggregate`, it is what `list` is.
    if (word === 'list') return operation === 'aggregate' && access?.aggregate === undefined
    return Object.hasOwn(groups, word) && groups[word]?.includes(operation) === true
  }
  return scopes.some(allows)
}

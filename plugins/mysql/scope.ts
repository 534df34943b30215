import { AsyncLocalStorage } from 'node:async_hooks'
import type { SafeClient } from './client.ts'

/** The EntityManager transaction that the code at hand runs inside. */
export interface Scope {
  /** The pool; by identity. */
  readonly pool: object
  /** What began for this scope. */
  begun: SafeClient | null
  /** Null before BEGIN has succeeded and from the end of the caller's work on. */
  client: SafeClient | null
}

/** How native statements find the transaction that they are to join. */
export const transactionScope: AsyncLocalStorage<Scope> = new AsyncLocalStorage<Scope>()

/** The connection of the open transaction on this pool that the code at hand runs inside, or null. */
export function transactionAround(pool: object): SafeClient | null {
  const scope = transactionScope.getStore()
  return scope !== undefined && scope.pool === pool ? scope.client : null
}

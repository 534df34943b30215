import { AsyncLocalStorage } from 'node:async_hooks'
import type { OwnTransaction } from './transaction.ts'
import type { Permit } from './writer.ts'

/** The EntityManager transaction that the code at hand runs inside. */
export interface Scope {
  /** The open file; by identity. */
  readonly file: object
  /** What began for this scope. */
  begun: OwnTransaction | null
  /** Null before BEGIN has succeeded and from the end of the caller's work on. */
  transaction: OwnTransaction | null
}

/** How native statements find the transaction that they are to join. */
export const transactionScope: AsyncLocalStorage<Scope> = new AsyncLocalStorage<Scope>()

/** A writer that was taken beforehand, for the next transaction in this context to begin with. */
export interface Reservation {
  permit: Permit | null
  readonly signal: AbortSignal
}

/** How the schema lock hands its writer to the transaction that MikroORM begins. */
export const reservation: AsyncLocalStorage<Reservation> = new AsyncLocalStorage<Reservation>()

/** The open transaction on this file that the code at hand runs inside, or null. */
export function transactionAround(file: object): OwnTransaction | null {
  const scope = transactionScope.getStore()
  return scope !== undefined && scope.file === file ? scope.transaction : null
}

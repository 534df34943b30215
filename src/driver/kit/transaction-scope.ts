import { AsyncLocalStorage } from 'node:async_hooks'

interface Scope<C> {
  /** What began for this scope. */
  begun: C | null
  /** Null before BEGIN has succeeded and from the end of the caller's work on. */
  current: C | null
}

/** The EntityManager transactions of one pool, by async context: how native statements find the one that they are to join. */
export class TransactionScope<C> {
  readonly #scopes = new AsyncLocalStorage<Scope<C>>()

  /** The connection of the open transaction that the code at hand runs inside, or null. */
  get current(): C | null {
    return this.#scopes.getStore()?.current ?? null
  }

  /** Call when BEGIN has succeeded; has no effect outside of `around`. */
  begun(connection: C): void {
    const scope = this.#scopes.getStore()
    if (scope !== undefined) scope.begun = connection
  }

  /** Runs a transaction in a scope of its own; while it calls `joined`, `current` is the connection that began. */
  around<A extends readonly unknown[], R>(
    work: (...given: A) => Promise<R>,
    transaction: (joined: (...given: A) => Promise<R>) => Promise<R>,
  ): Promise<R> {
    const scope: Scope<C> = { begun: null, current: null }
    const joined = async (...given: A): Promise<R> => {
      scope.current = scope.begun
      try {
        return await work(...given)
      } finally {
        scope.current = null
      }
    }
    return this.#scopes.run(scope, () => transaction(joined))
  }
}

import type { Statements } from '../../driver/facet/statements.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import type { SqlEntityManager } from '../../driver/orm.ts'
import { type WriteBlock, writeBlockedError } from '../machine/write-block.ts'
import type { Serving, Shown, Store } from '../store/store.ts'
import { adoptAttempt, nextAttemptOf } from '../store/transaction-attempts.ts'
import type { Session } from './session.ts'

/** How a session names its writes. */
export interface SessionAttempt {
  /** Of the work, in each of its tries; drawn when absent. */
  readonly attempt?: string | undefined
  /** Absent: nothing is claimed. */
  readonly claims?: Session['claims']
}

/** A session that draws its attempt and forks its EntityManager at first use. */
export class WorkSession implements Session {
  readonly store: Store
  readonly shown: Shown
  readonly claims: Session['claims']
  #attempt: string | undefined
  #em: SqlEntityManager | undefined

  constructor(serving: Serving, { attempt, claims = null }: SessionAttempt = {}) {
    this.store = serving.store
    this.shown = serving.shown
    this.claims = claims
    this.#attempt = attempt
  }

  get attempt(): string {
    this.#attempt ??= drawId()
    return this.#attempt
  }

  /** The attempt if it was drawn, so that the next try keeps it. */
  get drawnAttempt(): string | undefined {
    return this.#attempt
  }

  get em(): SqlEntityManager {
    // Its own, not that of the caller's async context, which may be in a transaction.
    this.#em ??= this.fork()
    return this.#em
  }

  protected fork(): SqlEntityManager {
    return this.store.orm.em.fork({ disableContextResolution: true })
  }

  /** The EntityManager if it was forked. */
  get forkedEm(): SqlEntityManager | undefined {
    return this.#em
  }

  get statements(): Statements {
    return this.store.statements
  }
}

/** A session of an application's handler, which may begin any number of transactions: each has an attempt of its own. */
export class HandlerSession extends WorkSession {
  override get attempt(): string {
    return nextAttemptOf(this.em)
  }
}

/**
 * A session on a fallback that accepts no writes. The driver's `setReadOnly` refuses every change; this session refuses
 * writing statements and flushes earlier, with a better error. A driver without `setReadOnly` has no more than that: there,
 * `em.execute` and `em.insert` are not refused.
 */
export class ReadOnlySession extends HandlerSession {
  readonly #block: WriteBlock

  constructor(serving: Serving, block: WriteBlock) {
    super(serving)
    this.#block = block
  }

  override get statements(): Statements {
    return { ...super.statements, write: () => Promise.reject(writeBlockedError(this.#block)) }
  }

  protected override fork(): SqlEntityManager {
    const em = this.store.orm.em.fork({ disableContextResolution: true, freshEventManager: true })
    em.getEventManager().registerSubscriber({
      onFlush: async ({ uow }) => {
        if (uow.getChangeSets().length > 0) throw writeBlockedError(this.#block)
      },
    })
    return em
  }
}

/** The same unit of work inside its transaction, which has its attempt from now on. Call it before anything is written. */
export function withinTransaction(session: Session, em: SqlEntityManager): Session {
  const { store, shown, statements, attempt, claims } = session
  adoptAttempt(em, attempt, store.journal)
  return { store, shown, statements, attempt, claims, em }
}

import {
  type ChangeSet,
  ChangeSetType,
  type EventSubscriber,
  type FlushEventArgs,
  type TransactionEventArgs,
} from '@mikro-orm/core'
import type { Journal } from '../../driver/facet/journal.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import type { EntityManager, SqlEntityManager } from '../../driver/orm.ts'

/** The column that names the attempt which wrote a row last. */
const attemptColumn = 'holdfast_attempt'

/** Of the open transactions, the savepoints in them included. */
const byTransaction = new WeakMap<object, string>()

/** Drawn by a flush for the transaction that it is about to begin. */
const pending = new WeakMap<EntityManager, string>()

/** The attempt of the EntityManager's open transaction; null outside of one, and in an ORM that is not Holdfast's. */
export function openAttemptOf(em: EntityManager): string | null {
  const transaction: object | undefined = em.getTransactionContext()
  return (transaction === undefined ? undefined : byTransaction.get(transaction)) ?? null
}

/** The attempt of the EntityManager's open transaction; outside of one, that of the one which its next flush begins. */
export function nextAttemptOf(em: EntityManager): string {
  const known = openAttemptOf(em) ?? pending.get(em)
  if (known !== undefined) return known
  const drawn = drawId()
  pending.set(em, drawn)
  return drawn
}

/** Gives the EntityManager's open transaction, in which nothing was written yet, the attempt of the work that it carries out. */
export function adoptAttempt(em: SqlEntityManager, attempt: string, journal: Journal | null): void {
  const transaction: object | undefined = em.getTransactionContext()
  if (transaction !== undefined) byTransaction.set(transaction, attempt)
  journal?.begun(attempt)
}

/**
 * Gives each transaction of an ORM one attempt: the same in every row that a flush in it writes, and in the journal. A
 * savepoint keeps the attempt of its transaction.
 */
export class TransactionAttempts implements EventSubscriber {
  /** The journal of the ORM's store, once it is known. */
  journal: Journal | null = null

  /** Rows that were created before their transaction began, or in another EntityManager, get its attempt, too. */
  onFlush({ em, uow }: FlushEventArgs): void {
    for (const change of uow.getChangeSets()) stamp(change, em)
  }

  beforeTransactionStart({ em, transaction }: TransactionEventArgs): void {
    const outer = transaction === undefined ? undefined : byTransaction.get(transaction)
    // The event after the savepoint knows the savepoint alone.
    if (outer !== undefined) pending.set(em, outer)
  }

  afterTransactionStart({ em, transaction }: TransactionEventArgs): void {
    if (transaction === undefined) return
    const attempt = pending.get(em) ?? drawId()
    pending.delete(em)
    byTransaction.set(transaction, attempt)
    if (!('savepointName' in transaction)) this.journal?.begun(attempt)
  }
}

function stamp({ type, meta, payload, entity }: ChangeSet<object>, em: EntityManager): void {
  const isDelete = type === ChangeSetType.DELETE || type === ChangeSetType.DELETE_EARLY
  if (isDelete || !(attemptColumn in meta.properties)) return
  const attempt = nextAttemptOf(em)
  const row: Record<string, unknown> = payload
  if (row[attemptColumn] === attempt) return
  row[attemptColumn] = attempt
  Object.assign(entity, { [attemptColumn]: attempt })
}

import type { Kysely } from 'kysely'
import { faultOf } from '../../database/machine/faults.ts'
import type { Store } from '../../database/store/store.ts'
import type { Session } from '../../database/work/session.ts'
import { requestTable } from '../../driver/facet/requests.ts'
import type { Statement, Value } from '../../driver/facet/statements.ts'
import { HoldfastError } from '../../errors.ts'
import { fresh } from '../row/precondition.ts'
import { type AnyTable, compiled, type Query, slot } from '../table/compiled-query.ts'
import type { WriteResult } from './operation.ts'
import type { RequestKey } from './request-key.ts'

/** An answer as it is kept. */
export interface KeptAnswer {
  readonly status: number
  /** Its own, such as Location and ETag. */
  readonly headers: Readonly<Record<string, string>>
  /** JSON; empty: it has no body. */
  readonly text: string
}

/** What a request is answered with; `isShort`: as if the client preferred `return=minimal`. */
export type AnswerOf = (results: readonly WriteResult[], isShort: boolean) => KeptAnswer

/** The answer of a request with a key. */
export interface KeyedAnswer {
  readonly answer: KeptAnswer
  /** It was given before. */
  readonly isReplayed: boolean
}

/** Thrown where the request was carried out before: nothing was changed. */
export class RequestKnown extends Error {
  override readonly name = 'RequestKnown'
}

/** A longer body is kept as if the client preferred `return=minimal`. */
export const keptBodyMax: number = 64 * 1024

/** How long answers are kept. */
const keptMs = 24 * 3_600_000

/** How often old ones are deleted. */
const pauseMs = 600_000

interface Statements {
  readonly claim: Query
  readonly complete: Query
  readonly read: Query
  readonly prune: Query
}

const known = new WeakMap<Store, Statements>()

/** Claims the request before anything is changed in its transaction. Throws RequestKnown, KEYS_UNAVAILABLE. */
export async function claimRequest(session: Session, key: RequestKey): Promise<void> {
  const { sql, values } = claimStatement(session, key, null)
  try {
    await session.statements.write(sql, values, { attempt: key.attempt })
  } catch (error) {
    const { kind, rule = 'unique' } = faultOf(session.store.driver, error, 'statement')
    throw kind === 'constraint' && rule === 'unique' ? new RequestKnown('unreachable: read where it is caught') : error
  }
}

/** The statement that claims the request; with the answer where it is known beforehand. Throws KEYS_UNAVAILABLE. */
export function claimStatement({ store }: Session, key: RequestKey, answer: KeptAnswer | null): Statement {
  if (store.facts.keepsRequests !== true) throw new HoldfastError('KEYS_UNAVAILABLE', { retryAfterS: 1 })
  const { sql, bind } = statementsOf(store).claim
  return { sql, values: bind({ id: key.attempt, fingerprint: key.fingerprint, ...columnsOf(answer) }) }
}

/** Keeps the answer, in the transaction of the request. */
export async function keepAnswer({ store, statements }: Session, key: RequestKey, answer: KeptAnswer): Promise<void> {
  const { sql, bind } = statementsOf(store).complete
  await statements.write(sql, bind({ id: key.attempt, ...columnsOf(answer) }), { attempt: key.attempt })
}

/** The answer that was given to the request; null: none. Throws KEY_REUSED where the key is of another request. */
export async function keptAnswer({ store, statements }: Session, key: RequestKey): Promise<KeptAnswer | null> {
  if (store.facts.keepsRequests !== true) return null
  const { sql, bind } = statementsOf(store).read
  const [row] = await statements.read(sql, bind({ id: key.attempt }), fresh)
  if (row === undefined) return null
  if (row.fingerprint !== key.fingerprint) throw new HoldfastError('KEY_REUSED')
  // Carried out, but with which result was never written down.
  if (row.status === null || row.status === undefined) throw new HoldfastError('COMMIT_UNKNOWN')
  const headers = JSON.parse(String(row.headers ?? '{}')) as Record<string, string> // As `columnsOf` writes it.
  return { status: Number(row.status), headers, text: typeof row.body === 'string' ? row.body : '' }
}

const prunedAt = new WeakMap<Store, number>()

/** Deletes old answers, now and then. Never rejects. */
export async function pruneAnswers({ store, statements }: Session): Promise<void> {
  const now = Date.now()
  if (now - (prunedAt.get(store) ?? 0) < pauseMs) return
  prunedAt.set(store, now)
  try {
    const { sql, bind } = statementsOf(store).prune
    const before = store.orm.em.getPlatform().processDateProperty(new Date(now - keptMs)) as Value // In the form of the database.
    await statements.write(sql, bind({ before }))
  } catch {
    // What fails here is tried again in the next period, and fails requests themselves where it matters.
  }
}

function columnsOf(answer: KeptAnswer | null): { status: Value; headers: Value; body: Value } {
  if (answer === null) return { status: null, headers: null, body: null }
  const { status, headers, text } = answer
  return { status, headers: JSON.stringify(headers), body: text === '' ? null : text }
}

function statementsOf(store: Store): Statements {
  const made = known.get(store)
  if (made !== undefined) return made
  const builder = store.orm.em.fork().getKysely() as unknown as Kysely<AnyTable> // Tables are known only at run time.
  const { name } = requestTable
  const answer = { status: slot('status'), headers: slot('headers'), body: slot('body') }
  const statements: Statements = {
    claim: compiled(
      builder
        .insertInto(name)
        .values({ id: slot('id'), holdfast_attempt: slot('id'), fingerprint: slot('fingerprint'), ...answer }),
    ),
    complete: compiled(builder.updateTable(name).set(answer).where('id', '=', slot('id'))),
    read: compiled(
      builder.selectFrom(name).select(['fingerprint', 'status', 'headers', 'body']).where('id', '=', slot('id')),
    ),
    prune: compiled(builder.deleteFrom(name).where('made_at', '<', slot('before'))),
  }
  known.set(store, statements)
  return statements
}

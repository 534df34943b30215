import { faultOf } from '../../database/machine/faults.ts'
import type { Session } from '../../database/work/session.ts'
import { versionColumn } from '../../driver/facet/feed.ts'
import { requestKnownCode } from '../../driver/facet/requests.ts'
import { HoldfastError } from '../../errors.ts'
import type { FieldValue } from '../declaration/validator.ts'
import { etagOf } from '../row/etag.ts'
import { type AnswerOf, claimStatement, type KeptAnswer, keptBodyMax, RequestKnown } from './kept-answers.ts'
import type { CreateRow } from './operation.ts'
import type { RequestKey } from './request-key.ts'
import { serializerFor } from './row-rules.ts'

/**
 * Creates a row and claims its request, in one step of the database. Null where that is not possible: where rows are
 * counted or looked for first, or may be changed as they are written. Rejects with RequestKnown.
 */
export function createWithClaim(
  session: Session,
  operation: CreateRow,
  key: RequestKey,
  answerOf: AnswerOf,
): Promise<KeptAnswer> | null {
  const { access, collection } = operation.table
  const isCounted = collection.maxRows !== undefined
  if (session.statements.takesFirst !== true || session.shown === 'fallback' || isCounted) return null
  return access.mayRewrite(session) ? null : create(session, operation, key, answerOf)
}

async function create(
  session: Session,
  { table: { access }, id, values, granted }: CreateRow,
  key: RequestKey,
  answerOf: AnswerOf,
): Promise<KeptAnswer> {
  const table = access.table(session, 'create')
  const view = access.copies.viewForWrite(session, table, undefined)
  const now = new Date()
  const whole = new Map<string, FieldValue>([['id', id], ...values])
  whole.set('createdAt', now).set('updatedAt', now).set('version', 1).set('holdfast_attempt', key.attempt)
  const row = table.encode(whole)
  const text = serializerFor(table, granted)(row, true)
  const results = [{ is: 'created', id, etag: etagOf(key.attempt), text }] as const
  const answer = answerOf(results, false)
  const isLong = Buffer.byteLength(answer.text) > keptBodyMax
  const first = claimStatement(session, key, isLong ? answerOf(results, true) : answer)
  const { sql, bind } = view.queries.insert(false)
  try {
    const { changed, rows } = await session.statements.write(sql, bind(row), { attempt: key.attempt, first })
    if (changed === 0) throw new HoldfastError('WRITE_DISCARDED')
    access.copies.wrote(session, table, id, row, rows[0]?.[versionColumn])
    return answer
  } catch (error) {
    const isKnown = faultOf(session.store.driver, error, 'statement').code === requestKnownCode
    throw isKnown ? new RequestKnown('unreachable: read where it is caught') : error
  }
}

import type { Outcome, RunWork, Session } from '../../database/work/session.ts'
import { HoldfastError } from '../../errors.ts'
import type { RowRequest } from '../row/table-access.ts'
import {
  type AnswerOf,
  claimRequest,
  type KeptAnswer,
  type KeyedAnswer,
  keepAnswer,
  keptAnswer,
  keptBodyMax,
} from './kept-answers.ts'
import { createWithClaim } from './keyed-create.ts'
import type { CreateRow, WriteResult } from './operation.ts'
import type { RequestKey } from './request-key.ts'
import type { WriteJob, WriteRunner } from './write-runner.ts'

/** A write with a key. */
export interface KeyedWrite {
  readonly key: RequestKey
  readonly answerOf: AnswerOf
  /** All that it does, where one statement is enough for it. */
  readonly single: CreateRow | null
}

/** By the work that they share: requests that are in progress in this process, which a repeat does not wait for. */
const inProgress = new WeakMap<RunWork, Set<string>>()

/**
 * Runs a write with its key: it is carried out once, and each repeat gets the answer of the first. Rejects with KEY_IN_USE while
 * it is in progress, KEY_REUSED, KEYS_UNAVAILABLE, and as the work does.
 */
export async function runKeyed(
  runner: WriteRunner,
  job: WriteJob<readonly WriteResult[]>,
  request: RowRequest,
  { key, answerOf, single }: KeyedWrite,
): Promise<Outcome<KeyedAnswer>> {
  const { attempt } = key
  let isOwn = false
  const known = async (session: Session): Promise<KeyedAnswer | null> => {
    const answer = await keptAnswer(session, key)
    return answer === null ? null : { answer, isReplayed: !isOwn }
  }
  const work: WriteJob<KeyedAnswer>['work'] = async (scope) => {
    await claimRequest(scope.session, key)
    const results = await job.work(scope)
    const answer = answerOf(results, false)
    await keepAnswer(scope.session, key, isLong(answer) ? answerOf(results, true) : answer)
    isOwn = true
    return { answer, isReplayed: false }
  }
  const quick = async (session: Session): Promise<KeyedAnswer | null> => {
    const creating = single === null ? null : createWithClaim(session, single, key, answerOf)
    if (creating === null) return null
    const answer = await creating
    isOwn = true
    return { answer, isReplayed: false }
  }
  const own = single === null ? {} : { quick }
  const end = begin(runner.run, attempt)
  try {
    return await runner.perform({ ...job, work, keyed: { attempt, known, ...own } }, request)
  } finally {
    end()
  }
}

/** Throws KEY_IN_USE. Gives what is to be called at the end. */
function begin(run: RunWork, attempt: string): () => void {
  const running = inProgress.get(run) ?? new Set()
  inProgress.set(run, running)
  if (running.has(attempt)) throw new HoldfastError('KEY_IN_USE', { retryAfterS: 1 })
  running.add(attempt)
  return () => void running.delete(attempt)
}

function isLong({ text }: KeptAnswer): boolean {
  return Buffer.byteLength(text) > keptBodyMax
}

import type { AnswerOf, KeptAnswer } from '../../collection/write/kept-answers.ts'
import { type KeyedWrite, runKeyed } from '../../collection/write/keyed.ts'
import type { WriteResult } from '../../collection/write/operation.ts'
import { keyedId, type RequestKey, requestKeyOf } from '../../collection/write/request-key.ts'
import type { WriteJob, WriteRunner } from '../../collection/write/write-runner.ts'
import type { DrawRowId } from '../../collection/write/writes.ts'
import type { Settings } from '../../config/settings.ts'
import type { Outcome } from '../../database/work/session.ts'
import { drawId } from '../../driver/kit/draw-id.ts'
import { HoldfastError } from '../../errors.ts'
import { checkUnsent } from '../server/backpressure.ts'
import { readJson } from './body.ts'
import type { DataExchange } from './data-exchange.ts'
import type { LargeBodies } from './large-bodies.ts'

/** What writes are limited by. */
export interface WriteLimits {
  readonly settings: Pick<Settings['http'], 'bodyLimitBytes' | 'bulkLimitBytes'>
  readonly large: LargeBodies
}

/** Reads the body of a write: of callers who are known a large one. */
export function readWriteBody({ req, res, granted }: DataExchange, { settings, large }: WriteLimits): Promise<unknown> {
  const { bodyLimitBytes, bulkLimitBytes } = settings
  const limit = granted.caller.is === 'public' ? bodyLimitBytes : Math.max(bodyLimitBytes, bulkLimitBytes)
  return readJson(req, limit, large.of(res, bodyLimitBytes))
}

/** The key of a request, whose meaning is in these parts besides its address; null: it has none. Throws KEY_INVALID. */
export function requestKeyIn({ req, granted }: DataExchange, asked: readonly unknown[]): RequestKey | null {
  const given = req.headers['idempotency-key']
  if (given === undefined) return null
  const conditions = [req.headers['if-match'] ?? null, req.search]
  return requestKeyOf({
    caller: granted.caller,
    method: req.method,
    path: req.path,
    key: keyOf(Array.isArray(given) ? given.join() : given),
    asked: [...conditions, ...asked],
  })
}

/** A string of structured headers, or its characters alone. */
function keyOf(header: string): string {
  const text = header.trim()
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1]
  const key = quoted === undefined ? text : quoted.replaceAll(/\\(["\\])/g, '$1')
  const isBroken = quoted === undefined && text.includes('"')
  if (!isBroken && /^[!-~]{16,255}$/.test(key)) return key
  throw new HoldfastError('KEY_INVALID')
}

/** The ids of new rows: drawn, or derived from the key of their request. */
export function rowIdsOf(key: RequestKey | null): DrawRowId {
  if (key === null) return drawId
  let at = 0
  return () => keyedId(key, at++)
}

/** The answers of writes to a collection. */
export class WriteAnswers {
  readonly #base: string
  readonly #isMinimal: boolean

  constructor(mount: string, collection: string, isMinimal: boolean) {
    this.#base = `${mount}/api/${collection}`
    this.#isMinimal = isMinimal
  }

  location(id: string): string {
    return `${this.#base}/${id}`
  }

  /** Of one row. */
  readonly one: AnswerOf = ([result], isShort) => {
    if (result === undefined) throw new Error('unreachable: an operation has a result')
    const { is, id, etag, text } = result
    const headers: Record<string, string> = {}
    if (etag !== null) headers.ETag = etag
    if (is === 'created') headers.Location = this.location(id)
    if (is === 'removed' || isShort || this.#isMinimal) return { status: 204, headers, text: '' }
    return { status: is === 'created' ? 201 : 200, headers, text }
  }

  /** Of an array of rows. */
  readonly all: AnswerOf = (results, isShort) => {
    const status = results.every(({ is }) => is === 'created') ? 201 : 200
    const text =
      isShort || this.#isMinimal
        ? JSON.stringify({ ids: results.map(({ id }) => id) })
        : `{"items":[${results.map((result) => result.text).join(',')}]}`
    return { status, headers: {}, text }
  }

  /** Of rows that were deleted because they match. */
  readonly removed: AnswerOf = (results) => ({
    status: 200,
    headers: {},
    text: JSON.stringify({ deleted: results.length }),
  })
}

/** Carries out a write and answers it; with its key, once. */
export async function answerWrite(
  exchange: DataExchange,
  runner: WriteRunner,
  job: WriteJob<readonly WriteResult[]>,
  answerOf: AnswerOf,
  keyed: Pick<KeyedWrite, 'key' | 'single'> | null,
): Promise<void> {
  checkUnsent(expectedBytes)
  if (keyed === null) {
    const outcome = await runner.perform(job, exchange.request)
    return send(exchange, outcome, answerOf(outcome.value, false), false)
  }
  const outcome = await runKeyed(runner, job, exchange.request, { ...keyed, answerOf })
  send(exchange, outcome, outcome.value.answer, outcome.value.isReplayed)
}

/** The size that an answer is assumed to have before it is there: that of many rows. */
const expectedBytes = 1024 * 1024

function send(exchange: DataExchange, outcome: Outcome<unknown>, answer: KeptAnswer, isReplayed: boolean): void {
  const { status, headers: own, text } = answer
  const headers = exchange.storeHeaders(outcome)
  exchange.addDurability(outcome, headers)
  if (isReplayed) headers.push('Idempotency-Replayed', 'true')
  for (const name in own) headers.push(name, own[name] ?? '')
  if (text === '') exchange.end(status, headers)
  else exchange.send(status, text, headers)
}

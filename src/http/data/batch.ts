import type { Middleware } from 'polka'
import type { Caller } from '../../collection/access/caller.ts'
import { permit } from '../../collection/access/permit.ts'
import type { Operation } from '../../collection/declaration/declaration.ts'
import { isJsonObject } from '../../collection/declaration/json-limits.ts'
import { parseKeyAddress } from '../../collection/query/write-request.ts'
import { parseId, parsePrecondition } from '../../collection/row/etag.ts'
import type { AnswerOf } from '../../collection/write/kept-answers.ts'
import type { RowOperation, WriteResult } from '../../collection/write/operation.ts'
import { placedError } from '../../collection/write/place-error.ts'
import { rowInvalid } from '../../collection/write/row-body.ts'
import {
  changeOf,
  createOf,
  type DrawRowId,
  jobOf,
  removeOf,
  replaceByKeyOf,
  replaceOf,
} from '../../collection/write/writes.ts'
import { HoldfastError } from '../../errors.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import { sendError } from '../server/answers.ts'
import { mountPrefixOf } from '../server/mount.ts'
import { DataExchange } from './data-exchange.ts'
import { refuseQuery } from './data-request.ts'
import type { RequestLimits, RequestLimitsDeps } from './request-limits.ts'
import type { ServedCollection } from './served-collection.ts'
import { answerWrite, readWriteBody, requestKeyIn, rowIdsOf, type WriteLimits } from './write-answer.ts'

/** Operations of one batch. */
const operationsMax = 100

/** What the route of batches works with. */
export interface BatchParts {
  readonly deps: Pick<RequestLimitsDeps, 'settings'> & {
    readonly collections: () => ReadonlyMap<string, ServedCollection>
    readonly authenticator: Authenticator
  }
  readonly limits: RequestLimits
  readonly large: WriteLimits['large']
}

/** One operation of a batch, read. */
interface BatchOperation {
  readonly served: ServedCollection
  readonly does: Operation
  readonly operation: RowOperation
}

/** `POST /api`: writes to any collections as one transaction. */
export function batchRoute({ deps, limits, large }: BatchParts): Middleware {
  return (req, res) => {
    if (req.method !== 'POST' && req.method !== 'OPTIONS') {
      res.setHeader('Allow', 'POST, OPTIONS')
      return sendError(req, res, new HoldfastError('METHOD_NOT_ALLOWED'))
    }
    if (req.method === 'OPTIONS') {
      res.writeHead(204, { Allow: 'POST, OPTIONS' }).end()
      return
    }
    const run = async (): Promise<void> => {
      const caller = await deps.authenticator.identify(req)
      // What each operation may do is decided where it is read.
      const nothing = { answered: [], isWhole: true, asked: new Set<string>(), written: new Set<string>() }
      const exchange = new DataExchange(req, res, { caller, rule: null, fields: nothing })
      await new Batch(exchange, deps.collections(), limits).answer({ settings: deps.settings(), large })
    }
    run().catch((error: unknown) => sendError(req, res, error))
  }
}

class Batch {
  readonly #exchange: DataExchange
  readonly #collections: ReadonlyMap<string, ServedCollection>
  readonly #limits: RequestLimits

  constructor(exchange: DataExchange, collections: ReadonlyMap<string, ServedCollection>, limits: RequestLimits) {
    this.#exchange = exchange
    this.#collections = collections
    this.#limits = limits
  }

  async answer(limits: WriteLimits): Promise<void> {
    const exchange = this.#exchange
    const { req, res, granted } = exchange
    refuseQuery(req.search)
    exchange.readPreferences()
    const body = await readWriteBody(exchange, limits)
    const key = requestKeyIn(exchange, [body])
    const drawRowId = rowIdsOf(key)
    const operations: BatchOperation[] = []
    for (const [at, given] of operationsIn(body).entries()) {
      try {
        const one = readOperation(given, at, { caller: granted.caller, collections: this.#collections, drawRowId })
        operations.push(one)
        const { collection } = one.served
        const counted = one.operation.is === 'replace' ? 'create' : one.does
        await this.#limits.take({ req, res, caller: granted.caller, collection, operation: counted })
      } catch (error) {
        throw placedError(error, { pointer: '', operation: at })
      }
    }
    const [first] = operations
    if (first === undefined) throw new Error('unreachable: a batch has an operation')
    const job = jobOf(operations.map(({ operation }) => operation))
    const answerOf = batchAnswer(mountPrefixOf(req), operations, exchange.returned === 'minimal')
    try {
      await answerWrite(exchange, first.served.runner, job, answerOf, key === null ? null : { key, single: null })
    } catch (thrown) {
      const failed = thrown instanceof HoldfastError ? operations[thrown.operation ?? -1] : first
      const error = failed === undefined ? thrown : await failed.served.access.explained(thrown, failed.does)
      exchange.describeError(error)
      throw error
    }
  }
}

function operationsIn(body: unknown): readonly unknown[] {
  const operations = isJsonObject(body) ? body.operations : undefined
  const others = isJsonObject(body) ? Object.keys(body).filter((name) => name !== 'operations') : []
  if (!Array.isArray(operations) || others.length > 0 || operations.length === 0) {
    const message = 'A batch is {"operations": [{"method", "path", "body", "ifMatch"}]} with at least one operation.'
    throw rowInvalid([{ pointer: '', message }])
  }
  if (operations.length > operationsMax) {
    throw new HoldfastError('BODY_TOO_LARGE', { detail: `A batch may have ${operationsMax} operations.` })
  }
  return operations
}

interface Reading {
  readonly caller: Caller
  readonly collections: ReadonlyMap<string, ServedCollection>
  readonly drawRowId: DrawRowId
}

/** What a path leads to. */
interface BatchPath {
  readonly served: ServedCollection
  /** Null: the collection itself. */
  readonly id: string | null
  readonly search: string
}

const members: ReadonlySet<string> = new Set(['method', 'path', 'body', 'ifMatch'])

function readOperation(given: unknown, at: number, reading: Reading): BatchOperation {
  if (!isJsonObject(given) || Object.keys(given).some((name) => !members.has(name))) {
    throw rowInvalid([{ pointer: '', message: 'An operation has "method", "path", "body" and "ifMatch".' }])
  }
  const { method, path, ifMatch } = given
  if (typeof path !== 'string' || (ifMatch !== undefined && typeof ifMatch !== 'string')) {
    throw rowInvalid([{ pointer: '/path', message: '"path" is text, such as "/api/orders"; so is "ifMatch".' }])
  }
  const target = pathOf(path, reading.collections)
  const does = operationOf(method, target)
  const operation = writeOf(does, target, { ...given, place: { pointer: '', operation: at } }, reading)
  return { served: target.served, does, operation }
}

function pathOf(path: string, collections: Reading['collections']): BatchPath {
  const [, name = '', id, search = ''] = /^\/api\/([^/?]{1,63})(?:\/([^/?]{1,100}))?(\?.*)?$/.exec(path) ?? []
  const served = collections.get(name)
  if (served === undefined) throw new HoldfastError('COLLECTION_NOT_FOUND')
  const known = id === undefined ? null : parseId(id)
  if (id !== undefined && known === null) throw new HoldfastError('ROW_NOT_FOUND')
  return { served, id: known, search }
}

/** One row each: arrays and deletes by condition are requests of their own. */
function operationOf(method: unknown, { id, search }: BatchPath): Operation {
  if (method === 'POST' && id === null) return 'create'
  if (method === 'PUT' && (id !== null || search.length > 1)) return 'update'
  if (method === 'PATCH' && id !== null) return 'update'
  if (method === 'DELETE' && id !== null) return 'delete'
  throw new HoldfastError('METHOD_NOT_ALLOWED', {
    detail: 'An operation is POST to a collection, or PUT, PATCH or DELETE of one row.',
  })
}

function writeOf(
  does: Operation,
  { served, id, search }: BatchPath,
  given: {
    readonly method?: unknown
    readonly body?: unknown
    readonly ifMatch?: unknown
    readonly place: RowOperation['place']
  },
  { caller, drawRowId }: Reading,
): RowOperation {
  const { collection, written } = served
  const { body, place } = given
  const granted = permit(collection, does, caller)
  const match = parsePrecondition(typeof given.ifMatch === 'string' ? given.ifMatch : undefined, false)
  const isByKey = does === 'update' && id === null
  if (!isByKey) refuseQuery(search)
  if (does === 'create') return createOf(written, body, granted, drawRowId, place)
  if (does === 'delete') return removeOf(written, id ?? '', match, granted, place)
  if (given.method === 'PATCH') return changeOf(written, id ?? '', { body, mode: 'set', match }, granted, place)
  const conditions = { match, isNewOnly: false, creating: permit(collection, 'create', caller) }
  if (id !== null) return replaceOf(written, id, body, granted, conditions, place)
  const key = parseKeyAddress({ collection, asked: granted.fields.asked }, search)
  return { ...replaceByKeyOf(written, key, body, granted, conditions), place }
}

/** The results in the order of the operations, each as the answer of a request of its own would be. */
function batchAnswer(mount: string, operations: readonly BatchOperation[], isMinimal: boolean): AnswerOf {
  return (results, isShort) => {
    const texts = results.map((result, at) => {
      const base = `${mount}/api/${operations[at]?.served.collection.name}`
      return resultText(result, base, isMinimal || isShort)
    })
    return { status: 200, headers: {}, text: `{"results":[${texts.join(',')}]}` }
  }
}

function resultText({ is, id, etag, text }: WriteResult, base: string, isMinimal: boolean): string {
  const isBare = isMinimal || is === 'removed'
  const status = isBare ? 204 : is === 'created' ? 201 : 200
  const location = is === 'created' ? `,"location":${JSON.stringify(`${base}/${id}`)}` : ''
  const version = etag === null ? '' : `,"etag":${JSON.stringify(etag)}`
  return `{"status":${status}${location}${version}${isBare ? '' : `,"body":${text}`}}`
}

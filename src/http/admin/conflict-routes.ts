import type { Secret } from '../../config/secret.ts'
import { FaultError } from '../../driver/fault.ts'
import { HoldfastError } from '../../errors.ts'
import { isUuid } from '../../journal/conflict/conflict-rows.ts'
import type { Conflicts, Settling } from '../../journal/conflict/conflicts.ts'
import { settlingSentence } from '../../journal/conflict/settling-sentence.ts'
import { requireAdmin } from '../auth/admin.ts'
import { sendJson } from '../server/answers.ts'
import type { App } from '../server/app.ts'

/** Conflicts of one answer. */
const pageMax = 100

/** What the routes need; `conflicts` is null while no primary is open. */
export interface ConflictRoutesParts {
  readonly token: () => Secret
  readonly conflicts: () => Conflicts | null
}

type Handler = Parameters<App['get']>[1]

/**
 * Adds `GET /admin/conflicts` and `/admin/conflicts/ID`, and `POST /admin/conflicts/ID/take/ours`, `.../take/theirs` and
 * `.../retry`, behind the admin token. A list has at most 100 conflicts; `?after=` the last one's `transaction`
 * continues it, `?state=settled` lists those that are settled.
 */
export function addConflictRoutes(app: App, { token, conflicts }: ConflictRoutesParts): void {
  const answer =
    (
      work: (
        conflicts: Conflicts,
        params: Readonly<Record<string, string | undefined>>,
        query: URLSearchParams,
      ) => Promise<object>,
    ): Handler =>
    async (req, res) => {
      requireAdmin(req, token())
      const open = conflicts()
      if (open === null)
        throw new HoldfastError('STORE_UNAVAILABLE', { detail: 'The primary is not open.', retryAfterS: 1 })
      const query = new URLSearchParams(req.url?.split('?')[1] ?? '')
      const body = await work(open, req.params, query).catch((error: unknown) => {
        throw error instanceof FaultError
          ? new HoldfastError('STORE_UNAVAILABLE', { cause: error, retryAfterS: 1 })
          : error
      })
      sendJson(res, 200, JSON.stringify(body, null, 2), { 'Cache-Control': 'no-store' })
    }
  const list = answer(async (open, _, query) => {
    const after = query.get('after')
    const state = query.get('state') ?? 'open'
    if (state !== 'open' && state !== 'settled')
      throw new HoldfastError('QUERY_INVALID', { detail: '"state" is "open" or "settled".' })
    if (after !== null && !isUuid(after))
      throw new HoldfastError('QUERY_INVALID', { detail: '"after" is the "transaction" of a conflict.' })
    return { items: await open.list(pageMax, after, state) }
  })
  const show = answer(async (open, { id = '' }) => (await open.show(id)) ?? refusedSettling({ is: 'absent' }))
  const take = answer(async (open, { id = '', side }) => {
    if (side !== 'ours' && side !== 'theirs') throw new HoldfastError('ROUTE_NOT_FOUND')
    return settledOf(await open.take(id, side))
  })
  app.get('/admin/conflicts', list)
  app.get('/admin/conflicts/:id', show)
  app.post('/admin/conflicts/:id/take/:side', take)
  app.post(
    '/admin/conflicts/:id/retry',
    answer(async (open, { id = '' }) => settledOf(await open.retry(id))),
  )
}

function settledOf(outcome: Settling): object {
  return outcome.is === 'settled' || outcome.is === 'settled-before' ? outcome : refusedSettling(outcome)
}

function refusedSettling(outcome: Settling): never {
  const detail = settlingSentence(outcome)
  if (outcome.is === 'absent')
    throw new HoldfastError('ROW_NOT_FOUND', { detail, hint: 'GET /admin/conflicts lists them.' })
  throw new HoldfastError('CONFLICT', { detail, hint: 'GET /admin/conflicts/ID shows it as it is now.' })
}

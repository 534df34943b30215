import type { Hosted } from '../support/hosted.ts'
import { until } from '../support/until.ts'

/** The admin token of services whose database fails. */
export const admin = 'an-admin-token-of-some-length'

/** Settings of a service that gives up soon, so that a test of a failure need not wait. */
export const hurriedEnv: Readonly<Record<string, string>> = {
  ADMIN_TOKEN: admin,
  RATE_LIMIT: '0',
  QUERY_TIMEOUT: '1s',
  CONNECTION_TIMEOUT: '2s',
  FALLBACK_TIMEOUT: '2s',
  MAX_RETRIES_PRIMARY: '0',
  LOG_REQUESTS: 'false',
  DATA_DURABLE: 'true',
}

/** Which store answers now; null while none does. */
export async function storeOf(service: Hosted): Promise<string | null> {
  const answer = await service.fetch('/api/feedback?limit=1')
  await answer.text()
  return answer.status === 200 ? answer.headers.get('holdfast-store') : null
}

/** The service once this store answers: a machine that does much else may need more than the limits above to connect. */
export async function ready<S extends Hosted>(starting: Promise<S>, store: string): Promise<S> {
  const service = await starting
  await reach(service, store)
  return service
}

/** Milliseconds until this store answers. */
export async function reach(service: Hosted, store: string, withinMs = 30_000): Promise<number> {
  const since = performance.now()
  await until(async () => (await storeOf(service)) === store, { withinMs, everyMs: 10, what: `the store "${store}"` })
  return performance.now() - since
}

/** `/status` as the admin sees it. */
export async function statusText(service: Hosted): Promise<string> {
  return await (await service.fetch('/status', { headers: { authorization: `Bearer ${admin}` } })).text()
}

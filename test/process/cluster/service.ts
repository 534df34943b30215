import { type ProcessOptions, type Service, startService } from '../../support/process.ts'
import type { PostgresCluster } from '../../support/servers/postgres-cluster.ts'
import type { Cleanup } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { admin, hurriedEnv, reach } from '../serving.ts'

/** How `Holdfast-Store` names the two. */
export const primary = 'primary; driver=postgresql'
export const fallback = 'fallback; driver=sqlite'

/** A busy machine needs longer than the defaults for a promotion, which is not what these tests are about. */
export const patientEnv: Readonly<Record<string, string>> = {
  ...hurriedEnv,
  DRIVERS: 'sqlite,postgresql',
  QUERY_TIMEOUT: '10s',
  CONNECTION_TIMEOUT: '30s',
  FALLBACK_TIMEOUT: '30s',
  FAILOVER_WAIT: '60s',
  MAX_RETRIES_PRIMARY: '2',
  COPY: 'off',
}

/** A service of this address that serves from the primary. */
export async function serve(t: Cleanup, url: string, env: ProcessOptions['env'] = {}): Promise<Service> {
  const service = await startService(t, { env: { ...patientEnv, DATABASE_URL: url, ...env } })
  return service
}

/** The same, once the primary answers. */
export async function servePrimary(t: Cleanup, url: string, env: ProcessOptions['env'] = {}): Promise<Service> {
  const service = await serve(t, url, env)
  await reach(service, primary)
  return service
}

/** An answer to a write. */
export interface Written {
  readonly status: number
  readonly store: string | null
  readonly code: string | null
  readonly id: string | null
}

/** Creates a row. */
export async function create(service: Service, rating = 5): Promise<Written> {
  const answer = await service.send('POST', '/api/feedback', { rating }, admin)
  const body = (await answer.json()) as { code?: string; id?: string } // Ours.
  const store = answer.headers.get('holdfast-store')
  return { status: answer.status, store, code: body.code ?? null, id: body.id ?? null }
}

/** How an answer is counted. */
export function shortOf({ status, store, code }: Written): string {
  return status === 201 ? `${status} ${store}` : `${status} ${code}`
}

/** Clients that create rows one after the other while `work` runs, and each at least once after it: what they were answered. */
export async function writingWhile(
  service: Service,
  work: () => Promise<void>,
  clients = 4,
): Promise<readonly Written[]> {
  const answers: Written[] = []
  let isOver = false
  const client = async (): Promise<void> => {
    for (let isLast = false; !isLast; ) {
      isLast = isOver
      answers.push(await create(service))
    }
  }
  const writers = Array.from({ length: clients }, client)
  await until(() => answers.length >= clients, { withinMs: 30_000, what: 'the first rows' })
  await work()
  isOver = true
  await Promise.all(writers)
  return answers
}

/** The ids of the rows of a member that runs. */
export async function idsIn(member: PostgresCluster['primary'], database: string): Promise<readonly unknown[]> {
  return (await member.query('select id from feedback order by id', database)).map(({ id }) => id)
}

/** From state to state, as the log has it. */
export function changesOf(service: Service): readonly string[] {
  return service
    .log()
    .filter(({ event }) => event === 'connection.changed')
    .map(({ to }) => String(to))
}

import type { Collection } from '../../src/collection/declaration/declaration.ts'
import { createHoldfast, type Holdfast, type Observation, type SettingsInput } from '../../src/index.ts'
import type { Server } from '../journal/bench.ts'
import { startProxy, type TcpProxy } from '../support/servers/tcp-proxy.ts'
import { settingsFromOptions } from '../support/settings.ts'
import { type Cleanup, cleanLater, makeTempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'

const publicly = { create: 'public', list: 'public', get: 'public', update: 'public', delete: 'public' } as const

export const notes: Collection = {
  name: 'notes',
  fields: { text: { type: 'string' }, stars: { type: 'integer' } },
  access: publicly,
}

/** A row as it is answered. */
export interface Note {
  readonly id: string
  readonly text: string | null
  readonly stars: number | null
}

/** A service whose primary is a database of a real server, behind a proxy. */
export class CopiedService {
  readonly holdfast: Holdfast
  readonly url: string
  readonly proxy: TcpProxy
  readonly seen: Observation[]
  readonly dir: string
  readonly #settings: SettingsInput

  constructor(parts: Pick<CopiedService, 'holdfast' | 'url' | 'proxy' | 'seen' | 'dir'> & { settings: SettingsInput }) {
    this.holdfast = parts.holdfast
    this.url = parts.url
    this.proxy = parts.proxy
    this.seen = parts.seen
    this.dir = parts.dir
    this.#settings = parts.settings
  }

  /** Applies other settings of the copy. */
  async reload(more: Pick<SettingsInput, 'copies'>): Promise<void> {
    const { applied } = await this.holdfast.reload(settingsFromOptions({ ...this.#settings, ...more }))
    if (!applied) throw new Error('The settings were not applied.')
  }

  /** Sends a request to the collection. */
  fetch(path = '', init: RequestInit = {}): Promise<Response> {
    const headers = { 'content-type': 'application/json', ...init.headers }
    return fetch(`${this.url}/api/notes${path}`, { ...init, headers })
  }

  async create(text: string): Promise<Note> {
    const answer = await this.fetch('', { method: 'POST', body: JSON.stringify({ text }) })
    if (answer.status !== 201) throw new Error(`The create got ${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as Note // As declared.
  }

  /** The series of a metric by its labels. */
  async metric(series: string): Promise<number | undefined> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    const line = text.split('\n').find((one) => one.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length + 1))
  }

  /** Waits until the copy is whole. */
  async whole(collection = 'notes'): Promise<void> {
    const name = `holdfast_copy_complete{collection="${collection}"}`
    await until(async () => (await this.metric(name)) === 1, { what: 'a complete copy', withinMs: 20_000 })
  }

  /** Waits until another look at the copy has begun. */
  async sweptAgain(): Promise<void> {
    const nowMs = Date.now()
    const age = async () => (await this.metric('holdfast_copy_age_seconds{collection="notes"}')) ?? Number.NaN
    await until(async () => Date.now() - (await age()) * 1000 > nowMs, { what: 'a sweep', withinMs: 20_000 })
  }

  /** Makes the primary unreachable, and waits until the fallback serves. */
  async lose(): Promise<void> {
    await this.proxy.refuse()
    this.proxy.dropAll()
    await this.#served('fallback')
  }

  async giveBack(): Promise<void> {
    await this.proxy.accept()
    await this.#served('primary')
  }

  async #served(shown: string): Promise<void> {
    const store = async () => (await this.fetch('?limit=1')).headers.get('holdfast-store')
    await until(async () => (await store())?.startsWith(shown) === true, { what: shown, withinMs: 20_000 })
  }
}

/** Starts a service on this database, or a new one. */
export async function startCopied(
  t: Cleanup,
  server: Server,
  more: {
    readonly database?: string
    readonly dir?: string
    readonly collections?: readonly Collection[]
    readonly settings?: Pick<SettingsInput, 'copies'>
    readonly fallback?: SettingsInput['fallback']
    /** Of an earlier service, where the primary is to be where it was. */
    readonly proxy?: TcpProxy
    /** The primary is unreachable from the start. */
    readonly isLost?: boolean
  } = {},
): Promise<CopiedService> {
  const database = more.database ?? (await server.createDatabase())
  const proxy = more.proxy ?? (await startProxy(t, { port: Number(new URL(server.url(database)).port) }))
  if (more.isLost === true) await proxy.refuse()
  const dir = more.dir ?? (await makeTempDir(t, 'copy'))
  const seen: Observation[] = []
  const settings: SettingsInput = {
    ...more.settings,
    data: { dir },
    database: { url: server.url(database, proxy.port) },
    fallback: { timeoutS: 2, maxRetriesPrimary: 0, ...more.fallback },
    http: { rateLimit: 0 },
  }
  const holdfast = createHoldfast({
    collections: more.collections ?? [notes],
    observe: (one) => seen.push(one),
    settings,
  })
  cleanLater(t, () => holdfast.close({ withinMs: 2_000 }))
  await holdfast.open()
  // A loaded machine may take longer to connect than the timeout above.
  const state = more.isLost === true ? 'FALLBACK_CONNECTED' : 'PRIMARY_CONNECTED'
  await until(() => holdfast.status().database.state === state, { what: state, withinMs: 20_000 })
  const { url } = await holdfast.listen({ port: 0, host: '127.0.0.1' })
  return new CopiedService({ holdfast, url, proxy, seen, dir, settings })
}

import type { Service } from '../../support/process.ts'
import { until } from '../../support/until.ts'
import { type CopyReading, endingOf, type History, type Side, type WriteRecord } from '../history/history.ts'
import type { ItemFields, Step, TransactionRequest } from './steps.ts'

/** The admin token of the services under test. */
export const adminToken = 'an-admin-token-of-some-length'

/** An answer, read whole. */
export interface Answer {
  readonly status: number
  readonly code: string | null
  readonly side: Side | null
  readonly durability: string | null
  /** `Holdfast-Archive-Lag`, in seconds; null: it is not there. */
  readonly lagS: number | null
  /** The attempt that the ETag names. */
  readonly attempt: string | null
  readonly partial: boolean
  /** `Holdfast-As-Of`, in milliseconds since 1970; null: it is from no copy. */
  readonly asOfMs: number | null
  readonly retryAfter: string | null
  /** The row, the list or the problem; null without a body. */
  readonly body: Readonly<Record<string, unknown>> | null
}

/** What the application says of itself. */
export interface Status {
  readonly database: {
    readonly state: string
    readonly recovery: string | null
    readonly activeSessions: number
  }
}

/** A write that was answered. */
export interface Written extends Answer {
  readonly write: WriteRecord
}

/** A service under test, and a client that keeps its history. */
export class Actor {
  readonly service: Service
  readonly name: string
  readonly #history: History

  constructor(name: string, service: Service, history: History) {
    this.name = name
    this.service = service
    this.#history = history
  }

  async create(fields: Partial<ItemFields> = {}, prefer?: string): Promise<Written> {
    const write = this.#history.begin({ client: this.name, operation: 'create', ...tokenOf(fields) })
    const body = { ...fields, token: write.token }
    const answer = await this.#settle(write, () => this.send('POST', '/api/item', body, preferring(prefer)))
    return { ...answer, write }
  }

  /** Creates rows until one is acknowledged: on a busy machine a limit may be exceeded. */
  async keep(): Promise<Written> {
    return await until(
      async () => {
        const created = await this.create()
        return created.write.ending === 'acknowledged' ? created : null
      },
      { withinMs: 40_000, what: 'a create to be acknowledged' },
    )
  }

  /** `base`: If-Match. `seen`: the attempt that it had when this client saw it in the same database. */
  async change(
    id: string,
    { base = null, seen = null, ...fields }: Partial<ItemFields> & { base?: string | null; seen?: string | null } = {},
    prefer?: string,
  ): Promise<Written> {
    const begun = { client: this.name, operation: 'change', ids: [id], base, seen, ...tokenOf(fields) } as const
    const write = this.#history.begin(begun)
    const body = { ...fields, token: write.token }
    const headers = { ...matching(base), ...preferring(prefer) }
    const answer = await this.#settle(write, () => this.send('PATCH', `/api/item/${id}`, body, headers))
    return { ...answer, write }
  }

  async remove(id: string, base: string | null = null, prefer?: string): Promise<Written> {
    const write = this.#history.begin({ client: this.name, operation: 'remove', ids: [id], base })
    const headers = { ...matching(base), ...preferring(prefer) }
    const answer = await this.#settle(write, () => this.send('DELETE', `/api/item/${id}`, undefined, headers))
    return { ...answer, write }
  }

  /**
   * Business code in one transaction, or with a session of its own, each flush of which is one. `steps` get the token that
   * each row has to hold.
   */
  async run(
    steps: (token: string) => readonly Step[],
    { rows = 1, ids = [], rerun, at = '/transaction', token }: RunOptions = {},
  ): Promise<Written> {
    const named = token === undefined ? {} : { token }
    const write = this.#history.begin({ client: this.name, operation: 'transaction', rows, ids, ...named })
    const request: TransactionRequest = { steps: steps(write.token), ...(rerun === undefined ? {} : { rerun }) }
    const answer = await this.#settle(write, () => this.send('POST', at, request))
    return { ...answer, write }
  }

  async get(id: string): Promise<Answer> {
    const sentMs = Date.now()
    const answer = await this.send('GET', `/api/item/${id}`)
    const { status, body, attempt } = answer
    if (status === 200) this.#read(answer, sentMs, [{ id, token: String(body?.token), attempt }], null)
    if (status === 404) this.#read(answer, sentMs, [], { id })
    return answer
  }

  async list(limit: number = 100): Promise<Answer> {
    const sentMs = Date.now()
    const answer = await this.send('GET', `/api/item?limit=${limit}`)
    const { status, body } = answer
    const items = Array.isArray(body?.items) ? (body.items as readonly { id: string; token: string }[]) : null // Rows of ours.
    if (status === 200 && items !== null) {
      const rows = items.map(({ id, token }) => ({ id, token, attempt: null }))
      this.#read(answer, sentMs, rows, { above: body?.next === null ? null : (items.at(-1)?.id ?? null) })
    }
    return answer
  }

  async status(): Promise<Status> {
    return (await (await this.service.fetch('/state')).json()) as Status // Ours.
  }

  async state(): Promise<string> {
    return (await this.status()).database.state
  }

  /** Waits until it serves from the primary, or from the fallback. */
  async serves(side: 'primary' | 'fallback', withinMs: number = 40_000): Promise<void> {
    const wanted = side === 'primary' ? 'PRIMARY_CONNECTED' : 'FALLBACK_CONNECTED'
    const look = async (): Promise<boolean> => (await this.state()) === wanted
    await until(look, { withinMs, what: `${this.name} to be ${wanted}` })
  }

  /** Waits until a problem, or the code of a fault, is in its status, or is not any more. */
  async hasProblem(code: string, isWanted: boolean = true, withinMs: number = 40_000): Promise<void> {
    const look = async (): Promise<boolean> => JSON.stringify(await this.status()).includes(`"${code}"`) === isWanted
    await until(look, { withinMs, what: `${code} of ${this.name} to be ${isWanted ? 'there' : 'gone'}` })
  }

  /** Lets business code that waits by this name go on, as soon as it has come there. */
  async release(name: string): Promise<void> {
    await until(async () => (await (await this.service.fetch(`/go/${name}`, { method: 'POST' })).text()) === 'true', {
      what: `the step "${name}"`,
    })
  }

  /** SIGKILL; whatever was not answered is unknown. */
  async kill(): Promise<void> {
    await this.service.end('SIGKILL')
  }

  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await this.service.fetch(path, {
      method,
      headers: { 'holdfast-token': adminToken, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const parsed = text === '' ? null : (JSON.parse(text) as Readonly<Record<string, unknown>>) // Ours: an object.
    return {
      status: response.status,
      code: response.status < 400 ? null : String(parsed?.code),
      side: sideOf(response.headers.get('holdfast-store')),
      durability: response.headers.get('holdfast-durability'),
      lagS: secondsOf(response.headers.get('holdfast-archive-lag')),
      attempt: /^"(.*)"$/.exec(response.headers.get('etag') ?? '')?.[1] ?? null,
      partial: parsed?.partial === true,
      asOfMs: instantOf(response.headers.get('holdfast-as-of')),
      retryAfter: response.headers.get('retry-after'),
      body: parsed,
    }
  }

  #read(
    { side, partial, asOfMs }: Answer,
    sentMs: number,
    rows: CopyReading['rows'],
    without: CopyReading['without'],
  ): void {
    if (side !== 'fallback' || asOfMs === null) return
    if (partial) this.#history.contradict(`${this.name} answered a part of a collection from a whole copy`)
    this.#history.read({ client: this.name, asOfMs, sentMs, receivedMs: Date.now(), rows, without })
  }

  /** A connection that breaks leaves the write unknown: the service was killed. */
  async #settle(write: WriteRecord, send: () => Promise<Answer>): Promise<Answer> {
    let answer: Answer
    try {
      answer = await send()
    } catch (error) {
      write.ending = 'unknown'
      write.said = String(error instanceof Error ? (error.cause ?? error) : error)
      write.endedMs = Date.now()
      return { ...noAnswer }
    }
    write.endedMs = Date.now()
    write.ending = endingOf(answer.status, answer.code)
    write.side = answer.side
    write.durability = answer.durability
    write.lagS = answer.lagS
    write.said = answer.code ?? String(answer.status)
    if (write.ending !== 'acknowledged') return answer
    const { id, ids, attempt } = answer.body ?? {}
    write.attempt = answer.attempt ?? (typeof attempt === 'string' ? attempt : null)
    if (typeof id === 'string') write.ids = [id]
    if (Array.isArray(ids) && ids.length > 0) write.ids = ids
    return answer
  }
}

/** How business code is run. */
export interface RunOptions {
  readonly rows?: number
  readonly ids?: readonly string[]
  readonly rerun?: 'before-commit' | 'always'
  readonly at?: '/transaction' | '/handler'
  readonly token?: string
}

const noAnswer: Answer = {
  ...{
    status: 0,
    code: null,
    side: null,
    durability: null,
    lagS: null,
    attempt: null,
    partial: false,
    asOfMs: null,
    retryAfter: null,
    body: null,
  },
}

function sideOf(store: string | null): Side | null {
  const [name] = store?.split(';') ?? []
  return name === 'primary' || name === 'fallback' || name === 'local' ? name : null
}

function instantOf(text: string | null): number | null {
  return text === null ? null : Date.parse(text)
}

/** Null also where it is not known. */
function secondsOf(text: string | null): number | null {
  const seconds = Number(text ?? Number.NaN)
  return Number.isFinite(seconds) ? seconds : null
}

function tokenOf({ token }: Partial<ItemFields>): { readonly token?: string } {
  return token === undefined ? {} : { token }
}

function matching(base: string | null): Readonly<Record<string, string>> {
  return base === null ? {} : { 'if-match': `"${base}"` }
}

function preferring(prefer: string | undefined): Readonly<Record<string, string>> {
  return prefer === undefined ? {} : { prefer }
}

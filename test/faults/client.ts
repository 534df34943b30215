import { Connection, sideOf } from './connection.ts'
import { pause } from './fault.ts'
import { isUnknown, type KeptRow, type Ledger, type Side } from './ledger.ts'
import type { Random } from './random.ts'
import type { Tally } from './tally.ts'

/** What a client works against. */
export interface ClientParts {
  readonly port: number
  readonly token: string
  /** Its own number, in the tokens of its rows. */
  readonly number: number
  readonly everyMs: number
  /** An answer that comes later is a hang. */
  readonly limitMs: number
  readonly random: Random
  readonly ledger: Ledger
  readonly tally: Tally
}

interface Answer {
  readonly status: number
  readonly side: Side | null
  readonly etag: string | null
  /** The row or the problem; null without a body. */
  readonly body: Readonly<Record<string, unknown>> | null
}

/** Rows that one client goes on working with; all are looked for at the end. */
const keptRows = 60

/** Status codes of answers that are neither refusals nor a fault of the service. */
const expected: ReadonlySet<number> = new Set([200, 201, 204, 404, 412])

/** One connection that is kept, and the rows that only it works with: so it knows what each answer has to be. */
export class Client {
  readonly #parts: ClientParts
  readonly #connection: Connection
  #rows: KeptRow[] = []
  readonly #etags = new WeakMap<KeptRow, string>()
  #side: Side | null = null
  #made = 0
  #isOver = false

  constructor(parts: ClientParts) {
    this.#parts = parts
    this.#connection = new Connection(parts)
  }

  /** Sends one request after another until it is stopped. */
  async run(): Promise<void> {
    const { everyMs, random } = this.#parts
    await pause(random.between(0, everyMs))
    let dueMs = performance.now()
    while (!this.#isOver) {
      await this.#step().catch((error: Error) => this.#violate(`${error.message}`))
      dueMs = Math.max(dueMs + everyMs * (0.5 + random.next()), performance.now() + 1)
      await pause(Math.max(1, dueMs - performance.now()))
    }
    this.#connection.end()
  }

  stop(): void {
    this.#isOver = true
  }

  async #step(): Promise<void> {
    const { random } = this.#parts
    const row = this.#choose()
    const dice = random.next()
    if (dice < 0.15) await this.#list()
    else if (row === null || dice < 0.4) await this.#create()
    else if (dice < 0.7) await this.#get(row)
    else if (dice < 0.88) await this.#change(row)
    else await this.#remove(row)
    if (this.#rows.length > keptRows) this.#rows = this.#rows.toSpliced(random.between(0, keptRows), 1)
  }

  /** Mostly a row of the side that answered last: of the other one there is nothing but "not found". */
  #choose(): KeptRow | null {
    const { random } = this.#parts
    const near = random.next() < 0.9 ? this.#rows.filter(({ side }) => side === this.#side) : this.#rows
    return near[random.between(0, near.length - 1)] ?? null
  }

  async #list(): Promise<void> {
    const { status, body } = await this.#send('GET', '/api/feedback?limit=20')
    if (status === 200 && !Array.isArray(body?.items)) this.#violate('a list without items')
  }

  async #create(): Promise<void> {
    const { ledger, number } = this.#parts
    this.#made += 1
    const token = `c${number}-${this.#made}`
    const { status, side, etag, body } = await this.#send('POST', '/api/feedback', {
      ...{ rating: 3, comment: token, model: 'v0', meta: { some: ['thing', 1, null] } },
    })
    if (status === 201 && side !== null) {
      const row = { id: String(body?.id), token, side, values: new Set(['v0']), mayBeGone: false, isGone: false }
      ledger.rows.push(row)
      this.#rows.push(row)
      if (etag !== null) this.#etags.set(row, etag)
    } else if (isUnknown(status, body)) {
      ledger.unknown.add(token)
      ledger.unknownWrites += 1
    } else {
      ledger.refused.add(token)
    }
  }

  async #get(row: KeptRow): Promise<void> {
    const { status, side, body } = await this.#send('GET', `/api/feedback/${row.id}`)
    if (status === 404) this.#missed(row, side, 'read')
    if (status !== 200) return
    if (side !== row.side) this.#violate(`${row.token} of the ${row.side} was read from the ${side}`)
    const value = String(body?.model)
    if (!row.values.has(value)) this.#violate(`${row.token} reads ${value}, not ${[...row.values].join(' or ')}`)
  }

  async #change(row: KeptRow): Promise<void> {
    const { ledger, random } = this.#parts
    this.#made += 1
    const value = `v${this.#made}`
    const etag = random.next() < 0.3 ? this.#etags.get(row) : undefined
    const headers = etag === undefined ? {} : { 'if-match': etag }
    const answer = await this.#send('PATCH', `/api/feedback/${row.id}`, { model: value, rating: 1 }, headers)
    if (answer.status === 200) {
      if (answer.side !== row.side) this.#violate(`${row.token} of the ${row.side} was changed on the ${answer.side}`)
      row.values = new Set([value])
      if (answer.etag !== null) this.#etags.set(row, answer.etag)
    } else if (isUnknown(answer.status, answer.body)) {
      row.values.add(value)
      ledger.unknownWrites += 1
    } else if (answer.status === 404) this.#missed(row, answer.side, 'changed')
    else if (answer.status === 412 && row.values.size === 1) {
      this.#violate(`${row.token} was refused with 412 although nobody else changes it`)
    }
  }

  async #remove(row: KeptRow): Promise<void> {
    const { status, side, body } = await this.#send('DELETE', `/api/feedback/${row.id}`)
    if (status === 204 && side === 'primary' && row.side === 'fallback') {
      // A first try whose outcome is unknown may have removed it, for all that the primary knows: it is not there.
      this.#parts.ledger.absentDeletes += 1
    } else if (status === 204) {
      if (side !== row.side) this.#violate(`${row.token} of the ${row.side} was deleted on the ${side}`)
      row.isGone = true
    } else if (isUnknown(status, body)) {
      row.mayBeGone = true
      this.#parts.ledger.unknownWrites += 1
    } else if (status === 404) this.#missed(row, side, 'deleted')
    if (row.isGone || row.mayBeGone) this.#rows = this.#rows.filter((other) => other !== row)
  }

  /** "There is no such row" is right where the other side answers, or after a delete that may have happened. */
  #missed(row: KeptRow, side: Side | null, what: string): void {
    if (side === row.side && !row.mayBeGone)
      this.#violate(`${row.token} is on the ${row.side} and could not be ${what}`)
    if (side === null) this.#violate(`${row.token} could not be ${what}, and no store is named`)
  }

  async #send(
    method: string,
    path: string,
    body?: Readonly<Record<string, unknown>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const { status, body: parsed, headers: got } = await this.#connection.send(method, path, body, headers)
    if (!expected.has(status) && status !== 503) this.#violate(`${method} ${path} was answered ${status}`)
    const side = sideOf(got)
    this.#side = side ?? this.#side
    return { status, side, etag: got.etag ?? null, body: parsed }
  }

  #violate(what: string): void {
    this.#parts.tally.violate(what)
  }
}

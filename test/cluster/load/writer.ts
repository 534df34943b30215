import type { Asking, Reply } from './asking.ts'
import type { Change, ChangeEnding, CounterRow, Ledger, LedgerRow } from './ledger.ts'

/** Between two requests of one client. */
const pauseMs = 35

/** Rows that one client goes on working with. */
const keptRows = 20

/** What the clients of all services share. */
export interface Shared {
  readonly ledger: Ledger
  /** True: they increment the same rows as well. */
  isContended: boolean
}

/** One client: creates rows, reads, changes and deletes them, one request after the other. */
export class Writer {
  readonly #name: string
  readonly #service: number
  readonly #asking: Asking
  readonly #shared: Shared
  #rows: LedgerRow[] = []
  #made = 0
  #isOver = false

  constructor(name: string, service: number, asking: Asking, shared: Shared) {
    this.#name = name
    this.#service = service
    this.#asking = asking
    this.#shared = shared
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      await this.#step()
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())))
    }
  }

  stop(): void {
    this.#isOver = true
  }

  async #step(): Promise<void> {
    const row = this.#rows[Math.floor(Math.random() * this.#rows.length)]
    const dice = Math.random()
    const { isContended, ledger } = this.#shared
    const counter = ledger.counters[Math.floor(Math.random() * ledger.counters.length)]
    if (isContended && counter !== undefined && dice < 0.7) await this.#increment(counter)
    else if (row === undefined || dice < 0.5) await this.#create()
    else if (dice < 0.7) await this.#read(row)
    else if (dice < 0.93) await this.#change(row)
    else await this.#remove(row)
  }

  async #create(): Promise<void> {
    this.#made += 1
    const row = this.#shared.ledger.row(`${this.#name}-${this.#made}`)
    const reply = await this.#write(row, 'create', 0, () =>
      this.#send('POST', '/api/item', { token: row.token, value: 0 }),
    )
    if (reply.status !== 201) return
    row.id = String(reply.body?.id)
    this.#rows.push(row)
    if (this.#rows.length > keptRows) this.#rows.shift()
  }

  async #read({ id }: LedgerRow): Promise<void> {
    await this.#send('GET', `/api/item/${id}`)
  }

  async #change(row: LedgerRow): Promise<void> {
    const value = row.changes.length
    await this.#write(row, 'change', value, () => this.#send('PATCH', `/api/item/${row.id}`, { value }))
  }

  async #remove(row: LedgerRow): Promise<void> {
    this.#forget(row)
    await this.#write(row, 'remove', 0, () => this.#send('DELETE', `/api/item/${row.id}`))
  }

  async #increment(counter: CounterRow): Promise<void> {
    const { status, code } = await this.#send('PATCH', `/api/item/${counter.id}`, { $inc: { value: 1 } })
    const ending = endingOf(status, code)
    if (ending === 'acknowledged') counter.acknowledged += 1
    if (ending === 'unknown') counter.unknown += 1
  }

  async #write(row: LedgerRow, kind: Change['kind'], value: number, send: () => Promise<Reply>): Promise<Reply> {
    const change: Change = {
      ...{ kind, value, service: this.#service, sentMs: performance.now() },
      ...{ doneMs: Number.NaN, ending: 'open', durability: null },
    }
    row.changes.push(change)
    const reply = await send()
    Object.assign(change, { doneMs: performance.now(), durability: reply.durability })
    change.ending = endingOf(reply.status, reply.code)
    // What may still come must not meet a later change.
    if (change.ending === 'unknown') this.#forget(row)
    return reply
  }

  #forget(row: LedgerRow): void {
    this.#rows = this.#rows.filter((one) => one !== row)
  }

  async #send(method: string, path: string, body?: unknown): Promise<Reply> {
    const sentMs = performance.now()
    const reply = await this.#asking.send(method, path, body)
    const { status, code, store, durability } = reply
    const times = { sentMs, doneMs: performance.now() }
    const answer = { service: this.#service, method, ...times, status, code, store, durability }
    this.#shared.ledger.answers.push(answer)
    return reply
  }
}

/** What an answer says of a write. */
export function endingOf(status: number, code: string | null): ChangeEnding {
  if (status >= 200 && status < 300) return 'acknowledged'
  return status === 0 || status === 500 || code === 'COMMIT_UNKNOWN' ? 'unknown' : 'refused'
}

import { type ClientParts, pause } from './client.ts'
import { rowsOfTransaction } from './shared.ts'

/** Business code: three rows in one transaction, changed together; handlers that flush twice. */
export class BusinessClient {
  readonly #parts: ClientParts
  #isOver = false
  #made = 0
  /** The rows of a transaction that was acknowledged, by which they are changed together. */
  #last: readonly string[] = []

  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  async run(): Promise<void> {
    const { everyMs, random, history } = this.#parts
    while (!this.#isOver) {
      await pause(everyMs * (0.5 + random.next()))
      await this.#step().catch((error: Error) => {
        if (error.message !== 'fetch failed') history.contradict(String(error.stack))
      })
    }
  }

  stop(): void {
    this.#isOver = true
  }

  async #step(): Promise<void> {
    const dice = this.#parts.random.next()
    if (dice < 0.2) await this.#twice()
    else if (dice < 0.5 && this.#last.length > 0) await this.#change()
    else await this.#create()
  }

  async #create(): Promise<void> {
    const { replica, random, tally } = this.#parts
    const rerun = random.pick([undefined, 'before-commit', 'always'] as const)
    const token = this.#token('three')
    const steps = Array.from({ length: rowsOfTransaction }, () => ({ do: 'create', row: { token } }) as const)
    const options = { rows: rowsOfTransaction, token, ...(rerun === undefined ? {} : { rerun }) }
    const { write } = await tally.measure(
      'transaction',
      replica.actor.run(() => steps, options),
    )
    if (write.ending === 'acknowledged') this.#last = write.ids
  }

  /** On the other database its rows are not there, which is an error of the application. */
  async #change(): Promise<void> {
    const { replica, tally } = this.#parts
    const ids = this.#last
    const token = this.#token('three')
    const steps = ids.map((id) => ({ do: 'change', id, row: { token } }) as const)
    const { write } = await tally.measure(
      'change of three',
      replica.actor.run(() => steps, { rows: ids.length, ids, token }),
    )
    if (write.ending !== 'acknowledged') this.#last = []
  }

  /** Two transactions of one handler; each has a token of its own, and is judged alone. */
  async #twice(): Promise<void> {
    const { replica, history, tally } = this.#parts
    const client = replica.actor.name
    const [first, second] = [this.#token('once'), this.#token('twice')]
    const begun = history.begin({ client, operation: 'transaction', token: first })
    const steps = [
      { do: 'create', row: { token: first } },
      { do: 'flush' },
      { do: 'create', row: { token: second } },
    ] as const
    const run = replica.actor.run(() => steps, { at: '/handler', token: second })
    const { write } = await tally.measure('handler', run)
    // A handler that failed says nothing of its first flush.
    const isKnown = write.ending === 'acknowledged'
    Object.assign(
      begun,
      isKnown ? { ending: 'acknowledged', side: write.side, said: write.said } : { ending: 'unknown' },
    )
    begun.endedMs = write.endedMs
  }

  #token(what: string): string {
    this.#made += 1
    return `b${this.#parts.random.between(0, 2 ** 31)}-${this.#made}-${what}`
  }
}

import { Connection, sideOf } from './connection.ts'
import { pause } from './fault.ts'
import { isUnknown, type Side } from './ledger.ts'
import type { Random } from './random.ts'
import type { Tally } from './tally.ts'

/** What the application's clients were told of its transactions, by token. */
export class Transfers {
  readonly acknowledged: Map<string, Side> = new Map()
  readonly refused: Set<string> = new Set()
  readonly unknown: Set<string> = new Set()
}

/** What one of them works with. */
export interface BusinessParts {
  readonly port: number
  readonly number: number
  readonly everyMs: number
  readonly limitMs: number
  readonly random: Random
  readonly tally: Tally
  readonly transfers: Transfers
}

/** Moves money between accounts, one transaction after another. */
export class BusinessClient {
  readonly #parts: BusinessParts
  readonly #connection: Connection
  #isOver = false

  constructor(parts: BusinessParts) {
    this.#parts = parts
    this.#connection = new Connection({ ...parts, token: '' })
  }

  async run(): Promise<void> {
    const { number, random, everyMs, tally } = this.#parts
    for (let made = 1; !this.#isOver; made += 1) {
      await this.#transfer(`b${number}-${made}`).catch((error: Error) => tally.violate(error.message))
      await pause(everyMs * (0.5 + random.next()))
    }
    this.#connection.end()
  }

  stop(): void {
    this.#isOver = true
  }

  async #transfer(token: string): Promise<void> {
    const { random, tally, transfers } = this.#parts
    const from = random.between(1, 4)
    const to = (from % 4) + 1
    const { status, headers, body } = await this.#connection.send('POST', `/transfer/${token}/${from}/${to}`)
    const side = sideOf(headers)
    if (status === 200 && side !== null) transfers.acknowledged.set(token, side)
    else if (isUnknown(status, body)) transfers.unknown.add(token)
    else transfers.refused.add(token)
    if (status !== 200 && status !== 503) tally.violate(`a transfer was answered ${status} ${body?.code}`)
  }
}

/** What one database holds of the application's. */
export interface Books {
  readonly transfers: readonly { readonly token: string; readonly from: number; readonly to: number }[]
  readonly accounts: readonly { readonly id: number; readonly balance: number }[]
}

/** Each transfer is there whole or not at all, and what was acknowledged is there: a sentence for each difference. */
export function audit(told: Transfers, books: Readonly<Record<Side, Books>>): readonly string[] {
  const wrong: string[] = []
  for (const [token, side] of told.acknowledged) {
    if (!books[side].transfers.some((one) => one.token === token))
      wrong.push(`transfer ${token} is lost on the ${side}`)
  }
  for (const side of ['primary', 'fallback'] as const) {
    for (const { token } of books[side].transfers) {
      if (told.refused.has(token)) wrong.push(`transfer ${token} was refused and is on the ${side}`)
      if (told.acknowledged.has(token) && told.acknowledged.get(token) !== side) wrong.push(`${token} is on both sides`)
    }
    for (const { id, balance } of books[side].accounts) wrong.push(...unbalanced(side, books[side], id, balance))
  }
  return wrong
}

function unbalanced(side: Side, { transfers }: Books, id: number, balance: number): readonly string[] {
  const due = transfers.filter(({ to }) => to === id).length - transfers.filter(({ from }) => from === id).length
  return due === balance ? [] : [`account ${id} on the ${side} has ${balance} and should have ${due}`]
}

import type { Evidence } from '../history/checker.ts'
import type { Random } from './random.ts'

/** A row of a list. */
interface Item {
  readonly id: string
  readonly token: string
}

/** Rows of a transaction that a list did not show whole. */
interface Sighting {
  readonly token: string
  readonly ids: ReadonlySet<string>
  /** The last row of the page, if it was not the last of all. */
  readonly lowest: string | null
}

/** Rows in a transaction of business code. */
export const rowsOfTransaction = 3

/** What clients know together: rows that several of them write, and lists that showed a part of a transaction. */
export class Shared {
  readonly #ids: string[] = []
  readonly #sightings: Sighting[] = []

  add(id: string): void {
    this.#ids.push(id)
    if (this.#ids.length > 30) this.#ids.shift()
  }

  pick(random: Random): string | null {
    return this.#ids[random.between(0, this.#ids.length - 1)] ?? null
  }

  /** A list, newest first. */
  saw(items: readonly Item[], isCut: boolean): void {
    const ofTransactions = items.filter(({ token }) => token?.includes('-three'))
    for (const [token, rows] of Map.groupBy(ofTransactions, (one) => one.token)) {
      if (rows.length === rowsOfTransaction) continue
      const ids = new Set(rows.map(({ id }) => id))
      this.#sightings.push({ token, ids, lowest: isCut ? (items.at(-1)?.id ?? null) : null })
    }
  }

  /** What a reader saw of a transaction although it was not all of it: a sentence for each. */
  halves({ audit, journal }: Evidence): readonly string[] {
    const all = new Map<string, Set<string>>()
    for (const { newToken: token, id } of audit) add(all, token, id)
    for (const { token, id } of journal) add(all, token, id)
    return this.#sightings.flatMap(({ token, ids, lowest }) => {
      const missing = [...(all.get(token) ?? [])].filter((id) => !ids.has(id) && (lowest === null || id > lowest))
      return missing.length === 0 ? [] : [`a reader saw ${ids.size} rows of ${token}, without ${missing.join(', ')}`]
    })
  }
}

function add(all: Map<string, Set<string>>, token: string | null, id: string): void {
  if (token === null) return
  const ids = all.get(token) ?? new Set()
  all.set(token, ids.add(id))
}

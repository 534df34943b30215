/** More series than this would be a defect of ours; they are counted together instead of without bound. */
const maxSeries = 500

/** One counted thing: its labels and its number. */
export interface Series<L extends Readonly<Record<string, string>>> {
  readonly labels: L
  value: number
}

/** Numbers by labels, as plain as can be: counting must not cost, and needs no library. */
export class Tally<L extends Readonly<Record<string, string>>> {
  readonly #series = new Map<string, Series<L>>()
  readonly #other: L

  /** `other`: the labels for whatever is over the bound. */
  constructor(other: L) {
    this.#other = other
  }

  /** Adds `amount` to the series of these labels. */
  add(labels: L, amount: number = 1): void {
    const key = Object.values(labels).join('\n')
    const known = this.#series.get(key)
    if (known !== undefined) known.value += amount
    else if (this.#series.size < maxSeries) this.#series.set(key, { labels, value: amount })
    else if (labels !== this.#other) this.#addOther(amount)
  }

  /** All series, in the order in which they appeared. */
  series(): Iterable<Series<L>> {
    return this.#series.values()
  }

  #addOther(amount: number): void {
    const key = 'other'
    const known = this.#series.get(key)
    if (known !== undefined) known.value += amount
    else this.#series.set(key, { labels: this.#other, value: amount })
  }
}

/** About the size of one answer with whole rows, in bytes of their texts. */
const answerBytes = 4 * 1_024 * 1_024

/** Rows of a table of which nothing is known yet: a megabyte each would do no harm. */
const firstRows = 64

/** How many rows of a table fit into one answer. Rows next to small ones may be large, so each answer is measured before. */
export class AnswerSize {
  /** By table: how many to measure next. */
  readonly #next = new Map<string, number>()

  /** At most `limit`, at least one; `measure` gives the bytes of the first rows at the server. Rejects as it does. */
  async fit(table: string, limit: number, measure: (rows: number) => Promise<number>): Promise<number> {
    let rows = Math.max(1, Math.min(limit, this.#next.get(table) ?? firstRows))
    // A measurement of large rows may take too long, and must not be repeated as it was.
    this.#next.set(table, Math.max(1, rows >> 3))
    let bytes = await measure(rows)
    while (bytes > answerBytes && rows > 1) {
      rows = Math.max(1, Math.floor((rows * answerBytes) / bytes))
      bytes = await measure(rows)
    }
    this.#next.set(table, Math.max(1, Math.min(rows * 4, Math.floor((rows * answerBytes) / Math.max(1, bytes)))))
    return rows
  }
}

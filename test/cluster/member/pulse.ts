/** One committed write of a client that knows each member. */
export interface PulseMark {
  /** Of PostgreSQL; null: the engine has none. */
  readonly timeline: number | null
  readonly position: bigint | null
}

/** A mark with its times, in milliseconds of `performance.now()`. */
export interface Beat extends PulseMark {
  readonly member: number
  readonly sentMs: number
  readonly doneMs: number
}

const everyMs = 25

/** Writes to every member, one write after the other, and so knows when the cluster itself accepted writes, and where. */
export class Pulse {
  readonly #beats: Beat[] = []
  readonly #loops: Promise<void>[] = []
  #isOver = false

  /** Starts it for so many members. */
  constructor(memberCount: number, pulse: (member: number) => Promise<PulseMark>) {
    for (let member = 0; member < memberCount; member += 1) this.#loops.push(this.#beat(member, pulse))
  }

  get beats(): readonly Beat[] {
    return this.#beats
  }

  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#loops)
  }

  /** The longest time without a committed write on any of these members within the period; 0: there was none before. */
  longestGap(
    fromMs: number,
    toMs: number,
    members: readonly number[],
  ): { readonly ms: number; readonly endMs: number } {
    return longestGap(
      this.#beats.filter(({ member }) => members.includes(member)).map(({ doneMs }) => doneMs),
      fromMs,
      toMs,
    )
  }

  async #beat(member: number, pulse: (member: number) => Promise<PulseMark>): Promise<void> {
    while (!this.#isOver) {
      const sentMs = performance.now()
      const mark = await pulse(member).catch(() => null)
      const doneMs = performance.now()
      if (mark !== null) this.#beats.push({ ...mark, member, sentMs, doneMs })
      await new Promise((resolve) => setTimeout(resolve, Math.max(5, everyMs - (doneMs - sentMs))))
    }
  }
}

/** The longest time between two of these moments, in order, that ends within the period; one that lasts is counted to its end. */
export function longestGap(
  moments: readonly number[],
  fromMs: number,
  toMs: number,
): { readonly ms: number; readonly endMs: number } {
  let longest = { ms: 0, endMs: fromMs }
  let last: number | null = null
  const inOrder = [...moments].sort((a, b) => a - b)
  for (const moment of [...inOrder, toMs]) {
    if (moment > toMs) break
    if (last !== null && moment >= fromMs && moment - last > longest.ms) longest = { ms: moment - last, endMs: moment }
    last = moment
  }
  return longest
}

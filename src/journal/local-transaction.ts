import type { Entry } from '../driver/facet/journal.ts'

/** A transaction of the journaled store: applied whole, or parked whole. */
export interface LocalTransaction {
  /** A UUIDv7 of its time. */
  readonly id: string
  /** In the order of the changes. */
  readonly entries: readonly Entry[]
}

/** What limits a batch. */
export interface BatchLimits {
  readonly entries: number
  /** Length of the images in it. */
  readonly weight: number
}

/** The entries by their transactions, in order. */
export function transactionsOf(entries: readonly Entry[]): readonly LocalTransaction[] {
  const found: { id: string; entries: Entry[] }[] = []
  for (const entry of entries) {
    const last = found.at(-1)
    if (last?.id === entry.transaction) last.entries.push(entry)
    else found.push({ id: entry.transaction, entries: [entry] })
  }
  return found
}

/** Batches of whole transactions within the limits; a transaction above them is a batch of its own. */
export function transactionBatches(
  transactions: readonly LocalTransaction[],
  limits: BatchLimits,
): readonly (readonly LocalTransaction[])[] {
  const batches: LocalTransaction[][] = []
  let open: LocalTransaction[] = []
  let [entries, weight] = [0, 0]
  for (const transaction of transactions) {
    const own = weightOf(transaction)
    const isFull = entries + transaction.entries.length > limits.entries || weight + own > limits.weight
    if (open.length > 0 && isFull) {
      batches.push(open)
      open = []
      ;[entries, weight] = [0, 0]
    }
    open.push(transaction)
    entries += transaction.entries.length
    weight += own
  }
  return open.length === 0 ? batches : [...batches, open]
}

/** The attempts that wrote the transaction: one, unless another program wrote to the file. */
export function attemptsOf({ entries }: LocalTransaction): readonly string[] {
  const [first] = entries
  if (first === undefined || entries.every(({ attempt }) => attempt === first.attempt)) {
    return first === undefined ? [] : [first.attempt]
  }
  return [...new Set(entries.map(({ attempt }) => attempt))]
}

function weightOf({ entries }: LocalTransaction): number {
  let weight = 0
  for (const { new: image } of entries) {
    for (const name in image) weight += image[name]?.length ?? 0
  }
  return weight
}

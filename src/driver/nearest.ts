/**
 * The candidate that `word` was probably meant to be: fewest insertions, deletions, changes and swaps of neighbours, at
 * most a third of the word's length. Null when none is that near, or the word is too long to be a slip.
 */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  if (word.length > 100) return null
  let best: string | null = null
  let bestDistance = Math.floor(Math.max(word.length, 3) / 3) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** Optimal string alignment: three rows are enough. */
function editDistance(left: string, right: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const isSame = left[row - 1] === right[column - 1]
      const changed = at(last, column - 1) + (isSame ? 0 : 1)
      let least = Math.min(at(last, column) + 1, at(current, column - 1) + 1, changed)
      const isSwap = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (isSwap) least = Math.min(least, at(beforeLast, column - 2) + 1)
      current.push(least)
    }
    beforeLast = last
    last = current
  }
  return at(last, right.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}

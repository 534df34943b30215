/** The name that `given` probably stands for, at most `most` letters away; null when none is near. Case does not count. */
export function nearest(given: string, names: Iterable<string>, most = 3): string | null {
  const wanted = given.slice(0, 80).toLowerCase()
  let best: string | null = null
  // One letter in three may differ: short words have many neighbours.
  let bound = Math.min(most, Math.floor(wanted.length / 3)) + 1
  for (const name of names) {
    if (Math.abs(name.length - wanted.length) >= bound) continue
    const found = distance(wanted, name.toLowerCase(), bound)
    if (found < bound) {
      best = name
      bound = found
    }
  }
  return best
}

/** The edit distance of two texts, swaps of neighbours included; `bound` or more when it is not below `bound`. */
export function distance(one: string, other: string, bound: number): number {
  if (Math.abs(one.length - other.length) >= bound) return bound
  let before: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let row = 1; row <= one.length; row++) {
    const next = [row]
    let least = row
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1]
      let steps = Math.min(last[column] ?? 0, next[column - 1] ?? 0) + 1
      steps = Math.min(steps, (last[column - 1] ?? 0) + (isSame ? 0 : 1))
      const isSwap = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      if (row > 1 && column > 1 && isSwap) steps = Math.min(steps, (before[column - 2] ?? 0) + 1)
      next.push(steps)
      least = Math.min(least, steps)
    }
    // Kubernetes sets seven variables for each Service, and each is compared with all of ours. Above `bound`, not at it: a
    // swap looks back over one row.
    if (least > bound) return bound
    before = last
    last = next
  }
  return last[other.length] ?? bound
}

/** One for the process, which has one event loop. */
let turn = 0

/**
 * Begins a turn: all the requests that are carried out in it have arrived. What is asked of the outside once in a turn is
 * therefore no older than any of them.
 */
export function beginTurn(): void {
  turn += 1
}

/** The number of the turn that began last. */
export function currentTurn(): number {
  return turn
}

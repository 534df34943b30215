let turn = 0
let isOpen = false
let arrived = 0

/** The event loop asks the system for more within one turn when it has handled this many connections. */
const perPoll = 1_000

/**
 * Notes that a request has arrived. Requests share a turn when all their bytes were here before the first of them was
 * begun: so what is asked of the outside once in a turn is no older than any of them. `isAlone`: that is not known of this
 * one, as of a request behind another on the same connection.
 */
export function noteArrival(isAlone: boolean): void {
  arrived += 1
  if (isOpen && !isAlone && arrived < perPoll) return
  turn += 1
  arrived = 0
  if (isOpen) return
  isOpen = true
  // The check phase ends the poll phase, in which requests arrive.
  setImmediate(endTurn)
}

function endTurn(): void {
  isOpen = false
}

/** The turn in which the newest request arrived. */
export function currentTurn(): number {
  return turn
}

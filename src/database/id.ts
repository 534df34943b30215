import { v7 } from 'uuid'

/**
 * A new id: UUIDv7, in lower case. Ids of one process only grow, also when its clock goes back, so they are the order in
 * which they were drawn.
 */
export function drawId(): string {
  return v7()
}

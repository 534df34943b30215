import type { Candidate, Connection, Facts, Want } from '../../driver/driver.ts'
import { atMost, untilAborted } from './bounded.ts'
import type { Clock } from './clock.ts'

/** How long a connection may take to end gracefully. */
const closeMs = 1_000

/** Proves one candidate on a fresh connection, which is closed again whatever happens. `openedAt` is when it was open. */
export async function proveCandidate(
  candidate: Candidate,
  want: Want,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly facts: Facts; readonly openedAt: number }> {
  signal.throwIfAborted()
  const connection = await untilAborted(candidate.open(signal), signal, evict)
  const openedAt = clock.now()
  try {
    const facts = await untilAborted(connection.verify(want, signal), signal)
    // A connection that hangs while it ends must not use up the time of the opening.
    await atMost(clock, closeMs, connection.close())
    return { facts, openedAt }
  } finally {
    evict(connection)
  }
}

/** A driver's mistake here must not end the process: no caller is left to report it to. */
function evict(connection: Connection): void {
  try {
    connection.evict()
  } catch {
    // The connection ends with the process.
  }
}

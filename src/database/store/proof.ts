import type { Candidate, Connection, Facts, Want } from '../../driver/driver.ts'
import type { Standing } from '../../driver/facet/standing.ts'
import { atMost, untilAborted } from './bounded.ts'
import type { Clock } from './clock.ts'

/** How long a connection may take to end gracefully. */
const closeMs = 1_000

/** How long a host that cannot serve may take to say its standing: it must not keep the others waiting. */
const standingMs = 250

/**
 * Proves one candidate on a fresh connection, which is closed again whatever happens. `openedAt` is when it was open. `hear`
 * gets what one that fails the proof says of its place in a cluster, where it says so.
 */
export async function proveCandidate(
  candidate: Candidate,
  want: Want,
  clock: Clock,
  signal: AbortSignal,
  hear?: (standing: Standing) => void,
): Promise<{ readonly facts: Facts; readonly openedAt: number }> {
  signal.throwIfAborted()
  const connection = await untilAborted(candidate.open(signal), signal, evictQuietly)
  const openedAt = clock.now()
  try {
    const facts = await untilAborted(connection.verify(want, signal), signal)
    // A connection that hangs while it ends must not use up the time of the opening.
    await atMost(clock, closeMs, connection.close())
    return { facts, openedAt }
  } catch (error) {
    if (hear !== undefined) {
      const asked = standingOn(connection, signal).then((standing) => standing !== undefined && hear(standing))
      await atMost(clock, standingMs, asked)
    }
    throw error
  } finally {
    evictQuietly(connection)
  }
}

/** What a candidate says of its place in a cluster, on a fresh connection that is closed again; null: it says nothing. */
export async function askStanding(candidate: Candidate, clock: Clock, signal: AbortSignal): Promise<Standing | null> {
  signal.throwIfAborted()
  const connection = await untilAborted(candidate.open(signal), signal, evictQuietly)
  try {
    return (await standingOn(connection, signal)) ?? null
  } finally {
    closeQuietly(connection, clock)
  }
}

/** What the server behind an open connection says; undefined: the driver knows no clusters. Rejects as soon as `signal` aborts. */
export async function standingOn(connection: Connection, signal: AbortSignal): Promise<Standing | undefined> {
  return connection.standing === undefined ? undefined : await untilAborted(connection.standing(signal), signal)
}

/** Gracefully, which nothing waits for, then by reset. */
export function closeQuietly(connection: Connection, clock: Clock): void {
  void atMost(clock, closeMs, connection.close()).then(() => evictQuietly(connection))
}

/** A driver's mistake here must not end the process: no caller is left to report it to. */
export function evictQuietly(connection: Connection): void {
  try {
    connection.evict()
  } catch {
    // The connection ends with the process.
  }
}

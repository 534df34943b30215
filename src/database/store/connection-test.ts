import type { Facts, Want } from '../../driver/driver.ts'
import type { Fault } from '../../driver/fault.ts'
import { FaultError } from '../../driver/fault.ts'
import type { ResolvedTarget } from '../address/config.ts'
import type { ConnectionSettings } from '../machine/connection-settings.ts'
import { openingFault, timeoutFault } from '../machine/faults.ts'
import { advised } from './advice.ts'
import { limitedSignal, untilAborted } from './bounded.ts'
import type { Clock } from './clock.ts'
import { proveCandidate } from './proof.ts'

/** One candidate that was tried. */
export interface ConnectionAttempt {
  /** For people; no secret. */
  readonly label: string
  /** Null when it can serve. */
  readonly fault: Fault | null
}

/** The outcome of `testConnection`. */
export interface ConnectionTest {
  /** In the order tried; the last one can serve if `facts` is not null. */
  readonly attempts: readonly ConnectionAttempt[]
  /** Null when no candidate can serve. */
  readonly facts: Facts | null
  /** The fault of the first candidate, which is the configured one; null when one can serve. */
  readonly fault: Fault | null
  /** From the first attempt until the connection that can serve was open, in milliseconds. */
  readonly connectMs: number | null
}

const want: Want = { role: 'primary', proof: 'look' }

/**
 * Connects to a server, candidate by candidate, within CONNECTION_TIMEOUT in all, and looks at it. Changes nothing in the
 * database; nothing stays open. Never rejects.
 */
export async function testConnection(
  { driver, target }: ResolvedTarget,
  settings: Pick<ConnectionSettings, 'limits' | 'isSpace'>,
  clock: Clock,
): Promise<ConnectionTest> {
  const { limits } = settings
  const limited = limitedSignal(
    clock,
    limits.connectMs,
    undefined,
    () => new FaultError(timeoutFault(limits.connectMs)),
  )
  const faultOf = (error: unknown): Fault => advised(openingFault(driver, error), target, settings)
  const attempts: ConnectionAttempt[] = []
  const begun = clock.now()
  try {
    const candidates = await untilAborted(driver.connect(target, limits), limited.signal)
    for (const candidate of candidates) {
      try {
        const { facts, openedAt } = await proveCandidate(candidate, want, clock, limited.signal)
        attempts.push({ label: candidate.label, fault: null })
        return { attempts, facts, fault: null, connectMs: openedAt - begun }
      } catch (error) {
        attempts.push({ label: candidate.label, fault: faultOf(error) })
        if (limited.signal.aborted) break
      }
    }
  } catch (error) {
    return { attempts, facts: null, fault: faultOf(error), connectMs: null }
  } finally {
    limited.end()
  }
  const fault = attempts[0]?.fault ?? faultOf(new Error(`"${driver.name}" returned no candidate to connect to.`))
  return { attempts, facts: null, fault, connectMs: null }
}

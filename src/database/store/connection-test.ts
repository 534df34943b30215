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

/** One place of a database that was tried. */
export interface Try {
  /** For people; no secret. */
  readonly label: string
  /** Null when it can serve. */
  readonly fault: Fault | null
}

/** What trying to connect has found. */
export interface Trial {
  /** The places in the order in which they were tried; the last one can serve when `facts` is there. */
  readonly tries: readonly Try[]
  /** Null when no place can serve. */
  readonly facts: Facts | null
  /** Why no place can serve: what the first one, which is the configured one, says. Null when one can. */
  readonly fault: Fault | null
  /** From the first try until the connection that can serve was open, in milliseconds. */
  readonly connectMs: number | null
}

const want: Want = { role: 'primary', proof: 'look' }

/**
 * Really tries to connect to a server, place by place, within CONNECTION_TIMEOUT in all, and looks at it. Makes and
 * changes nothing in the database; nothing stays open. Never rejects.
 */
export async function tryConnection(
  { driver, target }: ResolvedTarget,
  settings: Pick<ConnectionSettings, 'limits' | 'isSpace'>,
  clock: Clock,
): Promise<Trial> {
  const { limits } = settings
  const limited = limitedSignal(
    clock,
    limits.connectMs,
    undefined,
    () => new FaultError(timeoutFault(limits.connectMs)),
  )
  const faultOf = (error: unknown): Fault => advised(openingFault(driver, error), target, settings)
  const tries: Try[] = []
  const begun = clock.now()
  try {
    const candidates = await untilAborted(driver.connect(target, limits), limited.signal)
    for (const candidate of candidates) {
      try {
        const { facts, openedAt } = await proveCandidate(candidate, want, clock, limited.signal)
        tries.push({ label: candidate.label, fault: null })
        return { tries, facts, fault: null, connectMs: openedAt - begun }
      } catch (error) {
        tries.push({ label: candidate.label, fault: faultOf(error) })
        if (limited.signal.aborted) break
      }
    }
  } catch (error) {
    return { tries, facts: null, fault: faultOf(error), connectMs: null }
  } finally {
    limited.end()
  }
  const fault = tries[0]?.fault ?? faultOf(new Error(`"${driver.name}" gave no place to connect to.`))
  return { tries, facts: null, fault, connectMs: null }
}

import type { Candidate, Facts, Want } from '../../driver/driver.ts'
import type { Standing } from '../../driver/facet/standing.ts'
import type { Fault } from '../../driver/fault.ts'
import { FaultError } from '../../driver/fault.ts'
import type { ResolvedTarget } from '../address/config.ts'
import type { ConnectionSettings } from '../machine/connection-settings.ts'
import { openingFault, timeoutFault } from '../machine/faults.ts'
import { advised } from './advice.ts'
import { limitedSignal, untilAborted } from './bounded.ts'
import type { Clock } from './clock.ts'
import { proveCandidate } from './proof.ts'
import { clustersFault, differ, type HostStanding, judged, splitFault } from './standings.ts'

/** One candidate that was tried. */
export interface ConnectionAttempt {
  /** For people; no secret. */
  readonly label: string
  /** Null when it can serve. */
  readonly fault: Fault | null
  /** What its server says of its place in a cluster; null: nothing. */
  readonly standing: Standing | null
}

/** The outcome of `testConnection`. */
export interface ConnectionTest {
  /** In the order of the address. */
  readonly attempts: readonly ConnectionAttempt[]
  /** The label of the one that would serve; null when no candidate can. */
  readonly served: string | null
  /** Null when no candidate can serve. */
  readonly facts: Facts | null
  /** Why none can serve: the fault of the first candidate, or what all of them are together; null when one can. */
  readonly fault: Fault | null
  /** Until the connection that can serve was open, in milliseconds. */
  readonly connectMs: number | null
}

/** An attempt that gave the proof, or did not. */
interface Tried extends ConnectionAttempt {
  readonly facts: Facts | null
  readonly connectMs: number | null
}

const want: Want = { role: 'primary', proof: 'look' }

/** How long the other hosts are waited for once one can serve. */
const othersMs = 1_000

/**
 * Connects to each host of a server side by side, within CONNECTION_TIMEOUT in all, and looks at it. Changes nothing in the
 * database; nothing stays open. Never rejects.
 */
export async function testConnection(
  { driver, target }: ResolvedTarget,
  settings: Pick<ConnectionSettings, 'limits' | 'isSpace'>,
  clock: Clock,
): Promise<ConnectionTest> {
  const { limits } = settings
  const tooLong = (): FaultError => new FaultError(timeoutFault(limits.connectMs))
  const limited = limitedSignal(clock, limits.connectMs, undefined, tooLong)
  const faultOf = (error: unknown): Fault => advised(openingFault(driver, error), target, settings)
  try {
    const candidates = await untilAborted(driver.connect(target, limits), limited.signal)
    const tried: Tried[] = []
    for (const round of new Set(candidates.map(({ round = 0 }) => round).toSorted((a, b) => a - b))) {
      const ofRound = candidates.filter((one) => (one.round ?? 0) === round)
      tried.push(...(await triedAll(ofRound, clock, limited.signal, faultOf)))
      if (tried.some(({ facts }) => facts !== null)) break
    }
    return outcomeOf(tried, () => faultOf(new Error(`"${driver.name}" returned no candidate to connect to.`)))
  } catch (error) {
    return { attempts: [], served: null, facts: null, fault: faultOf(error), connectMs: null }
  } finally {
    limited.end()
  }
}

/** All side by side. Those that are still silent a while after another can serve are given up. */
async function triedAll(
  candidates: readonly Candidate[],
  clock: Clock,
  signal: AbortSignal,
  faultOf: (error: unknown) => Fault,
): Promise<readonly Tried[]> {
  const begun = clock.now()
  const patience = new AbortController()
  let stopWaiting = (): void => {}
  const tries = candidates.map(async (candidate): Promise<Tried> => {
    const { label } = candidate
    let heard: Standing | null = null
    try {
      const both = AbortSignal.any([signal, patience.signal])
      const hear = (standing: Standing): void => {
        heard = standing
      }
      const { facts, openedAt } = await proveCandidate(candidate, want, clock, both, hear)
      stopWaiting()
      stopWaiting = clock.wait(othersMs, () => patience.abort(new FaultError(timeoutFault(clock.now() - begun))))
      return { label, fault: null, standing: facts.standing ?? heard, facts, connectMs: openedAt - begun }
    } catch (error) {
      return { label, fault: faultOf(error), standing: heard, facts: null, connectMs: null }
    }
  })
  const tried = await Promise.all(tries)
  stopWaiting()
  return tried
}

function outcomeOf(tried: readonly Tried[], noneFault: () => Fault): ConnectionTest {
  const attempts = tried.map(({ label, fault, standing }) => ({ label, fault, standing }))
  const failed = (fault: Fault): ConnectionTest => ({ attempts, served: null, facts: null, fault, connectMs: null })
  const first = tried.find(({ facts }) => facts !== null)
  if (first === undefined) return failed(tried[0]?.fault ?? noneFault())
  const { standing: own } = first
  const others = tried.flatMap(({ label, standing }): readonly HostStanding[] =>
    label === first.label || standing === null ? [] : [{ label, standing }],
  )
  const stranger = others.find(({ standing }) => own !== null && differ(own, standing))
  if (stranger !== undefined) return failed(clustersFault(first.label, stranger.label))
  const verdict = own === null ? null : judged(own, others)
  if (verdict?.is === 'split') return failed(splitFault(first.label, verdict.rival))
  const served = verdict?.is === 'orphan' ? tried.find(({ label }) => label === verdict.successor.label) : first
  if (served?.facts == null) return failed(served?.fault ?? noneFault())
  return { attempts, served: served.label, facts: served.facts, fault: null, connectMs: served.connectMs }
}

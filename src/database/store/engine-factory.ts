import type { EntitySchema } from '@mikro-orm/core'
import type { Options as SqlOptions } from '@mikro-orm/sql'
import type { Problem } from '../../config/problem.ts'
import type { Role, Target } from '../../driver/address.ts'
import type { Candidate, Facts, Want } from '../../driver/driver.ts'
import { clustersDifferCode } from '../../driver/facet/standing.ts'
import { type Fault, FaultError } from '../../driver/fault.ts'
import type { ResolvedTarget } from '../address/config.ts'
import type { ConnectionSettings } from '../machine/connection-settings.ts'
import { openingFault } from '../machine/faults.ts'
import { advised } from './advice.ts'
import { untilAborted } from './bounded.ts'
import { buildStore, ormOptionsOf } from './build-store.ts'
import { type Clock, systemClock } from './clock.ts'
import { HostRace, labelsOf, type ProvenHost } from './host-race.ts'
import { inspectTarget } from './inspect-target.ts'
import { KnownClusters, SucceededError } from './known-clusters.ts'
import { isForNone } from './standings.ts'
import type { Store } from './store.ts'

/** Which hosts of an address are tried, by their labels. */
export interface HostChoice {
  /** This one alone, where the address has it, or it is the one that was opened last: its name may lead elsewhere by now. */
  readonly only?: string
  /** After all others: it was lost a moment ago. */
  readonly last?: string
  /** Not at all, where the address has others. */
  readonly avoid?: string
  /** Two of them accepted writes a moment ago: each is waited for until it is heard or refuses, for half of the opening's limit. */
  readonly isSplit?: boolean
}

/** What opens and proves stores for the supervisor. */
export interface StoreOpener {
  /**
   * A store that is verified and connected. Rejects with a FaultError, at the latest when `signal` aborts; then nothing
   * stays open.
   */
  open(resolved: ResolvedTarget, role: Role, signal: AbortSignal, choice?: HostChoice): Promise<Store>
  /**
   * What one candidate that gave the wanted proof, on a fresh connection that is closed again, says. Rejects like `open`.
   */
  prove(resolved: ResolvedTarget, want: Want, signal: AbortSignal, choice?: HostChoice): Promise<Facts>
}

/** Options of the factory. `settings` is called at each opening, so that new settings count. */
export interface EngineFactoryOptions {
  readonly entities: readonly EntitySchema[]
  settings(): Pick<ConnectionSettings, 'limits' | 'durable' | 'isSpace'>
  /** The system's monotonic clock when absent. */
  readonly clock?: Clock
}

/** Of an address: how many hosts it has. */
interface Hosts {
  readonly hosts: number
}

/** Opens stores: proves a candidate on a connection of its own, then opens MikroORM over the driver's safe connection. */
export class DatabaseEngineFactory implements StoreOpener {
  readonly #options: EngineFactoryOptions
  readonly #clusters = new KnownClusters()
  /** Of the address that was opened last. */
  #slow: { readonly targetId: string; readonly labels: Set<string> } | null = null
  /** The primary that was opened last. */
  #served: { readonly targetId: string; readonly candidate: Candidate } | null = null

  constructor(options: EngineFactoryOptions) {
    this.#options = options
  }

  async open(resolved: ResolvedTarget, role: Role, signal: AbortSignal, choice?: HostChoice): Promise<Store> {
    // A fallback may be new and becomes ours; a primary must accept a write of ours before it may serve.
    return await this.#open(resolved, { role, proof: role === 'primary' ? 'write' : 'open' }, signal, choice)
  }

  /** A store of a server that is opened without changing anything, in order to inspect its tables. Rejects like `open`. */
  async look(resolved: ResolvedTarget, signal: AbortSignal): Promise<Store> {
    return await this.#open(resolved, { role: 'primary', proof: 'look' }, signal)
  }

  async #open(resolved: ResolvedTarget, want: Want, signal: AbortSignal, choice?: HostChoice): Promise<Store> {
    const inspected = inspectTarget(resolved)
    const finish = async ({ candidate, facts, hosts }: ProvenHost & Hosts): Promise<Store> => {
      const problems = joined((await untilAborted(inspected, signal)).problems, facts.problems)
      const isServer = resolved.driver.embedded === undefined
      const hasOthers = isServer && (hosts > 1 || (facts.standing?.members ?? 1) > 1)
      const { entities } = this.#options
      const parts = { role: want.role, hosts, hasOthers, entities, settings: this.#options.settings() }
      const store = await buildStore(resolved, { candidate, facts: { ...facts, problems } }, parts, signal)
      this.#clusters.served(resolved.target, store.facts)
      if (want.role === 'primary') this.#served = { targetId: resolved.target.id, candidate }
      return store
    }
    return await this.#firstOf(resolved, want, signal, finish, choice)
  }

  /** The options for `new MikroORM` of the first candidate that can serve, for tools that make an ORM of their own. Rejects like `open`. */
  async options(resolved: ResolvedTarget, role: Role, signal: AbortSignal): Promise<SqlOptions> {
    const { driver } = resolved
    return await this.#firstOf(resolved, { role, proof: 'open' }, signal, async ({ candidate, facts }) => {
      return ormOptionsOf(driver, candidate.engine(facts), this.#options.entities)
    })
  }

  async prove(resolved: ResolvedTarget, want: Want, signal: AbortSignal, choice?: HostChoice): Promise<Facts> {
    const inspected = inspectTarget(resolved)
    const finish = async ({ facts }: ProvenHost): Promise<Facts> => {
      return { ...facts, problems: joined((await untilAborted(inspected, signal)).problems, facts.problems) }
    }
    return await this.#firstOf(resolved, want, signal, finish, choice)
  }

  #slowOf({ id }: Target): Set<string> {
    if (this.#slow?.targetId !== id) this.#slow = { targetId: id, labels: new Set() }
    return this.#slow.labels
  }

  /** The first candidate that succeeds. When none does, throws the first one's fault: it is the configured one. */
  async #firstOf<R>(
    resolved: ResolvedTarget,
    want: Want,
    signal: AbortSignal,
    finish: (proven: ProvenHost & Hosts) => Promise<R>,
    choice: HostChoice = {},
  ): Promise<R> {
    const { driver, target } = resolved
    const faultOf = (error: unknown): Fault => advised(openingFault(driver, error), target, this.#options.settings())
    const { clock = systemClock } = this.#options
    // A locked file is not gone: it would miss the rows written elsewhere meanwhile.
    const isStandby = (error: unknown): boolean => {
      const { kind, everywhere } = faultOf(error)
      return kind === 'read-only' && everywhere !== true
    }
    const isFinal = (error: unknown): boolean => driver.embedded !== undefined && faultOf(error).kind === 'transient'
    try {
      const all = await untilAborted(driver.connect(target, this.#options.settings().limits), signal)
      const served = this.#served?.targetId === target.id ? this.#served.candidate : null
      const candidates = chosen(all, choice, served)
      const isAlone = choice.only !== undefined && labelsOf(candidates).size === 1
      const isSideBySide = driver.embedded === undefined
      const own = { candidates: isAlone ? candidates : all, want, isSideBySide, slow: this.#slowOf(target) }
      const { connectMs } = this.#options.settings().limits
      const race = new HostRace({
        ...own,
        splitMs: choice.isSplit === true ? connectMs / 2 : null,
        clock,
        signal,
        isFinal,
        isStandby,
      })
      let left = candidates
      while (left.length > 0 && !race.isOver) {
        const proven = await race.first(left)
        if (proven === null) break
        left = left.filter((one) => one !== proven.candidate && !race.failures.has(one))
        try {
          if (isSideBySide && !isAlone) await this.#clusters.judge(target, race, proven)
          return await finish({ ...proven, hosts: labelsOf(all).size })
        } catch (error) {
          if (error instanceof FaultError && isForNone(error.fault)) throw error
          race.fail(proven.candidate, error)
          // Whatever else is left was left behind, too.
          if (error instanceof SucceededError) left = left.filter(({ label }) => label === error.successor)
        }
      }
      const failed = candidates.flatMap((one) => (race.failures.has(one) ? [faultOf(race.failures.get(one))] : []))
      throw firstOf(failed) ?? new Error(`"${driver.name}" returned no candidate to connect to.`)
    } catch (error) {
      throw new FaultError(faultOf(error))
    }
  }
}

/** The candidates in the order in which they are tried. */
function chosen(
  candidates: readonly Candidate[],
  { only, last, avoid }: HostChoice,
  served: Candidate | null,
): readonly Candidate[] {
  const named = candidates.filter(({ label }) => label === only)
  if (named.length > 0) return named
  // An address that answers now says nothing of the one to which the connections of the store still lead.
  if (served !== null && served.label === only) return [served]
  const others = candidates.filter(({ label }) => label !== avoid)
  const tried = others.length > 0 ? others : candidates
  return [...tried.filter(({ label }) => label !== last), ...tried.filter(({ label }) => label === last)]
}

/** Connecting finds out more than looking: its problem of the same code wins. */
function joined(looking: readonly Problem[], connecting: readonly Problem[]): readonly Problem[] {
  const known = new Set(connecting.map((problem) => problem.code))
  return [...connecting, ...looking.filter((problem) => !known.has(problem.code))]
}

/** The first fault, which is that of the configured host; one of a host that does not belong there says the least. */
function firstOf(faults: readonly Fault[]): FaultError | null {
  const first = faults.find(({ code }) => code !== clustersDifferCode) ?? faults[0]
  return first === undefined ? null : new FaultError(first)
}

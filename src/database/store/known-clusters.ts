import type { Target } from '../../driver/address.ts'
import type { Facts } from '../../driver/driver.ts'
import type { Standing } from '../../driver/facet/standing.ts'
import { FaultError } from '../../driver/fault.ts'
import type { HostRace, ProvenHost } from './host-race.ts'
import {
  clustersFault,
  differ,
  type HostStanding,
  judged,
  orphanFault,
  splitFault,
  strangerFault,
} from './standings.ts'

/** Which cluster served at each address in this process, and what that means for a host that would serve next. */
export class KnownClusters {
  /** By the id of the target. */
  readonly #known = new Map<string, string>()

  /** Must be called when a host of this address is about to serve. */
  served({ id }: Target, { standing }: Facts): void {
    if (standing != null && standing.cluster !== null) this.#known.set(id, standing.cluster)
  }

  /**
   * Judges a host that gave the proof by what the others of its address say: resolves when it may serve.
   *
   * @throws FaultError whose fault is `everywhere`, or of code PRIMARY_SPLIT, where none of the hosts may; any other where
   * this one may not. A `SucceededError` names the host that must serve instead.
   */
  async judge(target: Target, race: HostRace, { candidate: { label }, facts }: ProvenHost): Promise<void> {
    const own = facts.standing
    if (own === undefined) return
    const heard = await race.standings(label)
    const others = [...heard].flatMap(([host, standing]) => (host === label ? [] : [{ label: host, standing }]))
    this.#checkCluster(target, { label, standing: own }, others, race.hosts)
    const verdict = judged(own, others)
    if (verdict.is === 'split') throw new FaultError(splitFault(label, verdict.rival))
    if (verdict.is === 'orphan') throw new SucceededError(label, verdict.successor)
  }

  #checkCluster({ id }: Target, own: HostStanding, others: readonly HostStanding[], hosts: number): void {
    const other = others.find(({ standing }) => differ(own.standing, standing))
    const known = this.#known.get(id)
    if (known === undefined) {
      if (other !== undefined) throw new FaultError(clustersFault(own.label, other.label))
      return
    }
    const { cluster } = own.standing
    if (cluster === null || cluster === known) return
    // A cluster that was made anew has replaced the known one on every host: one that is silent may still belong to that.
    const isReplaced = others.length === hosts - 1 && others.every(({ standing }) => isOf(cluster, standing))
    if (!isReplaced) throw new FaultError(strangerFault(own.label))
  }
}

/** A host that gave the proof, next to which another was promoted. */
export class SucceededError extends FaultError {
  /** The label of the other. */
  readonly successor: string

  constructor(label: string, successor: HostStanding) {
    super(orphanFault(label, successor))
    this.successor = successor.label
  }
}

function isOf(cluster: string, standing: Standing): boolean {
  return standing.cluster === cluster
}

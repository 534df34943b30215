import { clustersDifferCode, type Standing } from '../../driver/facet/standing.ts'
import type { Fault } from '../../driver/fault.ts'

/** A host of an address and what its server says of its place in a cluster. */
export interface HostStanding {
  readonly label: string
  readonly standing: Standing
}

/** The code of the fault of two servers of one cluster that accept writes at the same time. */
export const primarySplitCode = 'PRIMARY_SPLIT'

/** The code of the fault of a primary next to which a standby was promoted. */
export const primaryOrphanedCode = 'PRIMARY_ORPHANED'

/** What the other members mean for one that serves, or is about to. */
export type StandingVerdict =
  | { readonly is: 'primary' }
  /** `successor` was promoted after it. */
  | { readonly is: 'orphan'; readonly successor: HostStanding }
  /** `rival` is as much the primary as this one. */
  | { readonly is: 'split'; readonly rival: HostStanding }

const primary: StandingVerdict = { is: 'primary' }

/** Whether the two say that they belong to different clusters. */
export function differ(one: Standing, other: Standing): boolean {
  return one.cluster !== null && other.cluster !== null && one.cluster !== other.cluster
}

/** Whether both accept writes, and are certainly two servers of one cluster of which one alone may. */
function areRivals(one: Standing, other: Standing): boolean {
  const areTwo = one.server !== null && other.server !== null && one.server !== other.server
  const haveTimelines = one.timeline !== null && other.timeline !== null
  return one.isWritable && other.isWritable && areTwo && haveTimelines && !differ(one, other)
}

/** Whether the other was promoted before the one, and still accepts writes. */
export function isLeftBehind(one: Standing, other: Standing): boolean {
  return areRivals(one, other) && (other.timeline ?? 0) < (one.timeline ?? 0)
}

/** Judges a server by what the others of its cluster say. Pure. */
export function judged(own: Standing, others: readonly HostStanding[]): StandingVerdict {
  const rivals = others.filter(({ standing }) => areRivals(own, standing))
  const [latest] = rivals.toSorted((a, b) => (b.standing.timeline ?? 0) - (a.standing.timeline ?? 0))
  if (latest === undefined || isLeftBehind(own, latest.standing)) return primary
  if (isLeftBehind(latest.standing, own)) return { is: 'orphan', successor: latest }
  return { is: 'split', rival: latest }
}

/** The fault of a server next to which another was promoted: what is written to it is lost with it. */
export function orphanFault(label: string, { label: successor, standing }: HostStanding): Fault {
  return {
    kind: 'lost',
    code: primaryOrphanedCode,
    summary: `${label} is no longer the primary: ${successor} was promoted (timeline ${standing.timeline}).`,
    hint: `Stop the server ${label}, or make it a standby: what clients still write to it is lost.`,
    ambiguous: false,
    cause: undefined,
  }
}

/** The fault of two primaries on one timeline. */
export function splitFault(label: string, { label: rival, standing }: HostStanding): Fault {
  return {
    kind: 'configuration',
    code: primarySplitCode,
    summary: `Two servers of one cluster accept writes at the same time: ${label} and ${rival} (timeline ${standing.timeline}).`,
    hint: 'Stop one of them. Holdfast writes to neither until only one accepts writes.',
    ambiguous: false,
    cause: undefined,
  }
}

/** Whether the fault means that none of the hosts of an address may serve. */
export function isForNone({ code, everywhere }: Fault): boolean {
  return code === primarySplitCode || (code === clustersDifferCode && everywhere === true)
}

/** The fault of hosts that belong to different clusters, of which none is known to be the right one. */
export function clustersFault(label: string, other: string): Fault {
  return {
    kind: 'configuration',
    code: clustersDifferCode,
    summary: `The hosts of the address belong to different clusters: ${label} and ${other}.`,
    hint: 'Name the hosts of one cluster only.',
    ambiguous: false,
    cause: undefined,
    everywhere: true,
  }
}

/** The fault of a host that belongs to another cluster than the one that has served. */
export function strangerFault(label: string): Fault {
  return {
    kind: 'configuration',
    code: clustersDifferCode,
    summary: strangerSentence(label),
    hint: 'Remove the host from the address. If it replaces the whole cluster, restart Holdfast.',
    ambiguous: false,
    cause: undefined,
  }
}

/** That a host belongs to another cluster, in a sentence. */
export function strangerSentence(label: string): string {
  return `${label} belongs to another cluster than the primary.`
}

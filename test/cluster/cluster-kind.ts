import type { Cleanup } from '../support/temp.ts'
import type { ServiceRow } from './judge/judge.ts'
import type { PulseMark } from './member/pulse.ts'

/** The clusters that can be started, by name. */
export type ClusterKind = 'patroni' | 'galera'

/** The faults of each kind of cluster, in the order in which they come. */
export const eventNames = {
  patroni: [
    'switchover',
    'kill-server',
    'stop-server',
    'kill-agent',
    'stop-agent',
    'kill-both',
    'stop-both',
    'isolate',
    'etcd-gone',
  ],
  galera: ['shutdown', 'kill', 'stop', 'isolate', 'reject', 'read-only', 'desync', 'contended'],
} as const

export type EventName = (typeof eventNames)[ClusterKind][number]

/** How the services reach the members, and what is asked of the cluster. */
export type Layout = 'hosts' | 'synchronous' | 'haproxy'

/** One fault of the nemesis. */
export interface ClusterEvent {
  readonly name: EventName
  /** For the table: what happens, in a few words. */
  readonly what: string
  /** In which layouts it is worth its time; absent: in all. */
  readonly layouts?: readonly Layout[]
  /** The clients change the same rows through all services as well. */
  readonly isContended?: true
  /** Does it; resolves with the member that it met as soon as the fault is there. */
  begin(): Promise<number | null>
  /** Called when the services have had their time with it: brings the member back. */
  end(): Promise<void>
  /** How long the fault lasts at least, in milliseconds. */
  readonly lastsMs: number
}

/** A real cluster of three members on the loopback address. */
export interface Cluster {
  readonly kind: ClusterKind
  /** What runs, with versions: `PostgreSQL 15.18`. */
  readonly versions: readonly string[]
  readonly memberCount: number
  /** The address for the service of this number (from 0). */
  addressFor(layout: Layout, service: number): string
  /** One write of a client that knows each member, on the member of this number; rejects where that accepts none. */
  pulse(member: number): Promise<PulseMark>
  /** Brings the cluster into a layout: synchronous replication or not. */
  enter(layout: Layout): Promise<void>
  /** Resolves when all members are there, follow, and one accepts writes. */
  whole(): Promise<void>
  /** The faults. `service`: on whose member. */
  events(): readonly ClusterEvent[]
  /** The collection's rows as the cluster has them. */
  rows(): Promise<readonly ServiceRow[]>
  /** The ids of rows of which a parked entry is kept. */
  parked(): Promise<ReadonlySet<string>>
  /** Where each ended timeline ended: what lies beyond was lost by the cluster itself. */
  forks(): Promise<ReadonlyMap<number, bigint>>
  /** Empties the collection's table and Holdfast's own. */
  clear(): Promise<void>
}

/** Starts a cluster, which ends with `t`. */
export type StartCluster = (t: Cleanup) => Promise<Cluster>

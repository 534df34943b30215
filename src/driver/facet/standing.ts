/** What a server says of its place among the members of a cluster, in one cheap statement. Null: it does not say. */
export interface Standing {
  /** The same on all members of one cluster, and on no other: the system identifier, or the UUID of a Galera cluster. */
  readonly cluster: string | null
  /**
   * The same whatever name or proxy leads to this server, until it is restarted. Two answers with one id come from one
   * server.
   */
  readonly server: string | null
  /** It accepts writes at the moment: no standby, not set to read-only. */
  readonly isWritable: boolean
  /** Grows with each promotion of a standby. Null: also where all members accept writes. */
  readonly timeline: number | null
  /** The end of its log, in bytes: comparable on one timeline. Whatever was committed before lies before it. */
  readonly position: bigint | null
  /** How many members the cluster has, this one included, as far as this one sees them. */
  readonly members: number | null
}

/** What of a standing says something beyond the process that has seen it. */
export type KeptStanding = Pick<Standing, 'cluster' | 'timeline' | 'position'>

/** The code of the fault of a host that belongs to another cluster than the others of its address. */
export const clustersDifferCode = 'ADDRESS_CLUSTERS_DIFFER'

/**
 * The code of the fault of a commit whose wait for the cluster's synchronous standby was cancelled: it is committed on the
 * server that was asked, and perhaps on no other. Asking that server again settles nothing.
 */
export const syncWaitCancelledCode = 'SYNC_WAIT_CANCELLED'

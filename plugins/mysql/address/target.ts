import { formatHost as format, type Host, type ServerTarget } from '../../../src/driver/kit/driver-kit.ts'

/** A validated MySQL or MariaDB address. */
export interface MysqlTarget extends ServerTarget {
  readonly syncWait: SyncWait
}

/**
 * What waits, in a Galera cluster, until the member that is asked has what any other has answered before: nothing, what
 * decides or explains a write, or every statement.
 */
export const syncWaits = ['off', 'read', 'all'] as const
export type SyncWait = (typeof syncWaits)[number]

/** The port of an address that names none. */
export const defaultPort = 3306

/** `host:port` as an address has it; a socket has no port. */
export function formatHost({ host, port }: Host): string {
  return format({ host, port: host.startsWith('/') ? defaultPort : port }, defaultPort)
}

import { formatHost as format, type Host, type ServerTarget } from '../../../src/driver/kit/driver-kit.ts'

/** A validated MySQL or MariaDB address. */
export type MysqlTarget = ServerTarget

/** The port of an address that names none. */
export const defaultPort = 3306

/** `host:port` as an address has it; a socket has no port. */
export function formatHost({ host, port }: Host): string {
  return format({ host, port: host.startsWith('/') ? defaultPort : port }, defaultPort)
}

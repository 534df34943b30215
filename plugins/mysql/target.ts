import type { Target } from '../../src/driver/address.ts'
import {
  formatHost as format,
  type Host,
  type Origin,
  type Secret,
  type Severity,
} from '../../src/driver/kit/driver-kit.ts'
import type { MysqlProblemCode } from './codes.ts'

/** TLS as the clients of MySQL mean it, from the least to the most. */
export const tlsModes = ['disabled', 'preferred', 'required', 'verify_ca', 'verify_identity'] as const
export type TlsMode = (typeof tlsModes)[number]

/** What the connection is encrypted with. Each text is a path or, when it begins with `-----BEGIN`, the thing itself. */
export interface Tls {
  readonly mode: TlsMode
  readonly authority: string | null
  readonly certificate: Secret | null
  readonly key: Secret | null
}

/** A validated MySQL or MariaDB address. */
export interface MysqlTarget extends Target {
  /** To be named in problems that only looking or connecting can find. */
  readonly setting: string
  readonly origin: Origin | null
  /** In the order to try; at least one. */
  readonly hosts: readonly [Host, ...Host[]]
  readonly database: string
  readonly user: string
  readonly password: Secret | null
  readonly encryption: Tls
  /** Milliseconds that the address allows for one connection; null: as the settings say. */
  readonly connectMs: number | null
  /** False: nothing may be made in this database. */
  readonly mayMakeTables: boolean
}

/** How the readers of an address report. */
export type Tell = (
  code: MysqlProblemCode,
  severity: Severity,
  part: string | null,
  message: string,
  suggestion: string,
) => void

/** The port where none is given. */
export const defaultPort = 3306

/** `host:port` as it is written in an address; a socket has no port. */
export function formatHost({ host, port }: Host): string {
  return format({ host, port: host.startsWith('/') ? defaultPort : port }, defaultPort)
}

/** The pieces of an address that may be shown. */
export interface Shown {
  readonly user: string | null
  readonly hosts: string
  readonly database: string | null
}

/** The corrected form of an address, the secret masked. */
export function corrected({ user, hosts, database }: Shown): string {
  const name = database === null || database === '' ? 'name' : encodeURIComponent(database.toWellFormed())
  return `mysql://${encodeURIComponent((user ?? 'user').toWellFormed())}:***@${hosts}/${name}`
}

import type { Target } from '../../src/driver/address.ts'
import {
  formatHost as format,
  type Host,
  type Origin,
  type Secret,
  type Severity,
} from '../../src/driver/kit/driver-kit.ts'
import type { PostgresqlProblemCode } from './codes.ts'

/** TLS as libpq means it. */
export const tlsModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
export type TlsMode = (typeof tlsModes)[number]

/** What the connection is encrypted with. Each text is a path or, when it begins with `-----BEGIN`, the thing itself. */
export interface Tls {
  readonly mode: TlsMode
  /** The word `system` stands for the authorities that Node knows. */
  readonly rootCertificate: string | null
  readonly certificate: Secret | null
  readonly key: Secret | null
}

/** Whether connections go through a pooler; `auto`: as the server's first answer tells. */
export type Pooled = 'auto' | 'yes' | 'no'

/**
 * Which server of a cluster may be the primary, as libpq means it. Where the address is silent it is `read-write`, not
 * libpq's `any`: rows are to be written.
 */
export const sessionWishes = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const
export type SessionWish = (typeof sessionWishes)[number]

/** A validated PostgreSQL address. */
export interface PostgresqlTarget extends Target {
  /** To be named in problems that only looking or connecting can find. */
  readonly setting: string
  readonly origin: Origin | null
  /** In the order to try; at least one. */
  readonly hosts: readonly [Host, ...Host[]]
  readonly database: string
  readonly password: Secret | null
  readonly encryption: Tls
  readonly channelBinding: 'disable' | 'prefer' | 'require'
  readonly applicationName: string
  /** What the address itself wants in the startup packet; null for nothing, as poolers want it. */
  readonly options: string | null
  /** Each host is asked; the first that is so serves. */
  readonly session: SessionWish
  /** Milliseconds for one connection to one host; null: as the settings say. */
  readonly connectMs: number | null
  readonly pooled: Pooled
  /** False: nothing may be made in this database. */
  readonly mayMakeTables: boolean
}

/** How the readers of an address report. */
export type Tell = (
  code: PostgresqlProblemCode,
  severity: Severity,
  part: string | null,
  message: string,
  suggestion: string,
) => void

/**
 * The id of a database at these hosts, the same by whichever driver it is reached. Neon gives each of its servers two
 * names, of which one leads through its pooler.
 */
export function databaseId(hosts: readonly Host[], database: string): string {
  const names = hosts.map(({ host, port }) => {
    const name = host.toLowerCase().replace(/\.$/, '')
    return `${name.endsWith('.neon.tech') ? name.replace(/^([^.]+)-pooler\./, '$1.') : name}:${port}`
  })
  return `postgresql:${names.join(',')}/${database}`
}

/** The port where none is given. */
export const defaultPort = 5432

/** `host:port` as it is written in an address. */
export function formatHost(host: Host): string {
  return format(host, defaultPort)
}

/** The pieces of an address that may be shown. */
export interface Shown {
  readonly user: string | null
  readonly hosts: string
  readonly database: string | null
  readonly query?: string
}

/** The corrected form of an address, the secret masked. */
export function corrected({ user, hosts, database, query = '' }: Shown): string {
  const name = database === null || database === '' ? 'name' : encodeURIComponent(database.toWellFormed())
  return `postgresql://${encodeURIComponent((user ?? 'user').toWellFormed())}:***@${hosts}/${name}${query}`
}

import { formatHost as format, type Host, type ServerTarget } from '../../../src/driver/kit/driver-kit.ts'

/** Whether connections go through a pooler; `auto`: the server's first answer decides. */
export type Pooled = 'auto' | 'yes' | 'no'

/**
 * Which server of a cluster may be the primary, in libpq's words. The default is `read-write`, not libpq's `any`: rows
 * must be written.
 */
export const sessionWishes = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const
export type SessionWish = (typeof sessionWishes)[number]

/** A validated PostgreSQL address. */
export interface PostgresqlTarget extends ServerTarget {
  readonly channelBinding: 'disable' | 'prefer' | 'require'
  readonly applicationName: string
  /** The address's own options for the startup packet; null for none, as poolers want it. */
  readonly options: string | null
  /** The first host that is so serves. */
  readonly session: SessionWish
  readonly pooled: Pooled
}

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

/** The port of an address that names none. */
export const defaultPort = 5432

/** `host:port` as an address has it. */
export function formatHost(host: Host): string {
  return format(host, defaultPort)
}

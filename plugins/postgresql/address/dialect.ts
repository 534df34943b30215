import { userInfo } from 'node:os'
import { type AddressDialect, type Host, libpqTls, type Settings } from '../../../src/driver/kit/driver-kit.ts'
import { createParameters, type PostgresqlOptions } from './parameters.ts'
import { databaseId, defaultPort, formatHost, type Pooled, type PostgresqlTarget } from './target.ts'

/** PostgreSQL cuts longer names off, and then uses another database. */
const nameLimitBytes = 63

/** Where most distributions build libpq to look for the socket. */
const socketFolder = '/var/run/postgresql'

/** Null in a container whose user has a number and no name. */
function systemUser(): string | null {
  try {
    return userInfo().username
  } catch {
    return null
  }
}

/** How addresses of PostgreSQL are read; `env` begins the variables of the driver's own settings. */
export function createDialect(
  driver: string,
  scheme: string,
  env: string,
): AddressDialect<PostgresqlOptions, PostgresqlTarget> {
  const tls = libpqTls(env)
  return {
    driver,
    scheme,
    knownSchemes: /^(?:https?|postgres(?:ql)?)$/i,
    defaultPort,
    partParameters: { host: ['host'], database: ['dbname'] },
    parameters: createParameters(tls),
    tls,
    fillIn: { host: socketFolder, user: systemUser },
    databaseName: {
      isValid: (name) => Buffer.byteLength(name) <= nameLimitBytes && !name.includes('/'),
      rule: `have at most ${nameLimitBytes} bytes, none of them "/" or a control character`,
    },
    formatHost,
    options: (common) => ({
      ...common,
      channelBinding: 'prefer',
      applicationName: null,
      options: null,
      session: 'read-write',
      isPooled: false,
    }),
    rounds: ({ session }) => (session === 'prefer-standby' ? 2 : 1),
    complete: (common, options, settings) => ({
      ...common,
      channelBinding: options.channelBinding,
      applicationName: options.applicationName ?? 'holdfast',
      options: options.options === '' ? null : options.options,
      session: options.session,
      pooled: pooledOf(options, common.hosts, settings),
    }),
    id: databaseId,
  }
}

/** How the addresses of this driver are read. */
export const dialect: AddressDialect<PostgresqlOptions, PostgresqlTarget> = createDialect(
  'postgresql',
  'postgresql',
  'POSTGRESQL',
)

/** Poolers that are known by their name: Neon's, Supabase's in transaction mode, PgBouncer's usual port. */
function pooledOf({ isPooled }: PostgresqlOptions, hosts: readonly Host[], settings: Settings): Pooled {
  const wanted = settings.plugins?.postgresql?.pooled
  if (wanted === 'yes' || wanted === 'no') return wanted
  const isKnown = hosts.some(
    ({ host, port }) => /-pooler\.|\.pooler\.|^pgbouncer\b/i.test(host) || port === 6543 || port === 6432,
  )
  return isPooled || isKnown ? 'yes' : 'auto'
}

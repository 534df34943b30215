import { defineDriver } from '../../src/driver/define-driver.ts'
import type { Driver, Inspection } from '../../src/driver/driver.ts'
import { loadClient, missingClient } from '../../src/driver/kit/driver-kit.ts'
import { parseAddress } from './address.ts'
import { clientPart } from './client/load-client.ts'
import { classify } from './faults.ts'
import { formatHost, type PostgresqlTarget } from './target.ts'
import { tlsProblems } from './tls.ts'

/** PostgreSQL, and whatever speaks its protocol and passes the suite, directly or through a pooler. */
export const driver: Driver<PostgresqlTarget> = defineDriver<PostgresqlTarget>({
  contract: 1,
  name: 'postgresql',
  schemes: [
    'postgresql',
    'postgres',
    'pgsql',
    'postgresql+psycopg2',
    'postgresql+psycopg',
    'postgresql+asyncpg',
    'postgresql+pg8000',
    'postgres+psycopg2',
    'postgres+asyncpg',
  ],
  settings: {
    pooled: {
      doc: 'Whether connections go through a pooler that shares them between transactions; then no statement is prepared. auto: seen by the address and by what the server answers.',
      format: ['auto', 'yes', 'no'],
      default: 'auto',
      env: 'POSTGRESQL_POOLED',
    },
    sslRootCert: {
      doc: 'The certificate of the authority to trust, as a path or as PEM text; sslrootcert in the address wins.',
      format: 'string',
      default: null,
      env: 'POSTGRESQL_SSL_ROOT_CERT',
    },
    sslCert: {
      doc: "The client's certificate, as a path or as PEM text; sslcert in the address wins.",
      format: 'string',
      default: null,
      env: 'POSTGRESQL_SSL_CERT',
    },
    sslKey: {
      doc: "The client's key, as a path or as PEM text; sslkey in the address wins.",
      format: 'string',
      default: null,
      env: 'POSTGRESQL_SSL_KEY',
      sensitive: true,
    },
  },
  parse: parseAddress,
  async inspect(target): Promise<Inspection> {
    const missing = await missingClient(clientPart, target)
    return { problems: [...missing, ...(await tlsProblems(target))], path: null }
  },
  describe: ({ hosts, database }) => `postgresql ${hosts.map(formatHost).join(',')}/${database}`,
  classify,
  async connect(target, limits) {
    const { createCandidates } = await loadClient(clientPart)
    return createCandidates(target, limits)
  },
})

export default driver

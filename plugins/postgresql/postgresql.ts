import { defineDriver } from '../../src/driver/define-driver.ts'
import type { Driver, Inspection } from '../../src/driver/driver.ts'
import {
  findTlsProblems,
  loadClient,
  missingClient,
  readAddress,
  tlsSettings,
} from '../../src/driver/kit/driver-kit.ts'
import { dialect } from './address/dialect.ts'
import { formatHost, type PostgresqlTarget } from './address/target.ts'
import { clientPart } from './client/load-client.ts'
import { classify } from './faults.ts'

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
      doc: 'Whether connections go through a pooler that shares them between transactions; then no statement is prepared. auto: the address and the answers of the server decide.',
      format: ['auto', 'yes', 'no'],
      default: 'auto',
      env: 'POSTGRESQL_POOLED',
    },
    ...tlsSettings(dialect.tls),
  },
  parse: (address, settings) => readAddress(dialect, address, settings),
  async inspect(target): Promise<Inspection> {
    const missing = await missingClient(clientPart, target)
    return { problems: [...missing, ...(await findTlsProblems(dialect.tls, target))], path: null }
  },
  describe: ({ hosts, database }) => `postgresql ${hosts.map(formatHost).join(',')}/${database}`,
  classify,
  async connect(target, limits) {
    const { createCandidates } = await loadClient(clientPart)
    return createCandidates(target, limits)
  },
})

export default driver

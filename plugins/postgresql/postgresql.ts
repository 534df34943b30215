import { defineDriver } from '../../src/driver/define-driver.ts'
import type { Driver } from '../../src/driver/driver.ts'
import { type ClientPart, serverMembers, tlsSettings } from '../../src/driver/kit/driver-kit.ts'
import { dialect } from './address/dialect.ts'
import type { PostgresqlTarget } from './address/target.ts'
import { faults } from './faults.ts'

/** The part of this driver that needs the client. */
export const clientPart: ClientPart<typeof import('./candidate.ts')> = {
  load: () => import('./candidate.ts'),
  packages: '@mikro-orm/postgresql@7.2.1 pg@8.23.0 pg-cursor@2.22.0',
  summary: 'The package of the PostgreSQL client is not installed.',
}

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
  ...serverMembers(dialect, clientPart),
  classify: faults.classify,
  replays: true,
  holdsReferences: true,
  // A database has the order of its creator; MariaDB's and SQLite's compare bytes, too.
  textCollation: 'C',
  sqlDialect: 'postgresql',
})

export default driver

import { defineDriver } from '../../src/driver/define-driver.ts'
import type { Driver } from '../../src/driver/driver.ts'
import { type ClientPart, serverMembers, tlsSettings } from '../../src/driver/kit/driver-kit.ts'
import { dialect } from './address/dialect.ts'
import { type MysqlTarget, syncWaits } from './address/target.ts'
import { faults } from './faults.ts'

/** The part of this driver that needs the client. */
const clientPart: ClientPart<typeof import('./candidate.ts')> = {
  load: () => import('./candidate.ts'),
  packages: '@mikro-orm/mariadb@7.2.1 mysql2@3.24.4',
  summary: 'The package of the MySQL client is not installed.',
}

/** MariaDB, and MySQL by the same code, which no test has run on. */
export const driver: Driver<MysqlTarget> = defineDriver<MysqlTarget>({
  contract: 1,
  name: 'mysql',
  schemes: [
    'mysql',
    'mariadb',
    'mysql2',
    'mysql+pymysql',
    'mysql+mysqldb',
    'mysql+mysqlclient',
    'mysql+mysqlconnector',
    'mysql+mariadbconnector',
    'mysql+aiomysql',
    'mysql+asyncmy',
    'mysql+cymysql',
    'mariadb+mariadbconnector',
    'mariadb+pymysql',
    'mariadb+mysqldb',
    'mariadb+mysqlclient',
    'mariadb+mysqlconnector',
    'mariadb+aiomysql',
    'mariadb+asyncmy',
  ],
  settings: {
    syncWait: {
      doc: 'In a Galera cluster: what waits until the member that is asked has what other members have answered before. read: changes and deletes, and the reads that decide or explain them. all: every statement. off: nothing.',
      format: syncWaits,
      default: 'read',
      env: 'MYSQL_SYNC_WAIT',
    },
    ...tlsSettings(dialect.tls),
  },
  ...serverMembers(dialect, clientPart),
  classify: faults.classify,
  replays: true,
  sqlDialect: 'mysql',
  holdsReferences: true,
})

export default driver

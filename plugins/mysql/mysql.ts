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
import { formatHost, type MysqlTarget } from './address/target.ts'
import { clientPart } from './client/load-client.ts'
import { classify } from './faults.ts'

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
  settings: tlsSettings(dialect.tls),
  parse: (address, settings) => readAddress(dialect, address, settings),
  async inspect(target): Promise<Inspection> {
    const missing = await missingClient(clientPart, target)
    return { problems: [...missing, ...(await findTlsProblems(dialect.tls, target))], path: null }
  },
  describe: ({ hosts, database }) => `mysql ${hosts.map(formatHost).join(',')}/${database}`,
  classify,
  async connect(target, limits) {
    const { createCandidates } = await loadClient(clientPart)
    return createCandidates(target, limits)
  },
})

export default driver

import { defineDriver } from '../../src/driver/define-driver.ts'
import type { Driver, Inspection } from '../../src/driver/driver.ts'
import { loadClient, missingClient } from '../../src/driver/kit/driver-kit.ts'
import { parseAddress } from './address.ts'
import { clientPart } from './client/load-client.ts'
import { classify } from './faults.ts'
import { formatHost, type MysqlTarget } from './target.ts'
import { tlsProblems } from './tls.ts'

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
    sslCa: {
      doc: 'The certificate of the authority to trust, as a path or as PEM text; ssl-ca in the address wins.',
      format: 'string',
      default: null,
      env: 'MYSQL_SSL_CA',
    },
    sslCert: {
      doc: "The client's certificate, as a path or as PEM text; ssl-cert in the address wins.",
      format: 'string',
      default: null,
      env: 'MYSQL_SSL_CERT',
    },
    sslKey: {
      doc: "The client's key, as a path or as PEM text; ssl-key in the address wins.",
      format: 'string',
      default: null,
      env: 'MYSQL_SSL_KEY',
      sensitive: true,
    },
  },
  parse: parseAddress,
  async inspect(target): Promise<Inspection> {
    const missing = await missingClient(clientPart, target)
    return { problems: [...missing, ...(await tlsProblems(target))], path: null }
  },
  describe: ({ hosts, database }) => `mysql ${hosts.map(formatHost).join(',')}/${database}`,
  classify,
  async connect(target, limits) {
    const { createCandidates } = await loadClient(clientPart)
    return createCandidates(target, limits)
  },
})

export default driver

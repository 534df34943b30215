import type { AddressDialect, AddressOptions, Settings } from '../../../src/driver/kit/driver-kit.ts'
import { parameters, tlsDialect } from './parameters.ts'
import { defaultPort, formatHost, type MysqlTarget, type SyncWait, syncWaits } from './target.ts'

/** No server accepts longer database names. */
const nameLimit = 64

/** The word with which Java's clients say what to do with several hosts. */
const hostWords = /^([a-z][a-z0-9+.-]*:)(?:loadbalance|load-balance|replication|failover|sequential|aurora):(?=\/\/)/i

/** How the addresses of this driver are read. */
export const dialect: AddressDialect<AddressOptions, MysqlTarget> = {
  driver: 'mysql',
  scheme: 'mysql',
  knownSchemes: /^(?:https?|mysql|mariadb)$/i,
  defaultPort,
  partParameters: {
    host: ['host', 'socket', 'unixsocket', 'socketpath', 'localsocket'],
    database: ['database', 'db', 'dbname'],
  },
  parameters,
  tls: tlsDialect,
  socketParameter: 'socket',
  databaseName: {
    isValid: (name) => name.length <= nameLimit && !/[/\\]/.test(name),
    rule: `have at most ${nameLimit} characters, none of them "/", "\\" or a control character`,
  },
  formatHost,
  prepare(text, report) {
    const prepared = text.replace(hostWords, '$1')
    if (prepared === text) return text
    const message = 'The word before the slashes has no effect: hosts are tried in the order in which they are listed.'
    report('ADDRESS_PARAMETER_UNUSED', 'info', 'scheme', message, 'Remove the word.')
    return prepared
  },
  options: (common) => common,
  complete: (common, _options, settings) => ({ ...common, syncWait: syncWaitOf(settings) }),
  id(hosts, database) {
    const names = hosts.map(({ host, port }) =>
      host.startsWith('/') ? host : `${host.toLowerCase().replace(/\.$/, '')}:${port}`,
    )
    return `mysql:${names.join(',')}/${database}`
  },
}

function syncWaitOf(settings: Settings): SyncWait {
  const wanted = settings.plugins?.mysql?.syncWait
  return syncWaits.find((one) => one === wanted) ?? 'read'
}

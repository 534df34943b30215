import { defineDriver } from '../../src/driver/define-driver.ts'
import type { Driver, Inspection } from '../../src/driver/driver.ts'
import {
  loadClient,
  missingClient,
  type SettingDeclaration,
  type SettingDeclarations,
} from '../../src/driver/kit/driver-kit.ts'
import { driver as postgresql } from '../postgresql/postgresql.ts'
import { formatHost } from '../postgresql/target.ts'
import { tlsProblems } from '../postgresql/tls.ts'
import { asOwn, parseAddress } from './address.ts'
import { webSocketPart } from './load-client.ts'
import type { NeonTarget } from './target.ts'

const { classify } = postgresql

/** PostgreSQL over WebSockets, as Neon takes them on port 443: for platforms that let nothing out to port 5432. */
export const driver: Driver<NeonTarget> = defineDriver<NeonTarget>({
  contract: 1,
  name: 'neon',
  schemes: ['neon+https', 'neon', 'neon+wss'],
  accepts: postgresql.schemes,
  settings: {
    wsProxy: {
      doc: 'Where WebSockets are opened, wss://host:port/path, when not at the host of the database itself; it is told the database as ?address=host:port.',
      format: 'string',
      default: null,
      env: 'NEON_WS_PROXY',
    },
    wsInsecure: {
      doc: 'True: NEON_WS_PROXY may be ws:// on another machine; passwords and rows are then sent in clear. On this machine it always may.',
      format: 'boolean',
      default: false,
      env: 'NEON_WS_INSECURE',
    },
    ...tlsSettings(postgresql.settings ?? {}),
  },
  parse: parseAddress,
  async inspect(target): Promise<Inspection> {
    const missing = await missingClient(webSocketPart, target)
    return { problems: [...missing, ...(await tlsProblems(target)).map(asOwn)], path: null }
  },
  describe: ({ hosts, database }) => `neon ${hosts.map(formatHost).join(',')}/${database}`,
  classify,
  async connect(target, limits) {
    const { createWebSocketCandidates } = await loadClient(webSocketPart)
    return createWebSocketCandidates(target, limits)
  },
})

export default driver

/** PostgreSQL's own, for the TLS of the WebSocket. */
function tlsSettings(settings: SettingDeclarations): SettingDeclarations {
  const renamed = ([key, setting]: readonly [string, SettingDeclaration]) =>
    [key, { ...setting, env: setting.env.replace('POSTGRESQL_', 'NEON_') }] as const
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([key]) => key.startsWith('ssl'))
      .map(renamed),
  )
}

import { defineDriver } from '../../src/driver/define-driver.ts'
import type { Driver } from '../../src/driver/driver.ts'
import { type ClientPart, serverMembers, tlsSettings } from '../../src/driver/kit/driver-kit.ts'
import { clientPart, driver as postgresql } from '../postgresql/postgresql.ts'
import { dialect, parseAddress } from './address/address.ts'
import type { NeonTarget } from './address/target.ts'

const { classify } = postgresql

/** The part of this driver that needs the clients: PostgreSQL's, and those of WebSockets. */
const webSocketPart: ClientPart<typeof import('./transports.ts')> = {
  load: () => import('./transports.ts'),
  packages: `${clientPart.packages} @neondatabase/serverless@1.2.0 ws@8.23.0`,
  summary: 'A package that PostgreSQL over WebSockets needs is not installed.',
}

/** PostgreSQL over WebSockets, which Neon accepts on port 443: for platforms that block outbound port 5432. */
export const driver: Driver<NeonTarget> = defineDriver<NeonTarget>({
  contract: 1,
  name: 'neon',
  schemes: ['neon+https', 'neon', 'neon+wss'],
  accepts: postgresql.schemes,
  settings: {
    wsProxy: {
      doc: 'The WebSocket proxy, wss://host:port/path, when it is not the database host itself; it gets the database as ?address=host:port.',
      format: 'string',
      default: null,
      env: 'NEON_WS_PROXY',
    },
    wsInsecure: {
      doc: 'Allows ws:// to another machine in NEON_WS_PROXY, which sends passwords and rows unencrypted. On this machine ws:// is always allowed.',
      format: 'boolean',
      default: false,
      env: 'NEON_WS_INSECURE',
    },
    ...tlsSettings(dialect.tls),
  },
  ...serverMembers(dialect, webSocketPart, { resolves: false }),
  textCollation: 'C',
  sqlDialect: 'postgresql',
  parse: parseAddress,
  classify,
  replays: true,
  holdsReferences: true,
})

export default driver

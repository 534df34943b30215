import type { ClientPart } from '../../src/driver/kit/driver-kit.ts'
import { clientPart } from '../postgresql/client/load-client.ts'

/** The part of this driver that needs the clients: PostgreSQL's, and those of WebSockets. */
export const webSocketPart: ClientPart<typeof import('./transports.ts')> = {
  load: () => import('./transports.ts'),
  packages: `${clientPart.packages} @neondatabase/serverless@1.2.0 ws@8.23.0`,
  summary: 'A package that PostgreSQL over WebSockets needs is not installed.',
}

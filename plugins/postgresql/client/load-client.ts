import type { ClientPart } from '../../../src/driver/kit/driver-kit.ts'

/** The part of this driver that needs the client. */
export const clientPart: ClientPart<typeof import('../candidate.ts')> = {
  load: () => import('../candidate.ts'),
  packages: '@mikro-orm/postgresql@7.2.1 pg@8.23.0 pg-cursor@2.22.0',
  summary: 'The package of the PostgreSQL client is not installed.',
}

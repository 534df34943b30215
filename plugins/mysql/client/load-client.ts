import type { ClientPart } from '../../../src/driver/kit/driver-kit.ts'

/** The part of this driver that needs the client. */
export const clientPart: ClientPart<typeof import('../candidate.ts')> = {
  load: () => import('../candidate.ts'),
  packages: '@mikro-orm/mariadb@7.2.1 mysql2@3.24.4',
  summary: 'The package of the MySQL client is not installed.',
}

import { Secret } from '../../src/config/secret.ts'
import type { Durability } from '../../src/database/store/store.ts'
import type { DatabaseSessionContext, FaultStatus } from '../../src/database/supervisor/connection-status.ts'
import type { CollectionLine, StatusSource } from '../../src/http/status/status-source.ts'

export const adminToken = 'an admin token for tests'

export const localDatabase: DatabaseSessionContext = {
  state: 'FALLBACK_CONNECTED',
  row: 'local',
  since: '2026-05-04T03:02:01.000Z',
  forMs: 1_000,
  why: null,
  store: {
    shown: 'local',
    driver: 'sqlite',
    label: 'sqlite:/srv/private/production.db',
    version: '3.53.4',
    path: '/srv/private/production.db',
    disk: { kind: 'durable', fileSystem: 'ext4', why: 'It was said so.' },
  },
  attempts: 1,
  lastAttempt: { at: '2026-05-04T03:02:01.000Z', fault: null },
  connectionAttemptsCount: 7,
  lastConnectionAttempt: '2026-05-04T03:02:00.000Z',
  isFallbackActive: false,
  activeSessions: 3,
  standby: null,
  carrying: null,
  recovery: 'none',
  declared: false,
  usable: true,
  hasFallback: true,
  journal: null,
  hosts: [],
  writeBlock: null,
  diskFull: false,
  transitions: [],
}

/** The fault of a primary whose sentence names what only the admin may see. */
export const refusedFault: FaultStatus = {
  kind: 'unreachable',
  code: 'ECONNREFUSED',
  summary: 'db7.internal:5432 refused the connection for user carol.',
  hint: 'Start the server on db7.internal.',
}

export const feedback: CollectionLine = {
  name: 'feedback',
  path: '/api/feedback',
  description: 'What people say about the model’s answers.',
  access: { create: 'public', list: 'public', get: 'public', update: 'admin', delete: 'admin', aggregate: 'public' },
  example: { rating: 5, comment: "it's <b>works</b>", meta: { ok: true, none: null } },
}

/** A source whose parts a test replaces. */
export function createSource(
  database: Partial<DatabaseSessionContext> = {},
  rest: Partial<Omit<StatusSource, 'database'>> = {},
): StatusSource {
  const token = new Secret(adminToken)
  return {
    version: '0.1.0',
    startedAt: new Date(Date.now() - 5_000),
    database: () => ({ ...localDatabase, ...database }),
    conflicts: () => 0,
    copy: () => [],
    archive: () => null,
    lacking: () => [],
    keyless: () => [],
    durability: (): Durability | null => 'local',
    policy: () => ({ boot: 'lazy', readiness: 'any' }),
    platform: () => ({ nodeEnv: 'test', spaceId: null, spaceHost: null, openidProviderUrl: null, oauthClientId: null }),
    settings: () => [
      {
        name: 'database.url',
        value: 'postgresql://carol:***@db7/x',
        origin: { from: 'environment', name: 'DATABASE_URL' },
      },
    ],
    problems: () => [],
    collections: () => [feedback],
    adminToken: () => ({ token, source: { from: 'file', path: '/srv/private/admin-token', fresh: true } }),
    isClosing: () => false,
    ...rest,
  }
}

import { Secret } from '../../src/config/secret.ts'
import type { CollectionLine, DatabaseStatus, StatusSource } from '../../src/http/status-source.ts'

export const adminToken = 'an admin token for tests'

export const localDatabase: DatabaseStatus = {
  state: 'FALLBACK_CONNECTED',
  row: 'local',
  since: '2026-05-04T03:02:01.000Z',
  fault: null,
  store: {
    shown: 'local',
    driver: 'sqlite',
    label: 'sqlite:/srv/private/production.db',
    disk: { kind: 'durable', fileSystem: 'ext4', why: 'It was said so.' },
  },
  durability: 'local',
  standby: 'off',
  attempts: 1,
  lastAttempt: '2026-05-04T03:02:01.000Z',
  activeSessions: 3,
}

/** The fault of a primary whose sentence names what only the admin may see. */
export const refusedFault: NonNullable<DatabaseStatus['fault']> = {
  kind: 'unreachable',
  code: 'ECONNREFUSED',
  summary: 'db7.internal:5432 refused the connection for user carol.',
  hint: 'Start the server on db7.internal.',
  ambiguous: false,
  cause: new Error('password hunter2'),
}

export const feedback: CollectionLine = {
  name: 'feedback',
  path: '/api/feedback',
  description: 'What people say about the model’s answers.',
  access: { create: 'public', list: 'public', get: 'public', update: 'admin', delete: 'admin' },
  example: { rating: 5, comment: "it's <b>works</b>", meta: { ok: true, none: null } },
}

/** A source whose parts a test replaces. */
export function createSource(
  database: Partial<DatabaseStatus> = {},
  rest: Partial<Omit<StatusSource, 'database'>> = {},
): StatusSource {
  const token = new Secret(adminToken)
  return {
    version: '0.1.0',
    startedAt: new Date(Date.now() - 5_000),
    database: () => ({ ...localDatabase, ...database }),
    policy: () => ({ boot: 'lazy', readiness: 'any' }),
    platform: () => ({ nodeEnv: 'test', spaceId: null, spaceHost: null }),
    settings: () => [
      {
        name: 'database.url',
        value: 'postgresql://carol:***@db7/x',
        origin: { from: 'environment', name: 'DATABASE_URL' },
      },
    ],
    problems: () => [],
    transitions: () => [],
    collections: () => [feedback],
    adminToken: () => ({ token, source: { from: 'file', path: '/srv/private/admin-token', fresh: true } }),
    isClosing: () => false,
    ...rest,
  }
}

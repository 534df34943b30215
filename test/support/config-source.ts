import type { DatabaseConfig, DatabaseConfigSource } from '../../src/database/address/config.ts'

/** A database configuration that never changes. */
export function fixedConfig(current: DatabaseConfig): DatabaseConfigSource {
  return { current, fresh: async () => current, secretsFingerprint: async () => '' }
}

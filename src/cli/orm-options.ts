/**
 * Options for MikroORM's command line (`npx mikro-orm`) on the configured database: the primary, or the local store when
 * none is declared. For development; the service does not import this file.
 */
import type { Options } from '@mikro-orm/core'
import { loadCollections } from '../collection/declaration/load.ts'
import { entityOf } from '../collection/table/entity.ts'
import type { DatabaseConfig, ResolvedTarget } from '../database/address/config.ts'
import { connectionSettingsOf } from '../database/machine/connection-settings.ts'
import { DatabaseEngineFactory } from '../database/store/engine-factory.ts'
import { FaultError } from '../driver/fault.ts'
import { resolveAll } from '../service/resolve.ts'

/** Called once by each command. @throws Error that says what is wrong and what to do. */
export async function configure(): Promise<Options> {
  const cwd = process.cwd()
  const { config, resolved } = await resolveAll({ env: process.env, cwd })
  const { collections } = await loadCollections(resolved.settings.collections.dir, cwd)
  const connection = connectionSettingsOf(resolved.settings)
  const factory = new DatabaseEngineFactory({ entities: collections.map(entityOf), settings: () => connection })
  const role = config.declared ? 'primary' : 'fallback'
  try {
    const signal = AbortSignal.timeout(connection.limits.connectMs)
    const options = await factory.options(databaseOf(config), role, signal)
    // `schema:update` drops tables without an entity, and would drop Holdfast's own.
    const schemaGenerator = { ...options.schemaGenerator, skipTables: [/^holdfast_/] }
    return { ...options, schemaGenerator } as Options // MikroORM's two packages type the same options differently.
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    const { code, summary, hint } = error.fault
    throw new Error(`${summary} (${code}) ${hint}`)
  }
}

function databaseOf({ declared, primary, fallback, problems }: DatabaseConfig): ResolvedTarget {
  const target = declared ? primary : fallback
  if (target !== null) return target
  const why = problems.find(({ severity }) => severity === 'error')
  throw new Error(why === undefined ? 'No database is configured.' : `${why.message} ${why.suggestion}`)
}

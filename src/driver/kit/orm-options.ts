import type { Logger } from '@mikro-orm/core'
import type { OrmOptions } from '../orm.ts'

const silent = (): void => {}

/**
 * Everything that `new MikroORM` needs but the entities. Each option that a stray `MIKRO_ORM_*` variable could fill is
 * given, `undefined` included: given options win over the environment, and `undefined` then takes MikroORM's default.
 * A driver gives its own (`driver`, `dbName`, what only its database knows), which win over these; no password belongs
 * among them, since printing an ORM prints these options.
 *
 * MikroORM's messages go nowhere; its statements go to `echo`, by their text with placeholders.
 */
export function isolatedOrmOptions(own: OrmOptions, echo: ((sql: string) => void) | undefined): OrmOptions {
  const options = {
    clientUrl: undefined,
    host: undefined,
    port: undefined,
    user: undefined,
    password: undefined,
    schema: undefined,
    driverOptions: {},
    pool: {},
    baseDir: process.cwd(),
    entitiesTs: [],
    preferTs: false,
    loadStrategy: undefined,
    batchSize: undefined,
    useBatchInserts: undefined,
    useBatchUpdates: undefined,
    allowGlobalContext: false,
    autoJoinOneToOneOwner: undefined,
    populateAfterFlush: undefined,
    forceEntityConstructor: undefined,
    forceUndefined: undefined,
    forceUtcTimezone: undefined,
    timezone: undefined,
    // A database that is missing is a fault, not something to make in silence.
    ensureDatabase: false,
    ensureIndexes: false,
    implicitTransactions: undefined,
    debug: false,
    colors: false,
    logger: silent,
    loggerFactory: () => createLogger(echo),
    discovery: {
      warnWhenNoEntities: false,
      checkDuplicateTableNames: undefined,
      checkDuplicateFieldNames: undefined,
      checkNonPersistentCompositeProps: undefined,
      inferDefaultValues: undefined,
      tsConfigPath: undefined,
    },
    migrations: {
      tableName: undefined,
      path: undefined,
      pathTs: undefined,
      glob: undefined,
      transactional: undefined,
      disableForeignKeys: undefined,
      allOrNothing: undefined,
      dropTables: undefined,
      safe: undefined,
      silent: true,
      emit: undefined,
      snapshot: undefined,
      snapshotOnMigrate: undefined,
      snapshotName: undefined,
    },
    schemaGenerator: {
      disableForeignKeys: undefined,
      createForeignKeyConstraints: undefined,
      ignoreTriggers: undefined,
      ignoreRoutines: undefined,
      ignorePolicies: undefined,
    },
    seeder: { path: undefined, pathTs: undefined, glob: undefined, emit: undefined, defaultSeeder: undefined },
    ...own,
  }
  // The explicit `undefined`s are the point, and are what exactOptionalPropertyTypes forbids in MikroORM's own type.
  return options as unknown as OrmOptions
}

function createLogger(echo: ((sql: string) => void) | undefined): Logger {
  return {
    log: silent,
    error: silent,
    warn: silent,
    setDebugMode: silent,
    isEnabled: (namespace) => echo !== undefined && namespace === 'query',
    logQuery: ({ query }) => {
      if (query !== undefined) echo?.(query)
    },
  }
}

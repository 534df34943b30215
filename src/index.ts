import './service/version.ts'

export type { Collection } from './collection/declaration/declaration.ts'
export type { Origin, Problem, Severity } from './config/problem.ts'
export { Secret } from './config/secret.ts'
export type {
  DatabaseSettings,
  FallbackStrategy,
  FaultCondition,
  ResolvedSettings,
  SettingLine,
  Settings,
  SettingsInput,
} from './config/settings.ts'
export {
  type DatabaseConfig,
  type DatabaseConfigSource,
  fixedConfig,
  type ResolvedTarget,
} from './database/address/config.ts'
export { DatabaseUrlResolver, DatabaseUrlResolver as DatabaseURLResolver } from './database/address/resolver.ts'
export {
  type AddressContext,
  type AddressReading,
  DatabaseUrlValidator,
  DatabaseUrlValidator as DatabaseURLValidator,
} from './database/address/validator.ts'
export { type ConnectionSettings, connectionSettingsOf } from './database/machine/connection-settings.ts'
export type { State } from './database/machine/state.ts'
export { DatabaseEngineFactory, type EngineFactoryOptions } from './database/store/engine-factory.ts'
export type { Demand, Durability, Store } from './database/store/store.ts'
export type { DatabaseSessionContext } from './database/supervisor/connection-status.ts'
export { Supervisor, type SupervisorParts } from './database/supervisor/supervisor.ts'
export type { Outcome, Session } from './database/work/session.ts'
export { type TransactionOptions, WorkRunner } from './database/work/work.ts'
export { dataFolders } from './disk/data-directory.ts'
export { defineDriver } from './driver/define-driver.ts'
export type { Driver } from './driver/driver.ts'
export { type LoadedDrivers, type LoadFrom, loadDrivers } from './driver/load.ts'
export { DriverRegistry } from './driver/registry.ts'
export { type ErrorCode, errorCatalogue, HoldfastError } from './errors.ts'
export type { Reloaded } from './http/admin/admin-routes.ts'
export { DatabaseSessionFactory } from './http/data/session-factory.ts'
export { type ListenAddress, ListenError } from './http/server/listen.ts'
export type { Observation } from './observe/observation.ts'
export type { Holdfast, HoldfastOptions, Status } from './service/holdfast.ts'
export { loadSettings } from './service/resolve.ts'
export { createHoldfast } from './service/service.ts'

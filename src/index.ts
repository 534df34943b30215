import './oldest-node.ts'

export type { Collection } from './collection/declaration.ts'
export type { SettingsInput } from './config/options.ts'
export type { Origin, Problem, Severity } from './config/problem.ts'
export { Secret } from './config/secret.ts'
export type {
  DatabaseSettings,
  FallbackStrategy,
  FaultCondition,
  ResolvedSettings,
  SettingLine,
  Settings,
} from './config/settings.ts'
export type { DatabaseConfig, ResolvedTarget } from './database/config.ts'
export type { DatabaseSessionContext } from './database/context.ts'
export { DatabaseEngineFactory } from './database/engine-factory.ts'
export { DatabaseUrlResolver } from './database/resolver.ts'
export type { Outcome, Session } from './database/session.ts'
export { DatabaseSessionFactory } from './database/session-factory.ts'
export type { State } from './database/state.ts'
export type { Demand, Durability, Store } from './database/store.ts'
export { DatabaseUrlValidator } from './database/url-validator.ts'
export type { TransactionOptions } from './database/work.ts'
export { type Driver, defineDriver } from './driver/driver.ts'
export { type ErrorCode, errorCatalogue, HoldfastError } from './errors.ts'
export type { Holdfast, HoldfastOptions, Reloaded, Status } from './holdfast.ts'
export { type ListenAddress, ListenError } from './http/listen.ts'
export type { Observation } from './observe/observation.ts'
export { loadSettings } from './resolve.ts'
export { createHoldfast } from './service.ts'

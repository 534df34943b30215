import { DatabaseEngineFactory } from '../database/store/engine-factory.ts'
import type { StoreSteps } from '../database/supervisor/steps.ts'
import { Supervisor } from '../database/supervisor/supervisor.ts'
import type { Observation } from '../observe/observation.ts'
import type { ConfigSource } from './config-source.ts'

/** The supervisor of a service's databases. */
export function createSupervisor(
  config: ConfigSource,
  steps: StoreSteps,
  observe: (seen: Observation) => void,
): Supervisor {
  const opener = new DatabaseEngineFactory({
    get entities() {
      return config.active.entities
    },
    settings: () => config.active.connection,
  })
  return new Supervisor({
    opener,
    steps,
    settings: config.active.connection,
    maxActiveSessions: () => config.settings.http.maxActiveSessions,
    config,
    observe,
  })
}

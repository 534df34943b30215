import assert from 'node:assert/strict'
import type { EntitySchema } from '@mikro-orm/core'
import { faultConditions } from '../../src/config/settings.ts'
import type { DatabaseConfig } from '../../src/database/address/config.ts'
import type { ConnectionSettings } from '../../src/database/machine/connection-settings.ts'
import { type Archiving, noArchiving } from '../../src/database/store/archiving.ts'
import { DatabaseEngineFactory } from '../../src/database/store/engine-factory.ts'
import type { Gate } from '../../src/database/supervisor/gate.ts'
import type { DatabaseObservation } from '../../src/database/supervisor/observation.ts'
import { emptySteps, type StoreSteps } from '../../src/database/supervisor/steps.ts'
import { Supervisor } from '../../src/database/supervisor/supervisor.ts'
import { WorkRunner } from '../../src/database/work/work.ts'
import type { Facts } from '../../src/driver/driver.ts'
import { type ErrorCode, HoldfastError } from '../../src/errors.ts'
import { FakeClock, settle } from '../support/fake-clock.ts'
import { configOf, ScriptedDatabase } from '../support/scripted-driver.ts'

/** Settings as DESIGN's defaults give them. */
export const defaults: ConnectionSettings = {
  limits: { connectMs: 30_000, queryMs: 5_000, transactionMs: 30_000, poolSize: 5, poolMaxOverflow: 10 },
  fallbackMode: 'read-write',
  fallbackEnabled: true,
  conditions: new Set(faultConditions.filter((condition) => condition !== 'transient')),
  timeoutMs: 5_000,
  failoverMs: null,
  attempts: 3,
  retryDelayMs: 500,
  durable: null,
  isSpace: false,
  isArchived: false,
}

/** The whole room over scripted databases and a clock that stands still. */
export interface Rig {
  readonly clock: FakeClock
  readonly primary: ScriptedDatabase
  readonly fallback: ScriptedDatabase
  readonly gate: Gate
  readonly supervisor: Supervisor
  readonly work: WorkRunner
  readonly seen: DatabaseObservation[]
  /** Replaces what the source of the configuration gives. */
  config: DatabaseConfig
  resolved: number
  /** Called whenever the configuration is re-read. */
  onFresh: () => void
  /** Changes when a secret file was written. */
  secretsFingerprint: string
}

/** What a test may choose. */
export interface RigOptions {
  readonly declared?: boolean
  readonly settings?: Partial<ConnectionSettings>
  readonly steps?: StoreSteps
  readonly entities?: readonly EntitySchema[]
  /** What the fallback says of itself. */
  readonly facts?: Partial<Facts>
  /** What the primary says of itself. */
  readonly primaryFacts?: Partial<Facts>
  /** The labels of the primary's hosts; absent: one. */
  readonly hosts?: readonly string[]
  /** 1,000 when absent. */
  readonly maxActiveSessions?: () => number
  readonly archiving?: Archiving
}

/** Composes it as `service.ts` does. Nothing is open. */
export function rigOf(options: RigOptions = {}): Rig {
  const clock = new FakeClock()
  const { hosts, primaryFacts } = options
  const primary = new ScriptedDatabase('primary-db', {
    ...(hosts === undefined ? {} : { hosts }),
    ...(primaryFacts === undefined ? {} : { facts: primaryFacts }),
  })
  const fallback = new ScriptedDatabase('fallback-db', {
    isEmbedded: true,
    ...(options.facts === undefined ? {} : { facts: options.facts }),
  })
  const settings = { ...defaults, ...options.settings }
  const seen: DatabaseObservation[] = []
  const opener = new DatabaseEngineFactory({
    entities: options.entities ?? [],
    settings: () => settings,
  })
  const config = options.declared === false ? configOf(null, fallback) : configOf(primary, fallback)
  const rig = { config, resolved: 0, secretsFingerprint: '', onFresh: () => {} }
  const supervisor = new Supervisor({
    opener,
    steps: options.steps ?? emptySteps,
    settings,
    config: {
      get current() {
        return rig.config
      },
      fresh: async () => {
        rig.resolved += 1
        rig.onFresh()
        return rig.config
      },
      secretsFingerprint: async () => rig.secretsFingerprint,
    },
    observe: (observation) => seen.push(observation),
    maxActiveSessions: options.maxActiveSessions ?? (() => 1_000),
    clock,
    random: () => 0.5,
  })
  const { archiving = noArchiving } = options
  const work = new WorkRunner(
    supervisor,
    (observation) => seen.push(observation),
    () => true,
    archiving,
  )
  return Object.assign(rig, { clock, primary, fallback, gate: supervisor.gate, supervisor, work, seen })
}

/** The names of the states that the connection went through, first to last. */
export function path(rig: Rig): string[] {
  return rig.seen.flatMap((seen) => (seen.type === 'connection.changed' ? [seen.to] : []))
}

/** Closes everything, and checks that no connection, ORM or timer is left. */
export async function endRig(rig: Rig): Promise<void> {
  await rig.supervisor.close(5_000)
  rig.work.close()
  await settle()
  for (const { calls } of [rig.primary, rig.fallback]) {
    assert.equal(calls.connectionsOpen, 0, 'a connection is left')
    assert.equal(calls.ormsMade, calls.ormsClosed, 'an ORM is left')
  }
  assert.equal(rig.clock.pending, 0, 'a timer is left')
}

/** The error with which the work was refused; fails where it was not, or has another code. */
export async function refusal(work: Promise<unknown>, code: ErrorCode): Promise<HoldfastError> {
  const error = await work.then(
    () => assert.fail('it succeeded'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof HoldfastError, String(error))
  assert.equal(error.code, code)
  return error
}

import type { Settings } from '../../config/settings.ts'
import type { Limits } from '../../driver/driver.ts'
import type { DatabaseConfig } from '../address/config.ts'
import type { Policy } from './policy.ts'

/** The settings of the connection. All times are in milliseconds. */
export interface ConnectionSettings {
  readonly limits: Limits
  /** What the fallback may do while a primary is declared. */
  readonly fallbackMode: 'read-write' | 'read-only'
  /** False: a declared primary has no fallback. */
  readonly fallbackEnabled: boolean
  readonly conditions: Policy['conditions']
  readonly timeoutMs: number
  /** How long another host is looked for after a loss; null: `times.failoverMs` where there are others, else not at all. */
  readonly failoverMs: number | null
  readonly attempts: number
  readonly retryDelayMs: number
  /** `DATA_DURABLE`; null: detected. */
  readonly durable: boolean | null
  /** True in a Hugging Face Space, whose disk is lost at each restart. */
  readonly isSpace: boolean
  /** Local stores, and what waits in journals, have an archive. */
  readonly isArchived: boolean
}

/** Selects the settings of the connection. `echo` receives each statement's text when ECHO_SQL is on. */
export function connectionSettingsOf(settings: Settings, echo?: (sql: string) => void): ConnectionSettings {
  const { database, fallback } = settings
  return {
    limits: {
      connectMs: database.connectionTimeoutS * 1000,
      queryMs: database.queryTimeoutS * 1000,
      transactionMs: database.transactionTimeoutS * 1000,
      poolSize: database.poolSize,
      poolMaxOverflow: database.poolMaxOverflow,
      ...(database.echoSql && echo !== undefined ? { echo } : {}),
    },
    fallbackMode: fallback.mode,
    fallbackEnabled: fallback.enabled,
    conditions: new Set(fallback.conditions),
    timeoutMs: fallback.timeoutS * 1000,
    failoverMs: fallback.failoverWaitS === null ? null : fallback.failoverWaitS * 1000,
    attempts: 1 + fallback.maxRetriesPrimary,
    retryDelayMs: fallback.retryDelayMs,
    durable: settings.data.durable,
    isSpace: settings.platform.spaceId !== null,
    isArchived: settings.archive.url !== null,
  }
}

/** The policy of the state machine, from settings and resolution. */
export function policyOf(settings: ConnectionSettings, config: DatabaseConfig): Policy {
  return {
    declared: config.declared,
    fallback: settings.fallbackEnabled && config.fallback !== null,
    conditions: settings.conditions,
    timeoutMs: settings.timeoutMs,
    attempts: settings.attempts,
    retryDelayMs: settings.retryDelayMs,
    connectMs: settings.limits.connectMs,
  }
}

import { stat } from 'node:fs/promises'
import type { Problem } from '../config/problem.ts'
import type { ResolvedSettings } from '../config/settings.ts'
import type { DatabaseConfig } from '../database/address/config.ts'
import { connectionSettingsOf } from '../database/machine/connection-settings.ts'
import { addressAdvice, diskAdvice } from '../database/store/address-advice.ts'
import { systemClock } from '../database/store/clock.ts'
import { type ConnectionTest, testConnection } from '../database/store/connection-test.ts'
import type { Disk } from '../disk/disk.ts'
import type { Facts, Insight } from '../driver/driver.ts'
import type { Fault } from '../driver/fault.ts'

/** The result of connecting. Holds no secret. */
export interface ConnectionReport {
  /** Null when no usable primary is declared. */
  readonly primary: PrimaryConnection | null
  readonly fallback: FallbackState | null
  /** Suggestions; nothing is wrong. */
  readonly advice: readonly string[]
  /** Found only by connecting. */
  readonly problems: readonly Problem[]
}

/** A fault in the report, without its cause. */
export type ReportedFault = Pick<Fault, 'kind' | 'code' | 'summary' | 'hint'>

/** The primary as it answered; null what is not known. */
export interface PrimaryConnection extends Omit<Insight, 'roundTripMs'> {
  /** `not-tried`: a file of this machine, which is checked and not opened. */
  readonly outcome: 'reached' | 'failed' | 'not-tried'
  readonly fault: ReportedFault | null
  /** Each host in order; the last one answered when the outcome is `reached`. */
  readonly tried: readonly { readonly label: string; readonly fault: ReportedFault | null }[]
  readonly version: string | null
  readonly connectMs: number | null
  readonly roundTripMs: number | null
  readonly pooled: boolean | null
  readonly ownTables: Facts['ownTables'] | null
}

/** The fallback's file, which is not opened: another process may be using it. */
export interface FallbackState {
  readonly path: string | null
  /** Null: it does not exist yet, or there is no file. */
  readonly bytes: number | null
}

/** Connects to the primary, and reports the state of the fallback. Changes nothing; within CONNECTION_TIMEOUT; never rejects. */
export async function connectReport(
  { declared, primary }: DatabaseConfig,
  { settings }: ResolvedSettings,
  fallback: { readonly path: string | null; readonly disk: Disk } | null,
  primaryDisk: Disk | null,
): Promise<ConnectionReport> {
  const connection = connectionSettingsOf(settings)
  const isServer = primary !== null && primary.driver.embedded === undefined
  const trial = isServer ? await testConnection(primary, connection, systemClock) : null
  const onDisk = [
    primaryDisk === null ? null : diskAdvice(primaryDisk.kind, 'primary'),
    fallback === null ? null : diskAdvice(fallback.disk.kind, declared ? 'fallback' : 'local'),
  ]
  return {
    primary: primary === null ? null : primaryConnection(trial),
    fallback: fallback === null ? null : { path: fallback.path, bytes: await sizeOf(fallback.path) },
    advice: [
      ...(primary === null || trial === null || trial.facts === null ? [] : addressAdvice(primary.target, trial.facts)),
      ...lateAdvice(trial, connection.timeoutMs),
      ...onDisk.filter((advice) => advice !== null),
    ],
    problems: trial?.facts?.problems ?? [],
  }
}

function primaryConnection(trial: ConnectionTest | null): PrimaryConnection {
  const facts = trial?.facts ?? null
  const insight = facts?.insight ?? null
  return {
    outcome: trial === null ? 'not-tried' : facts === null ? 'failed' : 'reached',
    fault: reportedFault(trial?.fault ?? null),
    tried: trial?.attempts.map(({ label, fault }) => ({ label, fault: reportedFault(fault) })) ?? [],
    version: facts?.version ?? null,
    connectMs: rounded(trial?.connectMs ?? null),
    roundTripMs: rounded(insight?.roundTripMs ?? null),
    encryption: insight?.encryption ?? null,
    pooled: facts?.pooled ?? null,
    schema: insight?.schema ?? null,
    mayMakeTables: insight?.mayMakeTables ?? null,
    mayWriteOwnTables: insight?.mayWriteOwnTables ?? null,
    isReadOnly: insight?.isReadOnly ?? false,
    ownTables: facts?.ownTables ?? null,
  }
}

/** The service waits FALLBACK_TIMEOUT for the primary, then the fallback serves. */
function lateAdvice(trial: ConnectionTest | null, timeoutMs: number): readonly string[] {
  const tookMs = trial?.connectMs ?? 0
  if (tookMs <= timeoutMs) return []
  const [took, limit] = [tookMs, timeoutMs].map((ms) => `${(ms / 1_000).toFixed(1)} s`)
  return [
    `The primary took ${took} to answer, longer than FALLBACK_TIMEOUT (${limit}), so the fallback serves first. Raise FALLBACK_TIMEOUT if that is usual.`,
  ]
}

function reportedFault(fault: Fault | null): ReportedFault | null {
  if (fault === null) return null
  const { kind, code, summary, hint } = fault
  return { kind, code, summary, hint }
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 10) / 10
}

async function sizeOf(path: string | null): Promise<number | null> {
  if (path === null) return null
  return await stat(path).then(
    ({ size }) => size,
    () => null,
  )
}

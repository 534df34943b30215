import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { archiveCredentials, openTarget } from '../archive/target/config.ts'
import { type TargetTrial, tryTarget } from '../archive/target/trial.ts'
import { clockAdvice, placeAdvice, trialProblems } from '../archive/target/trial-advice.ts'
import type { ArchivePlace } from '../archive/target/url.ts'
import type { Collection } from '../collection/declaration/declaration.ts'
import { entityOf } from '../collection/table/entity.ts'
import { inspectTables } from '../collection/table/tables.ts'
import type { Problem } from '../config/problem.ts'
import type { Settings } from '../config/settings.ts'
import type { ResolvedTarget } from '../database/address/config.ts'
import { type ConnectionSettings, connectionSettingsOf } from '../database/machine/connection-settings.ts'
import { openingFault } from '../database/machine/faults.ts'
import { addressAdvice, diskAdvice } from '../database/store/address-advice.ts'
import { untilAborted } from '../database/store/bounded.ts'
import { systemClock } from '../database/store/clock.ts'
import { type ConnectionAttempt, type ConnectionTest, testConnection } from '../database/store/connection-test.ts'
import { DatabaseEngineFactory } from '../database/store/engine-factory.ts'
import { type FaultStatus, faultStatus } from '../database/supervisor/connection-status.ts'
import type { Disk } from '../disk/disk.ts'
import type { Facts, Insight } from '../driver/driver.ts'
import type { Standing } from '../driver/facet/standing.ts'
import type { Resolution } from '../service/resolve.ts'

/** How long the connections may take to end. */
const closeMs = 1_000

/** The result of connecting. Holds no secret. */
export interface ConnectionReport {
  /** Null when no usable primary is declared. */
  readonly primary: PrimaryConnection | null
  readonly fallback: FallbackState | null
  /** Null when no usable archive is declared. */
  readonly archive: TargetTrial | null
  /** Suggestions; nothing is wrong. */
  readonly advice: readonly string[]
  /** Found only by connecting. */
  readonly problems: readonly Problem[]
}

/** The primary as it answered; null what is not known. */
export interface PrimaryConnection extends Omit<Insight, 'roundTripMs'> {
  /** `not-tried`: a file of this machine, which is checked and not opened. */
  readonly outcome: 'reached' | 'failed' | 'not-tried'
  readonly fault: FaultStatus | null
  /** Each host in order. */
  readonly tried: readonly TriedHost[]
  /** The label of the one that would serve; null unless the outcome is `reached`. */
  readonly served: string | null
  readonly version: string | null
  readonly connectMs: number | null
  readonly roundTripMs: number | null
  readonly pooled: boolean | null
  readonly ownTables: Facts['ownTables'] | null
}

/** One host of the address. */
export interface TriedHost {
  readonly label: string
  readonly fault: FaultStatus | null
  /** Its place in a cluster; null where it does not say it. */
  readonly standing: Omit<Standing, 'position' | 'server'> | null
}

/** The fallback's file, which is not opened: another process may be using it. */
export interface FallbackState {
  readonly path: string | null
  /** Null: it does not exist yet, or there is no file. */
  readonly bytes: number | null
}

/** The disks of a report: null for a server, or where there is none. */
interface Disks {
  readonly primary: Disk | null
  readonly fallback: { readonly path: string | null; readonly disk: Disk } | null
}

/**
 * Connects to the primary, inspects the tables of the collections there, reports the state of the fallback, and tries the
 * archive, where it leaves nothing. Changes nothing else; within CONNECTION_TIMEOUT, and the archive within its own limits;
 * never rejects.
 */
export async function connectReport(
  { resolved: { settings }, config: { declared, primary }, archive: { place } }: Resolution,
  collections: readonly Collection[],
  disks: Disks,
): Promise<ConnectionReport> {
  const { fallback } = disks
  const connection = connectionSettingsOf(settings)
  const signal = AbortSignal.timeout(connection.limits.connectMs)
  const isServer = primary !== null && primary.driver.embedded === undefined
  const trial = isServer ? await testConnection(primary, connection, systemClock) : null
  const facts = trial?.facts ?? null
  const archive = place === null ? null : await tryArchive(place, settings)
  const tables =
    primary === null || facts === null
      ? { problems: [], advice: [] }
      : await tableReport(primary, collections, { settings, connection, facts }, signal)
  const onDisk = [
    disks.primary === null ? null : diskAdvice(disks.primary.kind, 'primary', false),
    fallback === null ? null : diskAdvice(fallback.disk.kind, declared ? 'fallback' : 'local', place !== null),
  ]
  return {
    primary: primary === null ? null : primaryConnection(trial),
    fallback: fallback === null ? null : { path: fallback.path, bytes: await sizeOf(fallback.path) },
    archive,
    advice: [
      ...(primary === null || facts === null ? [] : addressAdvice(primary.target, facts)),
      ...lateAdvice(trial, connection.timeoutMs),
      ...tables.advice,
      ...onDisk.filter((advice) => advice !== null),
      ...(place === null ? [] : await placeAdvice(place, fallback?.path ?? null)),
      ...clockAdvice(archive),
    ],
    problems: [...(facts?.problems ?? []), ...tables.problems, ...trialProblems(archive)],
  }
}

async function tryArchive(place: ArchivePlace, settings: Settings): Promise<TargetTrial> {
  const tools = { clock: systemClock, random: Math.random }
  const target = openTarget(place, () => archiveCredentials(settings), tools)
  return await tryTarget(target, systemClock, randomUUID(), new AbortController().signal)
}

/** What the service would find of the tables; an advice where they could not be inspected. */
async function tableReport(
  primary: ResolvedTarget,
  collections: readonly Collection[],
  { settings, connection, facts }: { settings: Settings; connection: ConnectionSettings; facts: Facts },
  signal: AbortSignal,
): Promise<Pick<ConnectionReport, 'problems' | 'advice'>> {
  if (collections.length === 0) return { problems: [], advice: [] }
  const factory = new DatabaseEngineFactory({ entities: collections.map(entityOf), settings: () => connection })
  try {
    const store = await factory.look(primary, signal)
    const { schemaApply } = settings.database
    const found = inspectTables(store, collections, schemaApply, facts.insight?.mayMakeTables ?? null)
    const { problems } = await untilAborted(found, signal).finally(() => store.close(closeMs))
    return { problems, advice: [] }
  } catch (error) {
    const { summary } = openingFault(primary.driver, error)
    return { problems: [], advice: [`The tables of the collections could not be inspected: ${summary}`] }
  }
}

function primaryConnection(trial: ConnectionTest | null): PrimaryConnection {
  const facts = trial?.facts ?? null
  const insight = facts?.insight ?? null
  return {
    outcome: trial === null ? 'not-tried' : facts === null ? 'failed' : 'reached',
    fault: faultStatus(trial?.fault ?? null),
    tried: trial?.attempts.map(triedHost) ?? [],
    served: trial?.served ?? null,
    version: facts?.version ?? null,
    connectMs: rounded(trial?.connectMs ?? null),
    roundTripMs: rounded(insight?.roundTripMs ?? null),
    encryption: insight?.encryption ?? null,
    pooled: facts?.pooled ?? null,
    schema: insight?.schema ?? null,
    mayMakeTables: insight?.mayMakeTables ?? null,
    mayWriteOwnTables: insight?.mayWriteOwnTables ?? null,
    isReadOnly: insight?.isReadOnly ?? false,
    cluster: insight?.cluster ?? null,
    ownTables: facts?.ownTables ?? null,
  }
}

function triedHost({ label, fault, standing }: ConnectionAttempt): TriedHost {
  if (standing === null) return { label, fault: faultStatus(fault), standing: null }
  const { cluster, isWritable, timeline, members } = standing
  return { label, fault: faultStatus(fault), standing: { cluster, isWritable, timeline, members } }
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

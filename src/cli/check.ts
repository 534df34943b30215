import { isDeepStrictEqual } from 'node:util'
import { labelOfPlace } from '../archive/target/url.ts'
import { layersOfOptions } from '../config/layers.ts'
import { exitCodeFor, formatOrigin, type Problem } from '../config/problem.ts'
import { resolveSettings } from '../config/resolve.ts'
import type { ResolvedSettings, SettingLine } from '../config/settings.ts'
import { copyStatusOf } from '../copy/copy-line.ts'
import type { ResolvedTarget } from '../database/address/config.ts'
import { type Disk, diskOf } from '../disk/disk.ts'
import type { Target } from '../driver/address.ts'
import { inspectResolution } from '../service/preflight.ts'
import { declarationsOf, type Resolution, resolveAll } from '../service/resolve.ts'
import { type ConnectionReport, connectReport } from './connect.ts'
import { type OutageReport, outageReport } from './outage.ts'

/** What is configured, from where, and what is wrong. Holds no secret. */
export interface CheckReport {
  /** Why no primary is declared; null when one is. */
  readonly absence: string | null
  readonly declared: boolean
  readonly primary: PrimaryReport | null
  /** The fallback, or the local store when no primary is declared; null when there is none. */
  readonly fallback: FallbackReport | null
  /** Where the local store is archived; null when nothing usable is declared. */
  readonly archive: string | null
  readonly settings: readonly SettingLine[]
  /** The names of settings that differ from the default, or come from the environment. */
  readonly chosen: ReadonlySet<string>
  readonly collections: readonly string[]
  /** Null when no primary is declared. */
  readonly outage: OutageReport | null
  readonly problems: readonly Problem[]
  /** Only when it was asked for. */
  readonly connection?: ConnectionReport
}

/** A declared primary, without secrets. */
export interface PrimaryReport extends Omit<Target, 'id'> {
  readonly label: string
  /** The file of an embedded primary and its disk; null for a server. */
  readonly file: { readonly path: string; readonly disk: Disk } | null
}

/** The fallback or local store. */
export interface FallbackReport {
  readonly driver: string
  /** The file that would be used now; null when there is none. */
  readonly path: string | null
  readonly disk: Disk
  readonly label: string
}

/**
 * Resolves settings, drivers, addresses and collections, and inspects the files that they name; with `connects` also
 * connects to the primary's server and tries the archive. Opens no other database than the fallback's, to read what is copied. Changes none, leaves
 * no file, never rejects.
 */
export async function check(
  from: { env: NodeJS.ProcessEnv; cwd: string },
  { connects = false }: { readonly connects?: boolean } = {},
): Promise<CheckReport> {
  const found = await resolveAll(from)
  const { resolved, config } = found
  const { collections, paths, problems } = await inspectResolution(found, from.cwd)
  const fallback = config.fallback === null ? null : await fallbackReport(config.fallback, paths.fallback, resolved)
  const primary = config.primary === null ? null : await primaryReport(config.primary, paths.primary, resolved)
  const disks = { primary: primary?.file?.disk ?? null, fallback }
  const connection = connects ? await connectReport(found, collections, disks) : null
  return {
    absence: config.absence,
    declared: config.declared,
    primary,
    fallback,
    archive: found.archive.place === null ? null : labelOfPlace(found.archive.place),
    settings: resolved.lines(),
    chosen: chosenSettings(found),
    collections: collections.map(({ name }) => name),
    outage: await outageReport(found, collections, paths.fallback),
    problems: [...problems, ...(connection?.problems ?? [])],
    ...(connection === null ? {} : { connection }),
  }
}

/**
 * The exit code: 2 when something is not used or was replaced by a default, else 3 when the primary, a collection in it or the
 * archive cannot serve, else 0.
 */
export function exitCodeOf({ problems, connection }: CheckReport): 0 | 2 | 3 {
  const found = connection?.problems ?? []
  const code = exitCodeFor(problems.filter((problem) => !found.includes(problem)))
  if (code !== 0) return code
  const isArchiveUnusable = connection?.archive?.steps.some((one) => one.step !== 'remove' && one.fault !== null)
  return connection?.primary?.outcome === 'failed' || isArchiveUnusable || exitCodeFor(found) !== 0 ? 3 : 0
}

/** The report as JSON. */
export function checkJson(report: CheckReport): object {
  const { fallback, outage, connection } = report
  const { file = null, ...primary } = report.primary ?? {}
  return {
    primary: report.primary && { ...primary, ...(file && { path: file.path, disk: file.disk.kind }) },
    fallback: fallback === null ? null : { ...fallback, disk: fallback.disk.kind },
    archive: report.archive,
    settings: report.settings.map(({ name, value, origin }) => ({ name, value, origin: formatOrigin(origin) })),
    problems: report.problems.map((problem) => ({
      ...problem,
      origin: problem.origin && formatOrigin(problem.origin),
    })),
    ...(outage === null ? {} : { copy: outage.lines.map(copyStatusOf) }),
    // Its problems are among the others.
    ...(connection === undefined ? {} : { connection: { ...connection, problems: undefined } }),
  }
}

async function primaryReport(
  { driver, target }: ResolvedTarget,
  path: string | null,
  resolved: ResolvedSettings,
): Promise<PrimaryReport> {
  const { host, port, database, user, tls } = target
  const file = driver.embedded === undefined || path === null ? null : { path, disk: await diskFor(path, resolved) }
  return { driver: driver.name, host, port, database, user, tls, label: labelOf({ driver, target }), file }
}

async function fallbackReport(
  { driver, target }: ResolvedTarget,
  path: string | null,
  resolved: ResolvedSettings,
): Promise<FallbackReport> {
  const disk: Disk =
    path === null
      ? { kind: 'ephemeral', fileSystem: 'unknown', why: 'Its data is removed when the service ends.' }
      : await diskFor(path, resolved)
  return { driver: driver.name, path, disk, label: labelOf({ driver, target }) }
}

function diskFor(path: string, { settings: { data, platform } }: ResolvedSettings): Promise<Disk> {
  return diskOf(path, data.durable, platform.spaceId !== null)
}

/** A driver's label; its name when it fails to give one. */
function labelOf({ driver, target }: ResolvedTarget): string {
  try {
    return String(driver.describe(target))
  } catch {
    return driver.name
  }
}

function chosenSettings({ resolved, registry }: Resolution): ReadonlySet<string> {
  const defaults = resolveSettings(layersOfOptions({}), declarationsOf(registry)).lines()
  const byName = new Map(defaults.map(({ name, value }) => [name, value]))
  const chosen = resolved.lines().filter(({ name, value, origin }) => {
    const isFromOutside = origin.from === 'environment' || origin.from === 'secret-file'
    return isFromOutside || !isDeepStrictEqual(value, byName.get(name))
  })
  return new Set(chosen.map(({ name }) => name))
}

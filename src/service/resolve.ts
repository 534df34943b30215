import { stat } from 'node:fs/promises'
import { join, resolve as resolvePath } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type ArchiveConfig, readArchiveConfig } from '../archive/target/config.ts'
import type { SettingDeclarations } from '../config/driver-settings.ts'
import { type Layers, type LayersFrom, layersOfOptions, readLayers, refreshSecrets } from '../config/layers.ts'
import { maskAddress } from '../config/mask.ts'
import { createProblem, type Problem } from '../config/problem.ts'
import { resolveSettings } from '../config/resolve.ts'
import type { ResolvedSettings } from '../config/settings.ts'
import { type DatabaseConfig, targetFiles } from '../database/address/config.ts'
import { DatabaseUrlResolver } from '../database/address/resolver.ts'
import { dataFolders } from '../disk/data-directory.ts'
import type { Driver } from '../driver/driver.ts'
import { loadDrivers } from '../driver/load.ts'
import { builtInDriverNames } from '../driver/locate.ts'
import { DriverRegistry } from '../driver/registry.ts'
import { findAuthProblems } from '../http/auth/jwt-settings.ts'
import { findPlatformProblems } from './platform-problems.ts'

/** Settings, drivers and databases: everything that is known before a database is opened. */
export interface Resolution {
  readonly layers: Layers
  readonly resolved: ResolvedSettings
  readonly registry: DriverRegistry
  readonly config: DatabaseConfig
  /** Where the local store is archived. */
  readonly archive: ArchiveConfig
  /** Found while the drivers were loaded, which happens once. */
  readonly driverProblems: readonly Problem[]
  /** All of them: of the settings, the drivers, the addresses and the archive. */
  readonly problems: readonly Problem[]
}

/** The built-in driver that can always be the local store. */
const builtInStore = 'sqlite'

/** Reads files and environment and resolves them. Opens no database, creates no file, never rejects. */
export async function resolveAll(from: LayersFrom): Promise<Resolution> {
  const layers = await readLayers(from)
  return await resolveLayers(layers, resolveSettings(layers), from.cwd)
}

/**
 * Loads the drivers that the core settings name, then resolves the whole once, with the drivers' own settings. `drivers`
 * (names, paths or drivers) replaces that setting. Never rejects: when a driver makes the resolution fail, only those that
 * are built in are loaded, and a problem reports it.
 *
 * @param core The same layers resolved without drivers.
 */
export async function resolveLayers(
  layers: Layers,
  core: ResolvedSettings,
  cwd: string,
  drivers: readonly (Driver | string)[] = core.settings.drivers,
): Promise<Resolution> {
  try {
    return await resolveWithDrivers(layers, core, cwd, drivers)
  } catch (error) {
    const builtIn = await builtInDriverNames()
    const own = drivers.filter((driver) => typeof driver === 'string' && builtIn.includes(driver))
    const found = await resolveWithDrivers(layers, core, cwd, own)
    const problem = withoutDrivers(error, core)
    const driverProblems = [...found.driverProblems, problem]
    return { ...found, driverProblems, problems: [...found.problems, problem] }
  }
}

/** Resolves other layers with the drivers that are already loaded. */
export async function resolveAgain(found: Resolution, given: Layers, cwd: string): Promise<Resolution> {
  const layers = await refreshSecrets(given, declarationsOf(found.registry))
  return await resolveWhole(layers, found.registry, found.driverProblems, cwd)
}

/** Re-reads the secret files: a rotated secret counts from the next connection on. The same object when none has changed. */
export async function refreshed(found: Resolution, cwd: string): Promise<Resolution> {
  if (found.layers.secretFiles.length === 0) return found
  const layers = await refreshSecrets(found.layers, declarationsOf(found.registry))
  if (isDeepStrictEqual(secretsOf(layers), secretsOf(found.layers))) return found
  return await resolveWhole(layers, found.registry, found.driverProblems, cwd)
}

/** A fingerprint of the secret files; it changes when one is rewritten, appears or disappears. Reads none. Never rejects. */
export async function secretsFingerprint({ layers }: Resolution, cwd: string): Promise<string> {
  const marks = layers.secretFiles.map(async ({ path }) => {
    const found = await stat(resolvePath(cwd, path)).catch(() => null)
    return found === null ? 'none' : `${found.ino} ${found.size} ${found.mtimeMs}`
  })
  return (await Promise.all(marks)).join(', ')
}

/** Resolutions by their settings, so that code which got settings from `loadSettings` can pass them on. */
const loaded = new WeakMap<ResolvedSettings, Resolution>()

/**
 * The service's settings with their origins: files, environment, secret files. `env` and `cwd` default to the process's;
 * `file` replaces CONFIG_FILE. Opens no database, never rejects.
 */
export async function loadSettings(
  from: { readonly env?: NodeJS.ProcessEnv; readonly file?: string; readonly cwd?: string } = {},
): Promise<ResolvedSettings> {
  const { env = process.env, cwd = process.cwd(), file } = from
  const found = await resolveAll({ env, cwd, ...(file === undefined ? {} : { file }) })
  loaded.set(found.resolved, found)
  return found.resolved
}

/** The resolution that `loadSettings` made these settings in; null for settings from elsewhere. */
export function resolutionOf(settings: ResolvedSettings): Resolution | null {
  return loaded.get(settings) ?? null
}

/** The layers behind settings; settings that are not from `loadSettings` count as given in code. */
export function layersOf(settings: ResolvedSettings): Layers {
  return loaded.get(settings)?.layers ?? layersOfOptions(settings.settings)
}

/** The settings that the drivers declare, by driver. */
export function declarationsOf(registry: DriverRegistry): Record<string, SettingDeclarations> {
  return Object.fromEntries(registry.all.map(({ name, settings }) => [name, settings ?? {}]))
}

async function resolveWithDrivers(
  given: Layers,
  core: ResolvedSettings,
  cwd: string,
  drivers: readonly (Driver | string)[],
): Promise<Resolution> {
  const { registry, problems } = await registerAll(core, cwd, drivers)
  return await resolveWhole(await refreshSecrets(given, declarationsOf(registry)), registry, problems, cwd)
}

async function resolveWhole(
  layers: Layers,
  registry: DriverRegistry,
  driverProblems: readonly Problem[],
  cwd: string,
): Promise<Resolution> {
  const resolved = resolveSettings(layers, declarationsOf(registry))
  const config = new DatabaseUrlResolver(registry).resolve(resolved, dataFolders(resolved.settings, cwd))
  const archive = readArchiveConfig(resolved)
  const legacy = await legacyFileProblem(cwd, config)
  const problems = [
    ...resolved.problems,
    ...driverProblems,
    ...config.problems,
    ...archive.problems,
    ...findPlatformProblems(resolved, config),
    ...findAuthProblems(resolved, Date.now()),
    ...(legacy === null ? [] : [legacy]),
  ]
  return { layers, resolved, registry, config, archive, driverProblems, problems }
}

function secretsOf({ secretFiles }: Layers): readonly unknown[] {
  return secretFiles.map(({ path, content }) => [path, typeof content === 'function' ? content() : content])
}

async function registerAll(
  core: ResolvedSettings,
  cwd: string,
  drivers: readonly (Driver | string)[],
): Promise<{ registry: DriverRegistry; problems: readonly Problem[] }> {
  const registry = new DriverRegistry()
  const origin = core.originOf('drivers')
  const own = drivers.filter((driver) => typeof driver !== 'string')
  const refused = own.map((driver) => registry.register(driver)).filter((problem) => problem !== null)
  const names = drivers.filter((driver) => typeof driver === 'string')
  const { problems } = await loadDrivers(names, { cwd, origin, registry })
  if (registry.all.some((driver) => driver.embedded !== undefined))
    return { registry, problems: [...refused, ...problems] }
  // A misspelt word, or a list without a local store, must not keep the service from serving.
  const added = await loadDrivers([builtInStore], { cwd, origin, registry })
  return { registry, problems: [...refused, ...problems, ...added.problems, addedProblem(core)] }
}

function addedProblem(core: ResolvedSettings): Problem {
  return createProblem('DRIVER_ADDED', 'info', 'drivers', {
    origin: core.originOf('drivers'),
    message: `None of the loaded drivers can be the local store, so "${builtInStore}" is loaded as well.`,
    suggestion: `Add "${builtInStore}" to DRIVERS.`,
  })
}

/** Which driver failed is unknown here, and it may have thrown anything. */
function withoutDrivers(error: unknown, core: ResolvedSettings): Problem {
  const why = error instanceof Error ? ` (${maskAddress(error.message.split('\n', 1)[0] ?? '').slice(0, 200)})` : ''
  return createProblem('DRIVER_LOAD_FAILED', 'error', 'drivers', {
    origin: core.originOf('drivers'),
    message: `A driver failed while the settings were resolved${why}. Only built-in drivers are loaded.`,
    suggestion: 'Remove the drivers from DRIVERS one by one to find it, and report it to its author.',
  })
}

/** Where deployments from before DATA_DIR kept their rows: in the working directory. */
const legacyName = 'production.db'

/** Reports a database from an earlier deployment in the working directory, unless a store of `config` uses it. Never rejects. */
async function legacyFileProblem(cwd: string, config: DatabaseConfig): Promise<Problem | null> {
  const path = join(cwd, legacyName)
  if ([config.primary, config.fallback].flatMap(targetFiles).includes(path)) return null
  const found = await stat(path).catch(() => null)
  if (!found?.isFile() || found.size === 0) return null
  return createProblem('LEGACY_DATABASE_FOUND', 'info', 'fallback.url', {
    message: `Found ${path}, a database from an earlier deployment outside DATA_DIR. It was not touched.`,
    suggestion: `To use it: SQLITE_ALLOW_PATHS=${cwd} FALLBACK_DATABASE_URL=sqlite:///${path}`,
  })
}

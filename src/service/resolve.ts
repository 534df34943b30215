import { stat } from 'node:fs/promises'
import { resolve as resolvePath } from 'node:path'
import type { SettingDeclarations } from '../config/driver-settings.ts'
import { type Layers, type LayersFrom, layersOfOptions, readLayers, refreshSecrets } from '../config/layers.ts'
import { maskAddress } from '../config/mask.ts'
import type { Problem } from '../config/problem.ts'
import { resolveSettings } from '../config/resolve.ts'
import type { ResolvedSettings } from '../config/settings.ts'
import { legacyFileProblem } from '../database/address/legacy-file.ts'
import { DatabaseUrlResolver, type Resolution } from '../database/address/resolver.ts'
import { dataPlaces } from '../disk/data-places.ts'
import type { Driver } from '../driver/driver.ts'
import { loadDrivers } from '../driver/load.ts'
import { DriverRegistry } from '../driver/registry.ts'

/** Settings, drivers and databases: all that is known before anything is opened. */
export interface Resolved {
  readonly layers: Layers
  readonly resolved: ResolvedSettings
  readonly registry: DriverRegistry
  readonly config: Resolution
  /** Of loading the drivers, which is done once. */
  readonly driverProblems: readonly Problem[]
  /** All of them: of the settings, of the drivers, of the addresses. */
  readonly problems: readonly Problem[]
}

/** The house's own driver that can always be the local store. */
const houseStore = 'sqlite'

/** Reads files and environment and resolves what they say. Opens no database, makes no file, never rejects. */
export async function resolveAll(from: LayersFrom): Promise<Resolved> {
  return resolveLayers(await readLayers(from), from.cwd)
}

/** The drivers that the settings name, before any of them is loaded. */
export function driversNamed(layers: Layers): readonly string[] {
  return resolveSettings(layers).settings.drivers
}

/**
 * The two phases: the core's settings name the drivers, the drivers bring settings of their own, then the whole is
 * resolved. `drivers` (by name, by path, or themselves) stand in for the setting. Never rejects: where a driver makes the
 * whole fail, the house's own stands in for all, and a problem says so.
 */
export async function resolveLayers(
  given: Layers,
  cwd: string,
  drivers?: readonly (Driver | string)[],
): Promise<Resolved> {
  try {
    return await resolveTwice(given, cwd, drivers)
  } catch (error) {
    const found = await resolveTwice(given, cwd, [houseStore])
    const problem = withoutDrivers(error, found.resolved)
    const driverProblems = [...found.driverProblems, problem]
    return { ...found, driverProblems, problems: [...found.problems, problem] }
  }
}

async function resolveTwice(given: Layers, cwd: string, drivers?: readonly (Driver | string)[]): Promise<Resolved> {
  const core = resolveSettings(given)
  const { registry, problems } = await registerAll(core, cwd, drivers)
  const layers = await refreshSecrets(given, declarationsOf(registry))
  return await resolveWith(layers, cwd, registry, problems)
}

/** The same drivers and files with the secret files read anew: a rotated secret counts from the next connection on. Never rejects. */
export async function refreshed(found: Resolved, cwd: string): Promise<Resolved> {
  if (found.layers.secretFiles.length === 0) return found
  const layers = await refreshSecrets(found.layers, declarationsOf(found.registry))
  return await resolveWith(layers, cwd, found.registry, found.driverProblems)
}

/** Another word as soon as one of the secret files was written anew, came or went; they are not read. Never rejects. */
export async function secretsMark({ layers }: Resolved, cwd: string): Promise<string> {
  const marks = layers.secretFiles.map(async ({ path }) => {
    const found = await stat(resolvePath(cwd, path)).catch(() => null)
    return found === null ? 'none' : `${found.ino} ${found.size} ${found.mtimeMs}`
  })
  return (await Promise.all(marks)).join(', ')
}

/** The second phase: the drivers are there. */
async function resolveWith(
  layers: Layers,
  cwd: string,
  registry: DriverRegistry,
  driverProblems: readonly Problem[],
): Promise<Resolved> {
  const resolved = resolveSettings(layers, declarationsOf(registry))
  const config = new DatabaseUrlResolver(registry).resolve(resolved, dataPlaces(resolved.settings, cwd))
  const legacy = await legacyFileProblem(cwd, config)
  const problems = [...resolved.problems, ...driverProblems, ...config.problems, ...(legacy === null ? [] : [legacy])]
  return { layers, resolved, registry, config, driverProblems, problems }
}

/** What settings were made from, so that code which got them from `loadSettings` can hand them on. */
const sources = new WeakMap<ResolvedSettings, Layers>()

/**
 * The service's layers (files, environment, secret files) with origins. `env` and `cwd` are the process's unless told;
 * `file` stands for CONFIG_FILE. Opens no database, never rejects.
 */
export async function loadSettings(
  from: { readonly env?: NodeJS.ProcessEnv; readonly file?: string; readonly cwd?: string } = {},
): Promise<ResolvedSettings> {
  const { env = process.env, cwd = process.cwd(), file } = from
  const { layers, resolved } = await resolveAll({ env, cwd, ...(file === undefined ? {} : { file }) })
  sources.set(resolved, layers)
  return resolved
}

/** The layers behind settings; those of a stranger's making are taken as given in code. */
export function layersOf(settings: ResolvedSettings): Layers {
  return sources.get(settings) ?? layersOfOptions(settings.settings)
}

/** What the drivers declare as settings of their own, by driver. */
export function declarationsOf(registry: DriverRegistry): Record<string, SettingDeclarations> {
  return Object.fromEntries(registry.all.map(({ name, settings }) => [name, settings ?? {}]))
}

async function registerAll(
  core: ResolvedSettings,
  cwd: string,
  drivers: readonly (Driver | string)[] = core.settings.drivers,
): Promise<{ registry: DriverRegistry; problems: readonly Problem[] }> {
  const registry = new DriverRegistry()
  const origin = core.originOf('drivers')
  const own = drivers.filter((driver) => typeof driver !== 'string')
  const refused = own.map((driver) => registry.register(driver)).filter((problem) => problem !== null)
  const names = drivers.filter((driver) => typeof driver === 'string')
  const { problems } = await loadDrivers(names, { cwd, origin, registry })
  if (registry.all.some((driver) => driver.embedded !== undefined))
    return { registry, problems: [...refused, ...problems] }
  // A list of drivers without a local store, or one misspelt word, must not keep the service from serving.
  const house = await loadDrivers([houseStore], { cwd, origin, registry })
  return { registry, problems: [...refused, ...problems, ...house.problems, addedProblem(core)] }
}

function addedProblem(core: ResolvedSettings): Problem {
  return {
    code: 'DRIVER_ADDED',
    severity: 'info',
    setting: 'drivers',
    origin: core.originOf('drivers'),
    part: null,
    message: `None of the drivers that could be loaded can be the local store; "${houseStore}" is loaded too.`,
    suggestion: `Add "${houseStore}" to DRIVERS.`,
  }
}

/** Whose fault it is cannot be told from here; what a driver throws may be anything. */
function withoutDrivers(error: unknown, core: ResolvedSettings): Problem {
  const why = error instanceof Error ? ` (${maskAddress(error.message.split('\n', 1)[0] ?? '').slice(0, 200)})` : ''
  return {
    code: 'DRIVER_UNLOADABLE',
    severity: 'error',
    setting: 'drivers',
    origin: core.originOf('drivers'),
    part: null,
    message: `One of the drivers fails when the settings are resolved with it${why}; only "${houseStore}" is loaded.`,
    suggestion: 'Take the drivers out of DRIVERS one by one to find it, and ask its author.',
  }
}

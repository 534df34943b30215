import module from 'node:module'
import { maskAddress } from '../config/mask.ts'
import { nearest } from '../config/nearest.ts'
import type { Origin, Problem } from '../config/problem.ts'
import { coreSchema } from '../config/schema/schema.ts'
import { bundledDrivers } from './bundled-drivers.ts'
import { builtInDriverNames, locatePlugin, ownExtension } from './locate.ts'
import { DriverRegistry, type DriverSource, invalidDriver, refusal } from './registry.ts'

/** Where to look for plugins. */
export interface LoadFrom {
  /** Paths are relative to it, packages are those installed for it. */
  readonly cwd: string
  /** Where the setting `drivers` came from. */
  readonly origin?: Origin | null
  /** How long the plugins together may take to import; 10 s when absent. */
  readonly importTimeoutMs?: number
  /** Drivers that exist already; the named ones join them. */
  readonly registry?: DriverRegistry
}

/** The drivers that were loaded, and what is wrong with the rest. */
export interface LoadedDrivers {
  readonly registry: DriverRegistry
  readonly problems: readonly Problem[]
}

/** The others may import `holdfast/driver` by that name, also those in `plugins/`. */
const ownDrivers: ReadonlySet<string> = new Set(coreSchema.drivers.default)

const driverLimit = 32
const nameLengthLimit = 1_024
const importTimeoutMs = 10_000

/**
 * Loads plugins by name (`sqlite`), path (`./my-driver`) or package (`@acme/holdfast-driver`). One that cannot be loaded
 * is a problem; the others are loaded. Never rejects; importing a driver opens nothing.
 */
export async function loadDrivers(names: readonly string[], from: LoadFrom): Promise<LoadedDrivers> {
  const registry = from.registry ?? new DriverRegistry()
  const problems: Problem[] = []
  const wanted = [...new Set(names.map((name) => name.trim()).filter((name) => name !== ''))]
  if (wanted.length > driverLimit) {
    const source = { given: wanted[driverLimit] ?? '', origin: from.origin ?? null }
    problems.push(
      refusal(
        source,
        'DRIVER_LIMIT_EXCEEDED',
        `and the ones after it exceed the limit of ${driverLimit} plugins`,
        'Name fewer plugins in DRIVERS.',
      ),
    )
  }
  const taken = wanted.slice(0, driverLimit)
  // At the same time, within one limit: one that waits for ever costs the others nothing.
  const found = await Promise.all(taken.map((given) => findDriver(given, from)))
  // Registered in their order: which of two colliding drivers is rejected must not depend on the disk.
  for (const register of found) {
    const problem = register(registry)
    if (problem !== null) problems.push(problem)
  }
  return { registry, problems }
}

/** Imports one plugin; the returned function registers it, or returns its problem. Never rejects. */
async function findDriver(given: string, from: LoadFrom): Promise<(registry: DriverRegistry) => Problem | null> {
  const source: DriverSource = { given: given.slice(0, 200), origin: from.origin ?? null }
  const bundled = bundledDrivers.get(given)
  if (bundled !== undefined) return (registry) => registry.register(bundled, source)
  const url = given.length > nameLengthLimit ? null : await locatePlugin(given, from.cwd).catch(() => null)
  if (url === null) {
    const unknown = await unknownPlugin(source, from.cwd)
    return () => unknown
  }
  if (!ownDrivers.has(given)) offerOwnModules()
  let loaded: unknown
  try {
    loaded = await importWithin(url, from.importTimeoutMs ?? importTimeoutMs)
  } catch (error) {
    const problem = unloadable(source, error)
    return () => problem
  }
  const driver = exportedDriver(loaded)
  if (driver === undefined) {
    const problem = refusal(
      source,
      'DRIVER_INVALID',
      'exports no driver',
      'Export it as "driver" or as the default: export const driver = defineDriver({ ... }).',
    )
    return () => problem
  }
  return (registry) => registry.register(driver, source)
}

/** What a plugin may import of Holdfast, from this file. */
const ownModules: ReadonlyMap<string, string> = new Map(
  [
    ['holdfast/driver', './define-driver'],
    ['holdfast/driver-kit', './kit/driver-kit'],
    ['holdfast/conformance', '../conformance/conformance'],
  ].map(([name = '', path]) => [name, new URL(`${path}.${ownExtension}`, import.meta.url).href]),
)

let isOffered = false

/**
 * From now on these names mean the modules of this very process, wherever a plugin is: one that is named by path has no
 * `node_modules` with Holdfast in it, and another copy's FaultError would not be ours.
 */
function offerOwnModules(): void {
  if (isOffered) return
  isOffered = true
  module.registerHooks({
    resolve(specifier, context, next) {
      const url = ownModules.get(specifier)
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true }
    },
  })
}

function exportedDriver(module: unknown): unknown {
  const { driver, default: fallback } = module as { driver?: unknown; default?: unknown } // A module's namespace is an object.
  return driver ?? fallback
}

/** A plugin that waits for ever while it is imported must not keep the service from starting. */
async function importWithin(url: URL, withinMs: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateImport(`its import took longer than ${withinMs / 1000} s`)), withinMs)
  })
  try {
    return await Promise.race([import(url.href), late])
  } finally {
    clearTimeout(timer)
  }
}

class LateImport extends Error {}

async function unknownPlugin(source: DriverSource, cwd: string): Promise<Problem> {
  const builtIn = await builtInDriverNames()
  const near = nearest(source.given, builtIn)
  const known = `Built-in drivers: ${builtIn.join(', ') || 'none'}.`
  const suggestion =
    near === null
      ? `${known} Name others by path (./my-driver), or by a package that is installed in ${cwd}.`
      : `Did you mean "${near}"? ${known}`
  return refusal(source, 'DRIVER_NOT_FOUND', 'does not exist', suggestion)
}

function unloadable(source: DriverSource, error: unknown): Problem {
  const defects = defectsOf(error)
  if (defects !== null) return invalidDriver(source, defects)
  const { why, remedy } = importFailure(error)
  return refusal(source, 'DRIVER_LOAD_FAILED', `cannot be loaded: ${why}`, remedy)
}

/** The defects that `defineDriver` found; null for any other error. A plugin may carry its own copy of that function. */
function defectsOf(error: unknown): readonly string[] | null {
  if (!(error instanceof TypeError) || error.name !== 'InvalidDriver' || !('defects' in error)) return null
  return Array.isArray(error.defects) ? error.defects.map((defect) => maskAddress(String(defect)).slice(0, 200)) : null
}

function importFailure(error: unknown): { why: string; remedy: string } {
  const message = messageOf(error)
  const text = maskAddress(message)
  if (error instanceof LateImport) {
    return { why: text, remedy: 'A driver must do nothing while it is imported; load the client in "connect".' }
  }
  const missing = /Cannot find (?:package|module) '([^']+)'/.exec(message)?.[1]
  if (missing !== undefined) {
    if (missing === 'holdfast') {
      // Never suggest to install it: that name is not ours in the registry.
      const remedy = 'Plugins may import "holdfast/driver", "holdfast/driver-kit" and "holdfast/conformance" only.'
      return { why: 'it imports a module of Holdfast that is not open to plugins', remedy }
    }
    const isPackage = !/^[./]|^file:/.test(missing)
    return {
      why: `it needs "${missing}", which is not installed`,
      remedy: isPackage ? `Run: npm install ${missing}` : 'The plugin is incomplete: install it again.',
    }
  }
  if (error instanceof SyntaxError) {
    return {
      why: `its code cannot be read (${text})`,
      remedy: 'Fix it; TypeScript must be erasable: no enums, no decorators.',
    }
  }
  const remedy = 'A driver must do nothing while it is imported: report it to its author, or remove it from DRIVERS.'
  return { why: `it fails while it is imported (${text})`, remedy }
}

/** The first line of whatever was thrown; a plugin may throw anything. */
function messageOf(error: unknown): string {
  const text =
    error instanceof Error ? `${error.message}` : typeof error === 'string' ? error : `a thrown ${typeof error}`
  return (text.split('\n', 1)[0] ?? '').slice(0, 200)
}

import { type Layers, layersOfOptions } from '../config/layers.ts'
import type { Problem } from '../config/problem.ts'
import { resolveSettings } from '../config/resolve.ts'
import type { ResolvedSettings, Settings } from '../config/settings.ts'
import type { DatabaseConfig, DatabaseConfigSource } from '../database/address/config.ts'
import { DriverRegistry } from '../driver/registry.ts'
import type { Reloaded } from '../http/admin/admin-routes.ts'
import type { AdminToken } from '../http/admin/admin-token.ts'
import { type ActiveConfig, type ActiveConfigParts, createActiveConfig, readCollections } from './active-config.ts'
import type { HoldfastOptions } from './holdfast.ts'
import { changedKeys, concernsConnection, freshErrors, needsRestart, restartProblem } from './reload.ts'
import {
  layersOf,
  type Resolution,
  refreshed,
  resolutionOf,
  resolveAgain,
  resolveLayers,
  secretsFingerprint,
} from './resolve.ts'

/** What the process adds to the options. A library has none of it. */
export interface ProcessParts {
  readonly cwd: string
  /** Already resolved: no file is read twice. */
  readonly found: Resolution
  readonly token: AdminToken
  /** The problems of the data directory at the start, and how to find those of now. */
  readonly data: {
    readonly problems: readonly Problem[]
    find(resolved: ResolvedSettings): Promise<readonly Problem[]>
  }
  /** Re-reads files, environment and secrets, for a reload. */
  readonly reread: () => Promise<Layers>
  /** Called before settings are used, also when only a secret was rotated: the log has a level and secrets of its own. */
  readonly inForce: (settings: Settings) => void
}

/** A reload that was applied or rejected. */
export interface Replacement {
  readonly report: Reloaded
  /** True when the databases must be opened again. */
  readonly reconnects: boolean
}

/** The one owner of the active configuration: settings, drivers, databases, collections. */
export class ConfigSource implements DatabaseConfigSource {
  readonly #options: HoldfastOptions
  readonly #process: ProcessParts | null
  readonly #cwd: string
  readonly #parts: ActiveConfigParts
  #active: ActiveConfig
  /** The settings at the start: some count only after a restart. */
  #started: Settings

  constructor(options: HoldfastOptions, process_: ProcessParts | null, parts: ActiveConfigParts) {
    this.#options = options
    this.#process = process_
    this.#cwd = process_?.cwd ?? process.cwd()
    this.#parts = parts
    const found = process_?.found ?? optionsResolution(options, this.#cwd)
    this.#active = createActiveConfig(found, { collections: [], problems: [] }, parts)
    this.#started = this.settings
  }

  get active(): ActiveConfig {
    return this.#active
  }

  get settings(): Settings {
    return this.#active.found.resolved.settings
  }

  get current(): DatabaseConfig {
    return this.#active.found.config
  }

  async fresh(): Promise<DatabaseConfig> {
    const before = this.#active
    const found = await refreshed(before.found, this.#cwd)
    // Where a reload came in between, its files are newer.
    if (found !== before.found && this.#active === before) {
      this.#process?.inForce(found.resolved.settings)
      this.#active = { ...before, found, problems: [...found.problems, ...before.ownProblems] }
    }
    return this.current
  }

  secretsFingerprint(): Promise<string> {
    return secretsFingerprint(this.#active.found, this.#cwd)
  }

  /** Loads what is not loaded yet: drivers and collections. To be called once, before a database is opened. */
  async load(): Promise<void> {
    const { found } = this.#active
    const isWhole = found.registry.all.length > 0
    const { drivers } = this.#options
    this.#active = await this.#activeOf(
      isWhole ? found : await resolveLayers(found.layers, found.resolved, this.#cwd, drivers),
    )
    this.#started = this.settings
  }

  /**
   * Replaces the configuration by what `given` says, or by what is in the files now; keeps it when that has a new error.
   * The loaded drivers stay: others need a restart.
   */
  async replace(given: ResolvedSettings | null): Promise<Replacement> {
    const before = this.#active
    const layers = given === null ? ((await this.#process?.reread()) ?? before.found.layers) : layersOf(given)
    const after = await this.#activeOf(await resolveAgain(before.found, layers, this.#cwd))
    const errors = freshErrors(before.problems, after.problems)
    if (errors.length === 0) return this.#apply(before, after)
    return { report: { applied: false, changed: [], needsRestart: [], problems: errors }, reconnects: false }
  }

  #apply(before: ActiveConfig, after: ActiveConfig): Replacement {
    const { resolved } = after.found
    const keys = changedKeys(before.found.resolved.settings, resolved.settings).filter((key) => !needsRestart(key))
    // Compared with the start, so that a second reload reports it again.
    const waiting = changedKeys(this.#started, resolved.settings).filter(needsRestart)
    const isSameDeclared = JSON.stringify(before.collections) === JSON.stringify(after.collections)
    const ownProblems = [...after.ownProblems, ...waiting.map((key) => restartProblem(key, resolved))]
    const problems = [...after.found.problems, ...ownProblems]
    const kept = isSameDeclared ? { served: before.served, entities: before.entities } : {}
    this.#process?.inForce(resolved.settings)
    this.#active = { ...after, ...kept, ownProblems, problems }
    const changed = isSameDeclared ? keys : [...keys, 'collections']
    return {
      report: { applied: true, changed, needsRestart: waiting, problems },
      reconnects: !isSameDeclared || keys.some(concernsConnection),
    }
  }

  async #activeOf(found: Resolution): Promise<ActiveConfig> {
    const { resolved } = found
    const isLibrary = this.#process === null
    const given = isLibrary ? this.#options.collections : resolved.settings.collections.dir
    const loaded = await readCollections(given, this.#cwd, isLibrary || resolved.isSet('collections.dir'))
    return createActiveConfig(found, loaded, this.#parts)
  }
}

/** What the options say: whole where `loadSettings` has resolved it, else without drivers, which are loaded later. */
function optionsResolution({ settings = {}, drivers }: HoldfastOptions, cwd: string): Resolution {
  const known = isResolved(settings) ? resolutionOf(settings) : null
  if (known !== null && drivers === undefined && known.layers.cwd === cwd) return known
  const layers = isResolved(settings) ? layersOf(settings) : layersOfOptions(settings)
  const resolved = resolveSettings(layers)
  const config = {
    declared: false,
    absence: 'The drivers are not loaded yet.',
    primary: null,
    fallback: null,
    problems: [],
  }
  const archive = { place: null, problems: [] }
  return {
    layers,
    resolved,
    registry: new DriverRegistry(),
    config,
    archive,
    driverProblems: [],
    problems: resolved.problems,
  }
}

/** Plain JavaScript may pass anything: what is not an object is a problem of the settings, as in a file. */
function isResolved(settings: unknown): settings is ResolvedSettings {
  if (typeof settings !== 'object' || settings === null) return false
  const given = settings as Partial<Record<keyof ResolvedSettings, unknown>> // An object has properties; which, is asked here.
  return typeof given.originOf === 'function' && typeof given.lines === 'function'
}

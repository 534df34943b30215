import { stat } from 'node:fs/promises'
import { basename, dirname, resolve as resolvePath } from 'node:path'
import { carriedTablesOf } from '../../collection/table/carried-table.ts'
import { entityOf } from '../../collection/table/entity.ts'
import { ensureTables } from '../../collection/table/tables.ts'
import { Secret } from '../../config/secret.ts'
import type { ResolvedTarget } from '../../database/address/config.ts'
import { connectionSettingsOf } from '../../database/machine/connection-settings.ts'
import { unusableFault } from '../../database/machine/faults.ts'
import { DatabaseEngineFactory } from '../../database/store/engine-factory.ts'
import { inspectTarget } from '../../database/store/inspect-target.ts'
import type { Store } from '../../database/store/store.ts'
import type { Role } from '../../driver/address.ts'
import type { Attempts } from '../../driver/facet/attempts.ts'
import type { Replay } from '../../driver/facet/replay.ts'
import { type Fault, FaultError } from '../../driver/fault.ts'
import type { CarriedTable } from '../../journal/judge.ts'
import { readCollections } from '../../service/active-config.ts'
import { type Resolution, resolveAll } from '../../service/resolve.ts'
import type { CommandContext } from '../command.ts'

/** Why a command cannot go on, with its exit code: 2, something that is configured cannot be used; 3, a database cannot. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly code: 2 | 3
  readonly hint: string

  constructor(code: 2 | 3, message: string, hint: string) {
    super(message)
    this.code = code
    this.hint = hint
  }
}

/** A primary that accepts what a journal carries. */
export type CommandPrimary = Store & { readonly replay: Replay; readonly attempts: Attempts }

/** How long the connections may take to end. */
const closeMs = 1_000

/** The databases of one command, opened as it needs them. */
export class CommandStores implements AsyncDisposable {
  readonly found: Resolution
  readonly tables: readonly CarriedTable[]
  readonly collections: Parameters<typeof ensureTables>[1]
  readonly #factory: DatabaseEngineFactory
  readonly #cwd: string
  readonly #opened: Store[] = []

  private constructor(found: Resolution, collections: Parameters<typeof ensureTables>[1], cwd: string) {
    this.found = found
    this.collections = collections
    this.#cwd = cwd
    this.tables = carriedTablesOf(collections)
    const settings = connectionSettingsOf(found.resolved.settings)
    this.#factory = new DatabaseEngineFactory({ entities: collections.map(entityOf), settings: () => settings })
  }

  /** Reads settings and collections; opens nothing. Rejects with a `CommandFailure`. */
  static async of({ env, cwd }: Pick<CommandContext, 'env' | 'cwd'>): Promise<CommandStores> {
    const found = await resolveAll({ env, cwd })
    const { resolved } = found
    const { dir } = resolved.settings.collections
    const { collections, problems } = await readCollections(dir, cwd, resolved.isSet('collections.dir'))
    // What a collection that is not known has changed would be parked.
    const wrong = problems.find(({ severity }) => severity === 'error')
    if (wrong !== undefined) throw new CommandFailure(2, wrong.message, wrong.suggestion)
    return new CommandStores(found, collections, cwd)
  }

  /** The primary with its tables. Rejects with a `CommandFailure`. */
  async primary(signal: AbortSignal): Promise<CommandPrimary> {
    const { config, resolved } = this.found
    if (config.primary === null) throw failureOf(unusableFault(config.problems, 'primary'), 2)
    const store = await this.#open(config.primary, 'primary', signal)
    const { replay, attempts } = store
    if (replay === null || attempts === null) {
      throw new CommandFailure(
        2,
        `The driver "${store.driver.name}" accepts nothing from a journal.`,
        'Name another primary.',
      )
    }
    const problem = store.facts.problems.find(({ code }) => code === 'OWN_TABLES_MISSING' || code === 'FORMAT_NEWER')
    if (problem !== undefined) throw new CommandFailure(3, problem.message, problem.suggestion)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(resolved.settings.database.connectionTimeoutS * 1_000)])
    await ensureTables(store, this.collections, resolved.settings.database.schemaApply, limit)
    return { ...store, replay, attempts }
  }

  /** The named file as it is, for what it says of itself; null: the configured one. Rejects with a `CommandFailure`. */
  async file(file: string | null, signal: AbortSignal): Promise<Store> {
    const { config } = this.found
    if (file !== null) return await this.#open(await this.#named(file), 'fallback', signal)
    if (config.fallback === null) throw failureOf(unusableFault(config.problems, 'fallback'), 2)
    const { path } = await inspectTarget(config.fallback)
    if (path === null) throw new CommandFailure(2, 'The fallback is not a file.', 'Name a file.')
    return await this.#open(await this.#named(path), 'fallback', signal)
  }

  /** The database that a service would serve from, to read it: the primary, else the local file. Rejects with a `CommandFailure`. */
  async served(signal: AbortSignal): Promise<Store> {
    const { config } = this.found
    if (config.primary !== null) {
      const { primary } = config
      return await this.#keep(this.#factory.look(primary, signal), signal)
    }
    if (config.declared) throw failureOf(unusableFault(config.problems, 'primary'), 2)
    if (config.fallback === null) throw failureOf(unusableFault(config.problems, 'fallback'), 2)
    const { path } = await inspectTarget(config.fallback)
    const isFile = path !== null && ((await stat(path).catch(() => null))?.isFile() ?? false)
    if (!isFile) throw new CommandFailure(2, 'There is no database file yet.', 'Start the service first.')
    return await this.#open(config.fallback, 'fallback', signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((store) => store.close(closeMs)))
  }

  async #open(resolved: ResolvedTarget, role: Role, signal: AbortSignal): Promise<Store> {
    return await this.#keep(this.#factory.open(resolved, role, signal), signal)
  }

  async #keep(opening: Promise<Store>, signal: AbortSignal): Promise<Store> {
    const store = await opening.catch((error: unknown): never => {
      signal.throwIfAborted()
      throw error instanceof FaultError ? failureOf(error.fault, 3) : error
    })
    this.#opened.push(store)
    return store
  }

  async #named(file: string): Promise<ResolvedTarget> {
    const path = resolvePath(this.#cwd, file)
    const isFile = (await stat(path).catch(() => null))?.isFile() ?? false
    if (!isFile)
      throw new CommandFailure(2, `${file} is not a file.`, 'Name a file of a fallback, or of a local store.')
    const driver =
      this.found.config.fallback?.driver ?? this.found.registry.all.find(({ journals }) => journals === true)
    if (driver === undefined) throw new CommandFailure(2, 'No driver reads files of a journal.', 'Check DRIVERS.')
    const { target, problems } = driver.parse(
      {
        ...{ form: 'url', role: 'fallback', setting: 'FILE', origin: null, folders: [dirname(path)] },
        scheme: driver.schemes[0] ?? '',
        text: new Secret(`${driver.schemes[0]}:///./${encodeURIComponent(basename(path))}`),
      },
      this.found.resolved.settings,
    )
    if (target === undefined) throw new CommandFailure(2, problems[0].message, problems[0].suggestion)
    return { driver, target }
  }
}

/** A failure from a fault. */
export function failureOf({ summary, hint }: Fault, code: 2 | 3): CommandFailure {
  return new CommandFailure(code, summary, hint)
}

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { RowsLeft } from '../collection/row/left-rows.ts'
import { TableReports } from '../collection/table/tables.ts'
import type { Problem } from '../config/problem.ts'
import type { ResolvedSettings, Settings } from '../config/settings.ts'
import type { DatabaseConfig } from '../database/address/config.ts'
import type { State } from '../database/machine/state.ts'
import { systemClock } from '../database/store/clock.ts'
import { DatabaseEngineFactory } from '../database/store/engine-factory.ts'
import type { Store } from '../database/store/store.ts'
import { Gate } from '../database/supervisor/gate.ts'
import { Supervisor } from '../database/supervisor/supervisor.ts'
import type { Outcome, Session } from '../database/work/session.ts'
import { type TransactionOptions, WorkRunner } from '../database/work/work.ts'
import type { AdminToken } from '../http/admin/admin-token.ts'
import { DatabaseSessionFactory } from '../http/data/session-factory.ts'
import type { App } from '../http/server/app.ts'
import type { ListenAddress } from '../http/server/listen.ts'
import { createHttp, type Http } from '../http/server/server.ts'
import type { StatusSource } from '../http/status/status-source.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import type { Observation } from '../observe/observation.ts'
import { createSnapshot, readCollections, type Snapshot, type SnapshotParts } from './active-config.ts'
import type { Holdfast, HoldfastOptions, Reloaded, Status } from './holdfast.ts'
import { givenLayers, givenToken, undrivenResolution } from './library-settings.ts'
import { changedKeys, concernsConnection, freshErrors, needsRestart, restartProblem } from './reload.ts'
import { layersOf, type Resolved, refreshed, resolveLayers, secretsMark } from './resolve.ts'
import { addRoutes } from './routes.ts'
import { createStatusView } from './status-view.ts'
import { createSteps } from './store-steps.ts'

/** What the process gives beside the options; a library has none of it. */
export interface ProcessParts {
  readonly cwd: string
  /** What was resolved already: files are not read twice. */
  readonly found: Resolved
  readonly token: AdminToken
  /** What is wrong with the process's surroundings: the data directory. */
  readonly problems: readonly Problem[]
  /** Reads files, environment and secrets anew, for `POST /admin/reload`. */
  readonly reread: () => Promise<ResolvedSettings>
  /** Called before settings are used, also when only a secret was rotated: the log has a level and secrets of its own. */
  readonly inForce: (settings: Settings) => void
}

const nothingLoaded = { collections: [], problems: [] }

/** How much of the grace time the databases get at least, however long requests take to end. */
const closeReserveMs = 1_000

/** The composition: each room is made once, here, and handed what it needs. */
export class Service implements Holdfast {
  readonly #options: HoldfastOptions
  readonly #process: ProcessParts | null
  readonly #cwd: string
  readonly #parts: SnapshotParts
  readonly #tables = new TableReports()
  readonly #left = new RowsLeft()
  readonly #supervisor: Supervisor
  readonly #work: WorkRunner
  readonly #sessions: DatabaseSessionFactory
  readonly #view: StatusSource
  readonly #metrics: Metrics
  readonly #http: Http
  #snapshot: Snapshot
  /** What settings that are read once were read from. */
  #started: Settings
  #token: AdminToken
  #hostProblems: readonly Problem[] = []
  #preparing: Promise<void> | null = null
  #isPrepared = false
  #reloading: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | null = null

  constructor(options: HoldfastOptions = {}, process_: ProcessParts | null = null) {
    this.#options = options
    this.#process = process_
    this.#cwd = process_?.cwd ?? process.cwd()
    const observe = (seen: Observation): void => this.#observe(seen)
    const run: WorkRunner['run'] = (work, how, findCommitted) => this.#work.run(work, how, findCommitted)
    this.#parts = {
      rows: { run, tables: this.#tables, left: this.#left, now: () => performance.now() },
      entities: options.entities ?? [],
      echo: (sql) => observe({ type: 'statement.sent', sql }),
    }
    this.#snapshot = createSnapshot(process_?.found ?? undrivenResolution(options), nothingLoaded, this.#parts)
    const { settings } = this.#snapshot.found.resolved
    this.#started = settings
    this.#token = process_?.token ?? givenToken(settings.admin.token)
    this.#supervisor = this.#createSupervisor(observe)
    this.#work = new WorkRunner(this.#supervisor, observe)
    this.#sessions = new DatabaseSessionFactory(this.#supervisor, this.#work, observe)
    this.#view = createStatusView({
      snapshot: () => this.#snapshot,
      supervisor: this.#supervisor,
      tables: this.#tables,
      left: this.#left,
      token: () => this.#token,
      ownProblems: () => [...(process_?.problems ?? []), ...this.#hostProblems],
      isClosing: () => this.#closing !== null,
    })
    this.#metrics = createMetrics(this.#view)
    this.#http = createHttp({
      settings: () => this.#settings,
      observe,
      routes: (app) => this.#addRoutes(app),
      translateError: (req, error) => this.#sessions.refusal(req, error),
    })
  }

  readonly handler: RequestListener = (req, res) => {
    if (this.#isPrepared) return this.#http.handler(req, res)
    void this.#prepare().then(() => this.#http.handler(req, res))
  }

  async listen(at: { readonly port?: number; readonly host?: string } = {}): Promise<ListenAddress> {
    await this.#prepare()
    const { port, host } = this.#settings.http
    const address = await this.#http.listen({ port: at.port ?? port, host: at.host ?? host })
    if (address.problem !== null) this.#hostProblems = [address.problem]
    return address
  }

  async open(): Promise<State<Store>> {
    await this.#prepare()
    return await this.#supervisor.open()
  }

  async session(req: IncomingMessage, res?: ServerResponse): Promise<Session> {
    if (!this.#isPrepared) await this.#prepare()
    return await this.#sessions.session(req, res)
  }

  async transactional<T>(work: (session: Session) => Promise<T>, options?: TransactionOptions): Promise<Outcome<T>> {
    if (!this.#isPrepared) await this.#prepare()
    return await this.#work.transactional(work, options)
  }

  status(): Status {
    return {
      database: this.#view.database(),
      durability: this.#view.durability(),
      left: this.#view.left(),
      problems: this.#view.problems(),
      settings: this.#view.settings(),
      collections: this.#snapshot.collections.map(({ name }) => name),
    }
  }

  reload(settings: ResolvedSettings): Promise<Reloaded> {
    const reloading = this.#reloading.then(() => this.#reload(settings))
    this.#reloading = reloading
    return reloading
  }

  close(options: { readonly withinMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.withinMs ?? this.graceMs)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** The supervisor, for the boot policy: nobody else reaches past the interface. */
  get supervisor(): Supervisor {
    return this.#supervisor
  }

  /** How long `close` may take: SHUTDOWN_TIMEOUT, in milliseconds. */
  get graceMs(): number {
    return this.#settings.http.shutdownTimeoutS * 1000
  }

  /** The resolution that is in force. */
  get databases(): DatabaseConfig {
    return this.#snapshot.found.config
  }

  get #settings(): Settings {
    return this.#snapshot.found.resolved.settings
  }

  #observe(seen: Observation): void {
    this.#metrics.observe(seen)
    this.#options.observe?.(seen)
  }

  #createSupervisor(observe: (seen: Observation) => void): Supervisor {
    const snapshot = (): Snapshot => this.#snapshot
    const opener = new DatabaseEngineFactory({
      get entities() {
        return snapshot().entities
      },
      settings: () => snapshot().connection,
    })
    return new Supervisor({
      opener,
      gate: new Gate(),
      steps: createSteps({ snapshot, tables: this.#tables, left: this.#left, observe }),
      settings: this.#snapshot.connection,
      maxActiveSessions: () => this.#settings.http.maxActiveSessions,
      resolve: () => this.#resolve(),
      secretsMark: () => secretsMark(this.#snapshot.found, this.#cwd),
      observe,
      clock: systemClock,
    })
  }

  /** Called before each connection attempt: a secret that was rotated in its file is taken from there. */
  async #resolve(): Promise<DatabaseConfig> {
    const before = this.#snapshot
    const found = await refreshed(before.found, this.#cwd)
    // A reload came in between: what it read is newer.
    if (this.#snapshot !== before) return this.#snapshot.found.config
    if (found === before.found) return found.config
    this.#process?.inForce(found.resolved.settings)
    this.#snapshot = { ...before, found, problems: [...found.problems, ...before.ownProblems] }
    return found.config
  }

  /** Once: drivers and collections are loaded. Never rejects; a failure of ours is observed, and what is there serves. */
  #prepare(): Promise<void> {
    this.#preparing ??= this.#loadRooms().catch((error: unknown) => {
      this.#observe({ type: 'service.defect', where: 'preparation', error })
      this.#isPrepared = true
    })
    return this.#preparing
  }

  async #loadRooms(): Promise<void> {
    const { collections, drivers } = this.#options
    const found = this.#process?.found ?? (await resolveLayers(givenLayers(this.#options), this.#cwd, drivers))
    const isExplicit = this.#process === null || found.resolved.isGiven('collections.dir')
    this.#snapshot = createSnapshot(found, await readCollections(collections, this.#cwd, isExplicit), this.#parts)
    this.#started = this.#settings
    this.#isPrepared = true
    await this.#supervisor.reconfigure(this.#snapshot.connection)
  }

  #addRoutes(app: App): void {
    this.#options.routes?.(app, this)
    const reread = this.#process?.reread ?? (async () => this.#snapshot.found.resolved)
    addRoutes(app, {
      snapshot: () => this.#snapshot,
      token: () => this.#token.token,
      view: this.#view,
      render: () => this.#metrics.render(),
      reload: async () => this.reload(await reread()),
    })
  }

  async #reload(settings: ResolvedSettings): Promise<Reloaded> {
    const before = this.#snapshot
    try {
      // The drivers that are loaded stay: others need a restart.
      const found = await resolveLayers(layersOf(settings), this.#cwd, before.found.registry.all)
      const isExplicit = this.#process === null || found.resolved.isGiven('collections.dir')
      const dir = this.#process === null ? this.#options.collections : found.resolved.settings.collections.dir
      const after = createSnapshot(found, await readCollections(dir, this.#cwd, isExplicit), this.#parts)
      const errors = freshErrors(before.problems, after.problems)
      if (errors.length > 0) {
        this.#observe({ type: 'reload.refused', problems: errors })
        return { applied: false, changed: [], needsRestart: [], problems: errors }
      }
      return await this.#apply(before, after)
    } catch (error) {
      this.#observe({ type: 'service.defect', where: 'reload', error })
      return { applied: false, changed: [], needsRestart: [], problems: before.problems }
    }
  }

  async #apply(before: Snapshot, after: Snapshot): Promise<Reloaded> {
    const { resolved } = after.found
    const keys = changedKeys(before.found.resolved.settings, resolved.settings).filter((key) => !needsRestart(key))
    // Compared with what the process started with: a second reload says it again.
    const waiting = changedKeys(this.#started, resolved.settings).filter(needsRestart)
    const isSameDeclared = JSON.stringify(before.collections) === JSON.stringify(after.collections)
    const changed = isSameDeclared ? keys : [...keys, 'collections']
    const ownProblems = [...after.ownProblems, ...waiting.map((key) => restartProblem(key, resolved))]
    const problems = [...after.found.problems, ...ownProblems]
    const kept = isSameDeclared ? { rows: before.rows, entities: before.entities } : {}
    this.#process?.inForce(resolved.settings)
    this.#snapshot = { ...after, ...kept, ownProblems, problems }
    if (!isSameDeclared || keys.some(concernsConnection)) await this.#supervisor.reconfigure(after.connection)
    const report = { changed, needsRestart: waiting }
    this.#observe({ type: 'settings.reloaded', ...report })
    return { applied: true, ...report, problems }
  }

  /**
   * Requests in flight are answered first. Those that still wait for a database when half of the time is over get CLOSING
   * from the supervisor instead of a cut connection.
   */
  async #close(withinMs: number): Promise<void> {
    const startedAt = performance.now()
    const leftMs = (reserveMs: number): number => Math.max(0, withinMs - reserveMs - (performance.now() - startedAt))
    const answered = this.#http.close({ withinMs: leftMs(Math.min(closeReserveMs, withinMs / 4)) })
    await Promise.race([answered, setTimeout(withinMs / 2, undefined, { ref: false })])
    const closed = this.#supervisor.close(leftMs(0))
    await answered
    await closed
    this.#sessions.close()
    this.#work.close()
    this.#metrics.close()
  }
}

/**
 * Composes; opens no file, no socket, reads no environment, installs no signal handler, prints nothing. Bad settings are
 * problems, never a throw.
 */
export function createHoldfast(options: HoldfastOptions = {}): Holdfast {
  return new Service(options)
}

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { TableReports } from '../collection/table/tables.ts'
import type { Problem } from '../config/problem.ts'
import type { ResolvedSettings, Settings } from '../config/settings.ts'
import { copyTargetOf } from '../copy/whole-copy.ts'
import type { State } from '../database/machine/state.ts'
import { atMost } from '../database/store/bounded.ts'
import { systemClock } from '../database/store/clock.ts'
import type { Store } from '../database/store/store.ts'
import { type Booted, boot } from '../database/supervisor/boot.ts'
import type { Supervisor } from '../database/supervisor/supervisor.ts'
import type { Outcome, Session } from '../database/work/session.ts'
import { type TransactionOptions, WorkRunner } from '../database/work/work.ts'
import { HoldfastError } from '../errors.ts'
import type { Reloaded } from '../http/admin/admin-routes.ts'
import type { AdminToken } from '../http/admin/admin-token.ts'
import { DatabaseSessionFactory } from '../http/data/session-factory.ts'
import { sendError } from '../http/server/answers.ts'
import type { App } from '../http/server/app.ts'
import type { ListenAddress } from '../http/server/listen.ts'
import { createHttp, type Http } from '../http/server/server.ts'
import type { StatusSource } from '../http/status/status-source.ts'
import type { Conflicts } from '../journal/conflict/conflicts.ts'
import type { Replayer } from '../journal/replayer.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import type { Observation } from '../observe/observation.ts'
import type { ActiveConfig } from './active-config.ts'
import { createArchiving } from './archiving/compose.ts'
import { ConfigSource, type ProcessParts } from './config-source.ts'
import { ConflictCount } from './conflict-count.ts'
import { Copying, type CopyingParts } from './copying/copying.ts'
import { createDataProblems, type DataProblems } from './data-problems.ts'
import type { Holdfast, HoldfastOptions, Status } from './holdfast.ts'
import { findUnknownOptions, libraryToken } from './library-options.ts'
import { OwnEntities } from './own-entities.ts'
import { addRoutes } from './routes.ts'
import { createStatusView } from './status-view.ts'
import { createPast, createReplayer, createSteps, openConflicts, unreplayedJournal } from './store-steps.ts'
import { createSupervisor } from './supervising.ts'

/** The part of the grace time that is reserved for the databases, however long requests take to end. */
const closeReserveMs = 1_000

/** The composition: every module is created once, here, and gets what it needs. */
export class Service implements Holdfast {
  readonly #options: HoldfastOptions
  readonly #config: ConfigSource
  readonly #tables = new TableReports()
  readonly #replayer: Replayer
  readonly #copying: Copying
  readonly #conflicts: ConflictCount
  readonly #supervisor: Supervisor
  readonly #work: WorkRunner
  readonly #sessions: DatabaseSessionFactory
  readonly #view: StatusSource
  readonly #metrics: Metrics
  readonly #http: Http
  readonly #token: AdminToken
  /** Null in a library. */
  readonly #dataProblems: DataProblems | null
  #hostProblems: readonly Problem[] = []
  #preparing: Promise<void> | null = null
  #isPrepared = false
  #reloading: Promise<unknown> = Promise.resolve()
  #rereading: Promise<Reloaded> | null = null
  #closing: Promise<void> | null = null

  constructor(options: HoldfastOptions = {}, process_: ProcessParts | null = null) {
    this.#options = options
    const observe = (seen: Observation): void => this.#observe(seen)
    const active = (): ActiveConfig => this.#config.active
    const supervisor = (): Supervisor => this.#supervisor
    const entities = new OwnEntities(options, () => this.#config)
    const entityTables: CopyingParts['entityTables'] = (primary) => entities.tablesOf(primary)
    const past = createPast({ active, supervisor, observe })
    this.#copying = new Copying({ active, supervisor, tables: this.#tables, entityTables, observe })
    this.#config = new ConfigSource(options, process_, {
      rows: {
        run: (work, how, findCommitted) => this.#work.run(work, how, findCommitted),
        tables: this.#tables,
        recheck: (store) => this.#supervisor.watch.prepareAgain(store),
        unreplayed: () => unreplayedJournal(this.#supervisor.state),
        copy: this.#copying.sink,
        acknowledged: past.acknowledged,
        copyTarget: () => copyTargetOf(this.#config.current),
        now: () => performance.now(),
        cursorSecret: () => this.#token.token,
      },
      entities: options.entities ?? [],
      echo: (sql) => observe({ type: 'statement.sent', sql }),
    })
    this.#dataProblems = process_ && createDataProblems(process_.data, () => active().found.resolved, observe)
    this.#token = process_?.token ?? libraryToken(this.#settings.admin.token)
    this.#replayer = createReplayer({ active, supervisor, observe, past })
    const [tables, replayer, copying] = [this.#tables, this.#replayer, this.#copying]
    const archiving = createArchiving({ active, supervisor, replayer, tables, work: () => this.#work, observe })
    const steps = createSteps({ active, supervisor, observe, tables, replayer, copying, archiving, entities, past })
    this.#supervisor = createSupervisor(this.#config, steps, observe)
    this.#work = new WorkRunner(this.#supervisor, observe, entities.mayUse, archiving)
    this.#sessions = new DatabaseSessionFactory(this.#supervisor, this.#work, observe, entities.asOfMs)
    this.#conflicts = new ConflictCount(() => this.#openConflicts(), observe)
    this.#view = createStatusView({
      ...{ active, tables, replayer, past, copying, supervisor: this.#supervisor, archive: () => archiving.state },
      conflicts: () => this.#conflicts.open,
      token: this.#token,
      ownProblems: () =>
        [findUnknownOptions(options), entities.problems, this.#dataProblems?.known ?? [], this.#hostProblems].flat(),
      isClosing: () => this.#closing !== null,
    })
    this.#metrics = createMetrics(this.#view)
    this.#http = createHttp({
      settings: () => this.#settings,
      trustedProxies: () => this.#config.active.trustedProxies,
      observe,
      routes: (app) => this.#addRoutes(app),
      translateError: (req, error) => this.translateError(req, error),
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

  async translateError(req: IncomingMessage, error: unknown): Promise<unknown> {
    return await this.#sessions.refusal(req, error).catch(() => error)
  }

  async answerError(req: IncomingMessage, res: ServerResponse, error: unknown): Promise<boolean> {
    const known = await this.translateError(req, error)
    if (known instanceof HoldfastError) sendError(req, res, known)
    return known instanceof HoldfastError
  }

  async transactional<T>(work: (session: Session) => Promise<T>, options?: TransactionOptions): Promise<Outcome<T>> {
    if (!this.#isPrepared) await this.#prepare()
    return await this.#work.transactional(work, options)
  }

  status(): Status {
    return {
      database: this.#view.database(),
      durability: this.#view.durability(),
      conflicts: this.#view.conflicts(),
      archive: this.#view.archive(),
      problems: this.#view.problems(),
      settings: this.#view.settings(),
      collections: this.#collectionNames(),
    }
  }

  reload(settings: ResolvedSettings): Promise<Reloaded> {
    return this.#afterReloads(() => this.#reload(settings))
  }

  /** Re-reads files, environment and secrets, as `reload` does with settings. Requests that come before it begins share it. */
  reread(): Promise<Reloaded> {
    this.#rereading ??= this.#afterReloads(() => {
      this.#rereading = null
      return this.#reload(null)
    })
    return this.#rereading
  }

  close(options: { readonly withinMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.withinMs ?? this.graceMs)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Applies a boot policy; to be called after listening. Never rejects. */
  async boot(policy: Settings['database']['boot']): Promise<Booted> {
    const isArchived = this.#settings.archive.url !== null
    return await boot(policy, this.#supervisor, this.#supervisor.config, isArchived)
  }

  /** How long `close` may take: SHUTDOWN_TIMEOUT, in milliseconds. */
  get graceMs(): number {
    return this.#settings.http.shutdownTimeoutS * 1000
  }

  get #settings(): Settings {
    return this.#config.settings
  }

  #collectionNames(): readonly string[] {
    return this.#config.active.collections.map(({ name }) => name)
  }

  #observe(seen: Observation): void {
    this.#copying.observe(seen)
    if (seen.type === 'conflicts.counted') this.#conflicts.counted(seen.open)
    this.#metrics.observe(seen)
    this.#options.observe?.(seen)
  }

  /** Once: loads drivers and collections. Never rejects: a defect is observed, and what is there serves. */
  #prepare(): Promise<void> {
    this.#preparing ??= this.#load().catch((error: unknown) => {
      this.#observe({ type: 'service.defect', where: 'preparation', error })
      this.#isPrepared = true
    })
    return this.#preparing
  }

  async #load(): Promise<void> {
    await this.#config.load()
    this.#isPrepared = true
    await this.#supervisor.reconfigure(this.#config.active.connection)
  }

  #addRoutes(app: App): void {
    this.#options.routes?.(app, this)
    addRoutes(app, {
      active: () => this.#config.active,
      token: this.#token.token,
      view: this.#view,
      render: () => this.#metrics.render(),
      reload: () => this.reread(),
      conflicts: () => this.#openConflicts(),
    })
  }

  #openConflicts(): Conflicts | null {
    return openConflicts(this.#supervisor.current?.store ?? null, this.#config.active)
  }

  #afterReloads(reload: () => Promise<Reloaded>): Promise<Reloaded> {
    const reloading = this.#reloading.then(reload)
    this.#reloading = reloading
    return reloading
  }

  /** Never rejects. */
  async #reload(settings: ResolvedSettings | null): Promise<Reloaded> {
    try {
      const before = this.#collectionNames()
      const { report, reconnects } = await this.#config.replace(settings)
      const { applied, changed, needsRestart, problems } = report
      const after = this.#collectionNames()
      const added = after.filter((name) => !before.includes(name))
      const removed = before.filter((name) => !after.includes(name))
      await this.#dataProblems?.check()
      if (reconnects) await this.#supervisor.reconfigure(this.#config.active.connection)
      else await this.#compareTables()
      this.#copying.reloaded()
      this.#observe(
        applied
          ? { type: 'settings.reloaded', changed, needsRestart, added, removed }
          : { type: 'reload.refused', problems },
      )
      return report
    } catch (error) {
      this.#observe({ type: 'service.defect', where: 'reload', error })
      return { applied: false, changed: [], needsRestart: [], problems: this.#config.active.problems }
    }
  }

  /** A table that changed without failing any statement is found here, and where a database is opened. */
  async #compareTables(): Promise<void> {
    const { current, watch } = this.#supervisor
    if (current !== null) await watch.prepareAgain(current.store)
  }

  /**
   * Requests in progress are answered first. Those that still wait for a database after half of the time get CLOSING
   * instead of a cut connection.
   */
  async #close(withinMs: number): Promise<void> {
    const startedAt = performance.now()
    const leftMs = (reserveMs: number): number => Math.max(0, withinMs - reserveMs - (performance.now() - startedAt))
    const answered = this.#http.close({ withinMs: leftMs(Math.min(closeReserveMs, withinMs / 4)) })
    await Promise.race([answered, setTimeout(withinMs / 2, undefined, { ref: false })])
    await this.#work.forgetClaims(leftMs(0) / 4)
    const closed = this.#supervisor.close(leftMs(0))
    await answered
    await closed
    await atMost(systemClock, leftMs(0), this.#copying.close())
    this.#dataProblems?.close()
    this.#sessions.close()
    this.#work.close()
    this.#metrics.close()
  }
}

/**
 * Creates the data service as a library. Opens no file and no socket, reads no environment, installs no signal handler,
 * prints nothing. Invalid settings are problems, never a throw.
 */
export function createHoldfast(options: HoldfastOptions = {}): Holdfast {
  return new Service(options)
}

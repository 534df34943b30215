import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCommand } from '../../support/hosted.ts'
import { makeWorkingDir, startService } from '../../support/process.ts'
import { startProxy, type TcpProxy } from '../../support/servers/tcp-proxy.ts'
import { type Cleanup, cleanLater, type Files, writeFiles } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { type Evidence, judge, judgeWrites, type Verdict } from '../history/checker.ts'
import { History, type WriteRecord } from '../history/history.ts'
import { Actor, adminToken } from './actor.ts'
import { Audit } from './audit.ts'
import { AuditWatch } from './audit-watch.ts'
import { fallbackFile, type JournalLine, readJournal } from './fallback-file.ts'
import { addressOf, createServiceDatabase, type FaultyServer, type ServerKind, type Stage } from './stage.ts'

/** QUERY_TIMEOUT, CONNECTION_TIMEOUT and FALLBACK_TIMEOUT of most services: a busy machine does not make them take a primary for lost. */
const longMs = 8_000

/** QUERY_TIMEOUT where a schedule waits for it: a probe has half of it. */
export const shortMs = 1_600

/** The settings of a service that is to give up what gets no answer. */
export const shortLimits: Readonly<Record<string, string>> = {
  QUERY_TIMEOUT: `${shortMs}ms`,
  CONNECTION_TIMEOUT: `${shortMs}ms`,
  FALLBACK_TIMEOUT: `${shortMs}ms`,
}

/** The settings of a service whose fallback has the rows of the primary. */
export const copying: Readonly<Record<string, string>> = { COPY: 'auto' }

/** How long an acknowledged row may take to the primary once this is there again. */
const arrivalMs = 30_000

const item = {
  name: 'item',
  fields: {
    token: { type: 'string', maxLength: 200 },
    note: { type: 'string', maxLength: 20_000 },
    slug: { type: 'string', maxLength: 100 },
  },
  indexes: [{ fields: ['slug'], unique: true }],
  access: { create: 'public', list: 'public', get: 'public', update: 'public', delete: 'public' },
}

/** The collection that all schedules write, with further fields where one wants them. */
export function itemCollection(fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ ...item, fields: { ...item.fields, ...fields } })
}

const ownFiles: Files = { 'config/collections/item.json': itemCollection(), 'config/collections/feedback.json': null }

/** How a service is started. */
export interface StartOptions {
  /** Where another one was: the same working directory, with its files. */
  readonly dir?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly files?: Files
  /** Another way to the server than the world's own; null: none is declared. */
  readonly proxy?: TcpProxy | null
  readonly database?: string
  /** What it has to serve from before this resolves; `null`: nothing is waited for. */
  readonly serves?: 'primary' | 'fallback' | null
}

/** A database with an audit, a proxy before it, the services of one schedule, and the history of all that they were asked. */
export class World {
  readonly t: Cleanup
  readonly stage: Stage
  readonly history: History = new History()
  readonly database: string
  readonly proxy: TcpProxy
  readonly audit: Audit
  readonly #watch: AuditWatch
  readonly #journals = new Map<string, JournalLine>()
  readonly #dirs = new Set<string>()
  readonly #actors: Actor[] = []

  private constructor(t: Cleanup, stage: Stage, database: string, proxy: TcpProxy) {
    this.t = t
    this.stage = stage
    this.database = database
    this.proxy = proxy
    this.audit = new Audit(stage.kind, stage.server, database)
    this.#watch = new AuditWatch(this.audit)
  }

  static async create(t: Cleanup, stage: Stage): Promise<World> {
    const [database, proxy] = await Promise.all([createServiceDatabase(stage), startProxy(t, stage.server)])
    return new World(t, stage, database, proxy)
  }

  get kind(): ServerKind {
    return this.stage.kind
  }

  get server(): FaultyServer {
    return this.stage.server
  }

  /** The first service: it makes the tables, which get their audit before anything is written. */
  async first(options: StartOptions = {}): Promise<Actor> {
    const actor = await this.start({ serves: 'primary', ...options })
    await this.audit.install()
    return actor
  }

  async start(options: StartOptions = {}): Promise<Actor> {
    const { proxy = this.proxy, database = this.database, env = {}, files = {}, serves = null } = options
    const dir = options.dir ?? (await makeWorkingDir(this.t))
    const isFirst = !existsSync(`${dir}/config/collections/item.json`)
    const own = isFirst ? ownFiles : {}
    this.#dirs.add(dir)
    const service = await startService(this.t, {
      cwd: dir,
      files: { ...own, ...files },
      args: [this.stage.entry],
      env: {
        ...environment(this.kind),
        NODE_COMPILE_CACHE: join(dirname(this.stage.entry), 'cache'),
        DATABASE_URL: proxy === null ? undefined : addressOf(this.kind, proxy.port, database),
        ...env,
      },
    })
    const actor = new Actor(`s${this.#actors.length + 1}`, service, this.history)
    this.#actors.push(actor)
    if (serves !== null) await actor.serves(serves)
    return actor
  }

  /** Runs `holdfast` with this database as its primary. Rejects unless it ends with 0. */
  async command(...args: readonly string[]): Promise<void> {
    const cwd = await makeWorkingDir(this.t)
    await writeFiles(cwd, ownFiles)
    const env = { ...environment(this.kind), DATABASE_URL: addressOf(this.kind, this.server.port, this.database) }
    const { code, stderr } = await runCommand(args, { cwd, env })
    if (code !== 0) throw new Error(`holdfast ${args.join(' ')} ended with ${code}: ${stderr}`)
  }

  /** From now on it is known when changes are committed; ends with the schedule. */
  watch(): void {
    this.#watch.start()
    cleanLater(this.t, () => this.#watch.end())
  }

  /** Another way to the server. */
  async anotherProxy(): Promise<TcpProxy> {
    return await startProxy(this.t, this.server)
  }

  /** Cuts a service from the server, and waits until its fallback serves. */
  async outage(actor: Actor): Promise<void> {
    await this.proxy.refuse()
    this.proxy.dropAll()
    // A database that nobody asks is not missed.
    await until(async () => (await actor.list(1)).side === 'fallback', { withinMs: 40_000, what: 'the fallback' })
    await actor.serves('fallback')
  }

  /** The way to the server is open again; waits until the primary serves. */
  async back(actor: Actor): Promise<void> {
    await this.proxy.accept()
    await actor.serves('primary')
  }

  /** A statement of another client. */
  sql(text: string): Promise<readonly Record<string, unknown>[]> {
    return this.server.query(text, this.database)
  }

  /** Another client writes this row with an attempt and a token of its own; resolves with the attempt. */
  async changeElsewhere(id: string): Promise<string> {
    const attempt = randomUUID()
    await this.sql(
      `update item set token = 'other', holdfast_attempt = '${attempt}', version = version + 1 where id = '${id}'`,
    )
    return attempt
  }

  async removeElsewhere(id: string): Promise<void> {
    await this.sql(`delete from item where id = '${id}'`)
  }

  /** Waits until the audit has the change. */
  async applied({ token }: Pick<WriteRecord, 'token'>, withinMs: number = arrivalMs): Promise<void> {
    const look = async (): Promise<boolean> => (await this.audit.lines()).some(({ newToken }) => newToken === token)
    await until(look, { withinMs, everyMs: 40, what: `${token} to be in the primary` })
  }

  /** Waits until nothing that was acknowledged is missing in the primary; then judges. Reads the journals of all services. */
  async settled(withinMs: number = arrivalMs): Promise<Verdict> {
    // Quick: the ways to the server lead through this process.
    const isMissing = async (): Promise<boolean> =>
      judgeWrites(await this.evidence()).violations.some(({ wrong }) => wrong === 'lost')
    const look = async (): Promise<boolean> => !(await isMissing())
    // What does not come is what the verdict is about.
    await until(look, { withinMs, everyMs: 60 }).catch(() => undefined)
    return judge(await this.evidence())
  }

  /** The end of what each service has logged. */
  logs(): string {
    const endOf = ({ name, service }: Actor): string =>
      [`log of ${name}`, ...service.output().split('\n').slice(-25)].join('\n')
    return this.#actors.map(endOf).join('\n')
  }

  async evidence(): Promise<Evidence> {
    for (const dir of this.#dirs) {
      for (const file of [fallbackFile(dir), fallbackFile(dir).replace(/db$/, 'fallback.db')]) {
        for (const line of readJournal(file)) this.#journals.set(`${line.attempt} ${line.sequence}`, line)
      }
    }
    const [audit, parked] = await Promise.all([this.audit.lines(), this.audit.parked()])
    const journal = [...this.#journals.values()]
    return { history: this.history, audit, parked, journal, times: this.#watch.times }
  }
}

function environment(kind: ServerKind): Readonly<Record<string, string>> {
  return {
    DRIVERS: `sqlite,${kind}`,
    ADMIN_TOKEN: adminToken,
    RATE_LIMIT: '0',
    POOL_SIZE: '2',
    POOL_MAX_OVERFLOW: '2',
    QUERY_TIMEOUT: `${longMs}ms`,
    CONNECTION_TIMEOUT: `${longMs}ms`,
    FALLBACK_TIMEOUT: `${longMs}ms`,
    MAX_RETRIES_PRIMARY: '0',
    DATABASE_BOOT: 'eager',
    DATA_DURABLE: 'true',
    // Most schedules are about rows that a fallback does not have.
    COPY: 'off',
  }
}

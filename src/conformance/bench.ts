import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EntitySchema } from '@mikro-orm/core'
import { type Options, SqlMikroORM } from '@mikro-orm/sql'
import { Secret } from '../config/secret.ts'
import { faultConditions, type Settings } from '../config/settings.ts'
import type { Target, UrlAddress } from '../driver/address.ts'
import type { Candidate, Driver, Engine, Facts, Limits } from '../driver/driver.ts'
import type { ImageTable } from '../driver/facet/image.ts'
import type { Statements } from '../driver/facet/statements.ts'
import type { MikroORM } from '../driver/orm.ts'

/** The part of the suite that a driver's author provides. */
export interface Harness {
  /** The address of an empty database that nothing else uses; another one at each call. */
  address(): Promise<string>
  /** Values of the driver's own settings, by key. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Ends the server of the last address as SIGKILL does. */
  readonly kill?: () => Promise<void>
  /** Stops the server of the last address from answering, and lets it answer again. */
  readonly pause?: () => Promise<void>
  readonly resume?: () => Promise<void>
}

/** The driver under test with what every part of the suite needs. */
export interface Bench {
  readonly driver: Driver
  readonly harness: Harness
  readonly settings: Settings
  /** A temporary folder: relative files live in it. */
  readonly folder: string
  /** Removes the folder. */
  end(): Promise<void>
}

/** The entity that the suite writes. */
export interface NoteRow {
  id: string
  text: string
  count: number
}

/** Its schema: plain columns that every database has. */
export const Note: EntitySchema<NoteRow> = new EntitySchema<NoteRow>({
  name: 'ConformanceNote',
  tableName: 'conformance_note',
  properties: {
    id: { type: 'string', length: 60, primary: true },
    text: { type: 'string', length: 200, unique: true },
    count: { type: 'integer' },
  },
})

/** A row of the table that replay writes. */
interface CarriedRow {
  id: string
  holdfast_attempt: string | null
  required: string
  key: string | null
  text: string | null
  order: bigint | null
  ratio: number | null
  price: string | null
  day: string | null
  isOn: boolean | null
  createdAt: Date | null
  data: unknown
  defaulted: string
}

/** Columns of each kind, with names that need quotes. */
const Carried: EntitySchema<CarriedRow> = new EntitySchema<CarriedRow>({
  name: 'ConformanceCarried',
  tableName: 'conformance_carried',
  properties: {
    id: { type: 'uuid', primary: true },
    holdfast_attempt: { type: 'uuid', nullable: true },
    required: { type: 'string', length: 20 },
    key: { type: 'string', length: 40, nullable: true, unique: true },
    text: { type: 'text', nullable: true },
    order: { type: 'bigint', nullable: true },
    ratio: { type: 'double', nullable: true },
    price: { type: 'decimal', precision: 18, scale: 2, nullable: true },
    day: { type: 'date', nullable: true },
    isOn: { type: 'boolean', nullable: true, fieldName: 'isOn' },
    createdAt: { type: 'datetime', length: 3, nullable: true, fieldName: 'createdAt' },
    data: { type: 'json', nullable: true },
    defaulted: { type: 'string', length: 20, default: 'left' },
  },
})

/** The same for images. */
export const carriedTable: ImageTable = {
  name: 'conformance_carried',
  columns: [
    { name: 'id', kind: 'text' },
    { name: 'holdfast_attempt', kind: 'text' },
    { name: 'required', kind: 'text' },
    { name: 'key', kind: 'text' },
    { name: 'text', kind: 'text' },
    { name: 'order', kind: 'integer' },
    { name: 'ratio', kind: 'number' },
    { name: 'price', kind: 'decimal', scale: 2 },
    { name: 'day', kind: 'text' },
    { name: 'isOn', kind: 'boolean' },
    { name: 'createdAt', kind: 'instant' },
    { name: 'data', kind: 'json' },
    { name: 'defaulted', kind: 'text' },
  ],
}

/** The suite's table, for kysely. */
export interface NoteTables {
  conformance_note: NoteRow
}

/** Short, so that a hang shows soon; long enough for a slow machine. */
export const limits: Limits = {
  connectMs: 5_000,
  queryMs: 2_000,
  transactionMs: 5_000,
  poolSize: 2,
  poolMaxOverflow: 2,
}

/** How much later than a limit an answer may come on a busy machine. */
export const slackMs = 3_000

/** Creates the bench. Call `end` afterwards. */
export async function createBench(driver: Driver, harness: Harness): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-conformance-'))
  return {
    driver,
    harness,
    folder,
    settings: benchSettings(driver, harness, folder),
    end: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The text as an address of the primary. */
export function urlAddress(bench: Pick<Bench, 'folder'>, text: string): UrlAddress {
  return {
    form: 'url',
    role: 'primary',
    setting: 'database.url',
    origin: { from: 'environment', name: 'DATABASE_URL' },
    folders: [bench.folder],
    scheme: /^([^:]*):/.exec(text)?.[1]?.toLowerCase() ?? '',
    text: new Secret(text),
  }
}

/** A target of an empty database. */
export async function freshTarget(bench: Bench): Promise<Target> {
  const text = await bench.harness.address()
  const { target, problems } = bench.driver.parse(urlAddress(bench, text), bench.settings)
  if (target === undefined) throw new Error(`The harness's address is refused: ${problems[0]?.message}`)
  return target
}

/** A store as the core opens one. */
export interface BenchStore extends AsyncDisposable {
  readonly target: Target
  readonly candidate: Candidate
  readonly engine: Engine
  readonly orm: MikroORM
  /** @throws when the driver has no native statements. */
  statements(): Statements
}

/** Opens the target's first candidate, or an empty database; makes the suite's table unless `made` says that it is there. */
export async function openStore(
  bench: Bench,
  options: { target?: Target; made?: boolean; limits?: Limits } = {},
): Promise<BenchStore> {
  const { driver } = bench
  const target = options.target ?? (await freshTarget(bench))
  const [candidate] = await driver.connect(target, options.limits ?? limits)
  if (candidate === undefined) throw new Error('The driver returned no candidate.')
  const connection = await candidate.open(AbortSignal.timeout(limits.connectMs))
  let facts: Facts
  try {
    facts = await connection.verify({ role: 'primary', proof: 'open' }, AbortSignal.timeout(limits.connectMs))
  } finally {
    await connection.close()
  }
  const engine = candidate.engine(facts)
  const orm = createOrm(engine)
  await orm.connect()
  if (options.made !== true) await orm.schema.create()
  return {
    target,
    candidate,
    engine,
    orm,
    statements() {
      if (engine.statements === undefined) throw new Error('The engine has no "statements".')
      return engine.statements(orm)
    },
    [Symbol.asyncDispose]: () => engine.close(orm, 1_000),
  }
}

/** An ORM of an engine, not connected. */
export function createOrm(engine: Engine, entities: readonly EntitySchema[] = [Note, Carried]): MikroORM {
  ormsMade += 1
  // Its own name for MikroORM's contexts: two ORMs of one process must not see each other's transactions.
  const options = { ...engine.ormOptions, contextName: `conformance-${ormsMade}`, entities: [...entities] }
  // The engine's options are those of its own driver class, which this suite cannot name.
  return new SqlMikroORM(options as unknown as Options)
}

let ormsMade = 0

/** Facts for an ORM that is never connected. */
export const noFacts: Facts = { version: '', path: null, ephemeral: false, pooled: false, problems: [] }

/** A fresh note; texts are unique unless given. */
export function note(id: string, text: string = id): NoteRow {
  return { id, text, count: 0 }
}

/** Rejects when the promise has not settled in time: a hang is a failure, not a wait. */
export async function within<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It did not settle within ${limitMs} ms.`)), limitMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

const httpOfBench: Settings['http'] = {
  port: 0,
  host: '127.0.0.1',
  readiness: 'any',
  shutdownTimeoutS: 10,
  bodyLimitBytes: 1_048_576,
  bulkLimitBytes: 8_388_608,
  headerLimitBytes: 16_384,
  urlLimitBytes: 8_192,
  headersTimeoutS: 10,
  requestTimeoutS: 30,
  keepAliveTimeoutS: 5,
  maxConnections: 1_000,
  trustedProxies: null,
  rateLimit: 0,
  readRateLimit: 0,
  tokenRateLimit: 0,
  corsOrigins: [],
  rateLimitWindowS: 60,
  maxActiveSessions: 1_000,
}

/** Neither an archive nor a platform, nor anyone with a token. */
const alone: Pick<Settings, 'archive' | 'tokens' | 'auth' | 'platform'> = {
  archive: {
    url: null,
    accessKeyId: null,
    secretAccessKey: null,
    ...{ awsAccessKeyId: null, awsSecretAccessKey: null, awsSessionToken: null },
    intervalS: 1,
    spoolMaxBytes: 268_435_456,
    restoreTimeoutS: 60,
    required: false,
    drillS: 0,
    export: 'off',
  },
  tokens: [],
  auth: { jwt: { issuer: null, audience: null, jwksUrl: null, publicKey: null, secret: null, algorithms: [] } },
  platform: { nodeEnv: 'test', spaceId: null, spaceHost: null, openidProviderUrl: null, oauthClientId: null },
}

export function benchSettings(driver: Driver, harness: Harness, folder: string): Settings {
  const own = Object.entries(driver.settings ?? {}).map(([key, { default: value }]) => [key, value] as const)
  return {
    database: {
      url: null,
      driver: null,
      host: null,
      port: null,
      username: null,
      password: null,
      name: null,
      validationEnabled: true,
      connectionTimeoutS: 5,
      queryTimeoutS: 2,
      transactionTimeoutS: 5,
      poolSize: 2,
      poolMaxOverflow: 2,
      echoSql: false,
      sqliteCheckSameThread: false,
      boot: 'lazy',
      schemaApply: 'additive',
    },
    fallback: {
      url: new Secret('sqlite:///./production.db'),
      enabled: false,
      mode: 'read-write',
      ...{ timeoutS: 5, failoverWaitS: null },
      maxRetriesPrimary: 0,
      retryDelayMs: 500,
      conditions: faultConditions.filter((condition) => condition !== 'transient'),
    },
    journal: { keepS: 604_800, maxBytes: 1_073_741_824 },
    copies: { mode: 'off', maxBytes: 0, rate: 1, idleS: 1 },
    ...alone,
    data: { dir: folder, durable: null, sqliteAllowPaths: [] },
    http: httpOfBench,
    admin: { token: null },
    log: { level: 'silent', format: 'json', requests: false },
    drivers: [],
    collections: { dir: folder },
    config: { file: null, strict: false },
    plugins: { [driver.name]: { ...Object.fromEntries(own), ...harness.settings } },
  }
}

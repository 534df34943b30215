import { join } from 'node:path'
import { driver as sqlite } from '../../plugins/sqlite/sqlite.ts'
import type { Collection } from '../../src/collection/declaration/declaration.ts'
import type { Rows } from '../../src/collection/row/rows.ts'
import { entityOf } from '../../src/collection/table/entity.ts'
import { ensureTables, type SchemaApply, type TableReport, TableReports } from '../../src/collection/table/tables.ts'
import type { Settings } from '../../src/config/settings.ts'
import { fixedConfig } from '../../src/database/address/config.ts'
import { DatabaseUrlResolver } from '../../src/database/address/resolver.ts'
import { connectionSettingsOf } from '../../src/database/machine/connection-settings.ts'
import { DatabaseEngineFactory } from '../../src/database/store/engine-factory.ts'
import type { Store } from '../../src/database/store/store.ts'
import { emptySteps } from '../../src/database/supervisor/steps.ts'
import { Supervisor } from '../../src/database/supervisor/supervisor.ts'
import { WorkRunner } from '../../src/database/work/work.ts'
import { DriverRegistry } from '../../src/driver/registry.ts'
import { type ServedCollection, serveCollections } from '../../src/http/data/served-collection.ts'
import { settingsFromOptions } from '../support/settings.ts'
import { type Cleanup, cleanLater } from '../support/temp.ts'

/** The house's own feedback, small enough to read at a glance. */
export const feedback: Collection = {
  name: 'feedback',
  fields: {
    rating: { type: 'integer', minimum: 1, maximum: 5 },
    comment: { type: 'string', maxLength: 2_000 },
    meta: { type: 'object' },
  },
  required: ['rating'],
  access: { create: 'public', list: 'public', get: 'public' },
}

/** A field of each kind, and keys. */
export const everything: Collection = {
  name: 'everything',
  fields: {
    small: { type: 'integer', minimum: 0, maximum: 100 },
    large: { type: 'integer' },
    real: { type: 'number' },
    flag: { type: 'boolean' },
    word: { type: 'string', maxLength: 40 },
    text: { type: 'string' },
    at: { type: 'string', format: 'date-time' },
    things: { type: 'array' },
    meta: { type: 'object' },
  },
  indexes: [{ fields: ['word'], unique: true }, { fields: ['small', 'at'] }],
}

/** The data side of a service on a real SQLite file. */
export interface House {
  readonly settings: Settings
  readonly work: WorkRunner
  readonly tables: TableReports
  readonly reports: TableReport[]
  /** The store that serves; opened when nobody has asked yet. */
  store(): Promise<Store>
  rows(name: string): Rows
  readonly all: ReadonlyMap<string, ServedCollection>
}

/** A database server as the primary of a house. */
export interface Primary {
  /** A driver of any kind: the registry checks its shape. */
  readonly driver: unknown
  readonly url: string
}

/** Everything from the settings to the rows, composed as the service does it. Closed when the test ends. */
export function openHouse(
  t: Cleanup,
  dir: string,
  collections: readonly Collection[],
  options: {
    readonly apply?: SchemaApply
    readonly now?: () => number
    readonly primary?: Primary
    readonly keptBytes?: number
  } = {},
): House {
  const { primary } = options
  const data = { data: { dir, durable: true }, fallback: { url: 'sqlite:///./rows.db' } }
  const resolved = settingsFromOptions(primary === undefined ? data : { ...data, database: { url: primary.url } })
  const registry = new DriverRegistry()
  registry.register(sqlite)
  if (primary !== undefined) registry.register(primary.driver)
  const settings = connectionSettingsOf(resolved.settings)
  const tables = new TableReports()
  const reports: TableReport[] = []
  const opener = new DatabaseEngineFactory({
    entities: collections.map(entityOf),
    settings: () => settings,
  })
  const supervisor = new Supervisor({
    opener,
    settings,
    maxActiveSessions: () => 1_000,
    observe: () => {},
    config: fixedConfig(new DatabaseUrlResolver(registry).resolve(resolved, [dir])),
    steps: {
      ...emptySteps,
      prepare: async (store) => {
        const report = await ensureTables(store, collections, options.apply ?? 'additive', AbortSignal.timeout(5_000))
        tables.set(store, report)
        reports.push(report)
      },
    },
  })
  const work = new WorkRunner(supervisor, () => {})
  cleanLater(t, async () => {
    work.close()
    await supervisor.close(1_000)
  })
  const now = options.now ?? (() => performance.now())
  const all = serveCollections(collections, { run: work.run, tables, now, keptBytes: options.keptBytes ?? 0 })
  return {
    settings: resolved.settings,
    work,
    tables,
    reports,
    all,
    store: async () => (await work.run(async ({ store }) => store, { kind: 'read', rerun: 'never' })).value,
    rows: (name) => {
      const rows = all.get(name)?.rows
      if (rows === undefined) throw new Error(`No collection ${name}.`)
      return rows
    },
  }
}

/** Where the rows of a house are. */
export function fileOf(dir: string): string {
  return join(dir, 'rows.db')
}

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { driver as mysql } from '../../plugins/mysql/mysql.ts'
import { driver as postgresql } from '../../plugins/postgresql/postgresql.ts'
import { driver as sqlite } from '../../plugins/sqlite/sqlite.ts'
import type { Collection } from '../../src/collection/declaration/declaration.ts'
import { entityOf } from '../../src/collection/table/entity.ts'
import { imageTableOf } from '../../src/collection/table/image-table.ts'
import { ensureTables } from '../../src/collection/table/tables.ts'
import { DatabaseUrlResolver } from '../../src/database/address/resolver.ts'
import { connectionSettingsOf } from '../../src/database/machine/connection-settings.ts'
import { DatabaseEngineFactory } from '../../src/database/store/engine-factory.ts'
import type { Store } from '../../src/database/store/store.ts'
import type { ImageTable } from '../../src/driver/facet/image.ts'
import type { Journal } from '../../src/driver/facet/journal.ts'
import type { LocalRows } from '../../src/driver/facet/local-rows.ts'
import type { Replay } from '../../src/driver/facet/replay.ts'
import type { Value } from '../../src/driver/facet/statements.ts'
import { DriverRegistry } from '../../src/driver/registry.ts'
import { Conflicts } from '../../src/journal/conflict/conflicts.ts'
import { type CarriedTable, tablesByName } from '../../src/journal/judge.ts'
import type { JournalObservation } from '../../src/journal/observation.ts'
import { Replayer } from '../../src/journal/replayer.ts'
import { everything } from '../collection/support.ts'
import { settingsFromOptions } from '../support/settings.ts'
import { type Cleanup, cleanLater, makeTempDir } from '../support/temp.ts'

/** What the tests need of a private server. */
export interface Server {
  url(database: string, port?: number): string
  createDatabase(): Promise<string>
  query(text: string, database?: string): Promise<readonly Record<string, unknown>[]>
}

/** Another collection without a unique key. */
export const plain: Collection = { name: 'plain', fields: { word: { type: 'string' } } }

export const collections: readonly Collection[] = [everything, plain]
export const imageTables: readonly ImageTable[] = collections.map(imageTableOf)

export const never: AbortSignal = new AbortController().signal

/** A primary with all its facets. */
export type OpenPrimary = Store & { readonly replay: Replay }
/** A fallback that journals. */
export type OpenFallback = Store & { readonly journal: Journal }

/** The databases of one test: a primary of a server, and files next to it. */
export class Scene {
  readonly server: Server
  readonly database: string
  readonly dir: string
  readonly seen: JournalObservation[] = []
  readonly #t: Cleanup
  readonly #port: number | undefined

  constructor(t: Cleanup, server: Server, database: string, dir: string, port: number | undefined) {
    this.#t = t
    this.server = server
    this.database = database
    this.dir = dir
    this.#port = port
  }

  /** A scene with an empty database, through a proxy at that port. */
  static async make(t: Cleanup, server: Server, port?: number): Promise<Scene> {
    return new Scene(t, server, await server.createDatabase(), await makeTempDir(t, 'journal'), port)
  }

  /** The same files next to another database of the server. */
  async elsewhere(): Promise<Scene> {
    return new Scene(this.#t, this.server, await this.server.createDatabase(), this.dir, this.#port)
  }

  async primary(own: readonly Collection[] = collections): Promise<OpenPrimary> {
    const store = await this.#open('primary', 'fallback.db', own)
    if (store.replay === null) throw new Error('The driver of the primary has no replay.')
    return { ...store, replay: store.replay }
  }

  /** A file next to the primary, which accepts changes. */
  async fallback(file = 'fallback.db', own: readonly Collection[] = collections): Promise<OpenFallback> {
    const store = await this.#open('fallback', file, own)
    const { journal, schemaLock } = store
    if (journal === null || schemaLock === null) throw new Error('The file has no journal.')
    await schemaLock.hold(AbortSignal.timeout(5_000), async (em) => {
      for (const table of own.map(imageTableOf)) {
        const run = (sql: string, values: readonly Value[]) => em.execute(sql, [...values])
        for (const sql of await journal.triggerChanges(table, run)) await em.execute(sql)
      }
    })
    journal.serve(true)
    return { ...store, journal }
  }

  /** The same file for a service without a primary. */
  async local(
    file = 'local.db',
    own: readonly Collection[] = collections,
  ): Promise<Store & { readonly localRows: LocalRows }> {
    const store = await this.#open('fallback', file, own, null)
    if (store.localRows === null) throw new Error('The store is not a local one.')
    return { ...store, localRows: store.localRows }
  }

  replayer(tables: readonly CarriedTable[] = imageTables): Replayer {
    return new Replayer({ tables: () => tables, observe: (seen) => void this.seen.push(seen) })
  }

  conflicts(primary: OpenPrimary, tables: readonly CarriedTable[] = imageTables): Conflicts {
    return new Conflicts(primary, primary.replay, tablesByName(tables))
  }

  /** The words of the rows of `everything` in the primary, by id, and of `plain` where that is given. */
  async words(table = 'everything'): Promise<Record<string, unknown>> {
    const rows = await this.server.query(`select id, word from ${table}`, this.database)
    return Object.fromEntries(rows.map(({ id, word }) => [String(id), word]))
  }

  /** Reasons of all parked entries, by their place. */
  async reasons(): Promise<readonly string[]> {
    const rows = await this.server.query(
      'select reason from holdfast_conflict order by transaction, attempt, entry',
      this.database,
    )
    return rows.map(({ reason }) => String(reason))
  }

  async #open(
    role: 'primary' | 'fallback',
    file: string,
    own: readonly Collection[],
    url: string | null = this.server.url(this.database, this.#port),
  ): Promise<Store> {
    const registry = new DriverRegistry()
    for (const driver of [sqlite, postgresql, mysql]) registry.register(driver)
    const resolved = settingsFromOptions({
      data: { dir: this.dir, durable: true },
      database: { url, queryTimeoutS: 3 },
      fallback: { url: `sqlite:///./${file}` },
    })
    const config = new DatabaseUrlResolver(registry).resolve(resolved, [this.dir])
    const settings = connectionSettingsOf(resolved.settings)
    const target = config[role]
    if (target === null) throw new Error(JSON.stringify(config.problems))
    const opener = new DatabaseEngineFactory({ entities: own.map(entityOf), settings: () => settings })
    const store = await opener.open(target, role, AbortSignal.timeout(20_000))
    cleanLater(this.#t, () => store.close(1_000))
    const report = await ensureTables(store, own, 'additive', AbortSignal.timeout(10_000))
    if (report.problems.length > 0) throw new Error(JSON.stringify(report.problems))
    return store
  }
}

/** The scene of another process. */
export function openScene(t: Cleanup, url: string, dir: string): Scene {
  const server: Server = {
    url: () => url,
    createDatabase: () => Promise.reject(new Error('unreachable: the database is there')),
    query: () => Promise.reject(new Error('unreachable: nobody asks')),
  }
  return new Scene(t, server, '', dir, undefined)
}

/** The path of a file of a scene. */
export function pathIn(scene: Scene, file = 'fallback.db'): string {
  return join(scene.dir, file)
}

/** An id that sorts in the order of the letters given. */
export function idOf(letter: string): string {
  return `0190a1b2-0000-7000-8000-${letter.charCodeAt(0).toString(16).padStart(12, '0')}`
}

/** A row of `everything` as the embedded database keeps it. */
export type RawRow = Readonly<Record<string, Value>>

/** Inserts a row; resolves with its attempt. */
export async function insert(store: Store, letter: string, word: string | null, more: RawRow = {}): Promise<string> {
  const attempt = randomUUID()
  const now = 1_700_000_000_123
  const row: RawRow = {
    id: idOf(letter),
    word,
    createdAt: now,
    updatedAt: now,
    version: 1,
    holdfast_attempt: attempt,
    ...more,
  }
  const names = Object.keys(row)
  const sql = `insert into everything (${names.map((name) => `"${name}"`).join(', ')}) values (${names.map(() => '?').join(', ')})`
  await store.statements.write(sql, Object.values(row), { attempt })
  return attempt
}

/** Sets the word; resolves with the attempt. */
export async function update(store: Store, letter: string, word: string | null): Promise<string> {
  const attempt = randomUUID()
  const sql = 'update everything set word = ?, version = version + 1, holdfast_attempt = ? where id = ?'
  await store.statements.write(sql, [word, attempt, idOf(letter)], { attempt })
  return attempt
}

/** Deletes a row; resolves with the attempt. */
export async function remove(store: Store, letter: string): Promise<string> {
  const attempt = randomUUID()
  await store.statements.write('delete from everything where id = ?', [idOf(letter)], { attempt })
  return attempt
}

/** One local transaction of several of these. */
export async function together(
  { orm, journal }: OpenFallback,
  changes: readonly (readonly [sql: string, values: readonly Value[]])[],
): Promise<string> {
  const attempt = randomUUID()
  await orm.em.fork().transactional(async (em) => {
    journal.begun(attempt)
    for (const [sql, values] of changes) {
      await em.execute(
        sql,
        values.map((value) => (value === 'ATTEMPT' ? attempt : value)),
      )
    }
  })
  return attempt
}

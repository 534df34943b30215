import assert from 'node:assert/strict'
import { EntitySchema } from '@mikro-orm/core'
import type { Life, Target } from '../driver/address.ts'
import type { Engine } from '../driver/driver.ts'
import type { ImageTable } from '../driver/facet/image.ts'
import type { Entry, Journal } from '../driver/facet/journal.ts'
import type { Statements, Value } from '../driver/facet/statements.ts'
import type { MikroORM, SqlEntityManager } from '../driver/orm.ts'
import { type Bench, createOrm, limits, urlAddress } from './bench.ts'

/** A row as a collection has it: every kind of column. */
export interface ImagedRow {
  id: string
  holdfast_attempt: string | null
  words: string | null
  whole: string | null
  ratio: number | null
  flag: boolean | null
  at: Date | null
  doc: unknown
}

/** The entity of these rows. */
export const Imaged: EntitySchema<ImagedRow> = new EntitySchema<ImagedRow>({
  name: 'ConformanceImaged',
  tableName: 'conformance_imaged',
  properties: {
    id: { type: 'string', length: 60, primary: true },
    holdfast_attempt: { type: 'string', length: 36, nullable: true },
    words: { type: 'text', nullable: true, unique: true },
    whole: { type: 'bigint', nullable: true },
    ratio: { type: 'double', nullable: true },
    flag: { type: 'boolean', nullable: true },
    at: { type: 'datetime', length: 3, nullable: true },
    doc: { type: 'json', nullable: true },
  },
})

/** Its table, as the core describes it to a driver. */
export const imagedTable: ImageTable = {
  name: 'conformance_imaged',
  columns: [
    { name: 'id', kind: 'text' },
    { name: 'holdfast_attempt', kind: 'text' },
    { name: 'words', kind: 'text' },
    { name: 'whole', kind: 'integer' },
    { name: 'ratio', kind: 'number' },
    { name: 'flag', kind: 'boolean' },
    { name: 'at', kind: 'instant' },
    { name: 'doc', kind: 'json' },
  ],
}

/** A row without values. */
export function blank(id: string, more: Partial<ImagedRow> = {}): ImagedRow {
  return {
    id,
    holdfast_attempt: null,
    words: null,
    whole: null,
    ratio: null,
    flag: null,
    at: null,
    doc: null,
    ...more,
  }
}

/** A store next to a primary, or with another life. */
export interface KeptStore extends AsyncDisposable {
  readonly target: Target
  readonly engine: Engine
  readonly orm: MikroORM
  readonly statements: Statements
  /** @throws when the store has none. */
  readonly journal: Journal
  /** All entries that wait. */
  entries(): Promise<readonly Entry[]>
  /** Writes through the facet: `insert`, then columns and values of the suite's table. */
  insert(row: Partial<ImagedRow> & { id: string }, attempt?: string): Promise<unknown>
}

/** Registers a test of a store with a journal; `rests`: it does not accept changes yet. */
export type Journaled = (title: string, run: (store: KeptStore) => Promise<void>, rests?: boolean) => void

/** A target of this life in a new file, or in the one of another target's text. */
export async function keptTarget(bench: Bench, life: Life, text?: string): Promise<Target> {
  const address = urlAddress(bench, text ?? (await bench.harness.address()))
  const { target, problems } = bench.driver.parse({ ...address, role: 'fallback', life }, bench.settings)
  if (target === undefined) throw new Error(`The harness's address is refused: ${problems[0]?.message}`)
  return target
}

/** Opens a store; its journal has its triggers and accepts changes unless `rests`. */
export async function openKept(
  bench: Bench,
  options: { readonly target?: Target; readonly rests?: boolean } = {},
): Promise<KeptStore> {
  const target = options.target ?? (await keptTarget(bench, 'fallback'))
  const [candidate] = await bench.driver.connect(target, limits)
  assert.ok(candidate)
  const connection = await candidate.open(AbortSignal.timeout(limits.connectMs))
  const facts = await connection.verify({ role: 'fallback', proof: 'open' }, AbortSignal.timeout(limits.connectMs))
  await connection.close()
  const engine = candidate.engine(facts)
  const orm = createOrm(engine, [Imaged])
  await orm.connect()
  const { statements, journal } = engine
  assert.ok(statements)
  const store = new OpenKept(target, engine, orm, statements.call(engine, orm), journal?.call(engine, orm) ?? null)
  await orm.schema.update({ safe: true })
  if (store.hasJournal) await applyTriggers(store)
  if (store.hasJournal && options.rests !== true) store.journal.serve(true)
  return store
}

/** Creates what the journal says that the table lacks; gives the statements. */
export async function applyTriggers(
  { engine, orm, journal }: KeptStore,
  table: ImageTable = imagedTable,
): Promise<readonly string[]> {
  const change = async (em: SqlEntityManager): Promise<readonly string[]> => {
    const changes = await journal.triggerChanges(table, async (sql, values) => {
      return await em.execute(sql, [...values])
    })
    for (const sql of changes) await em.execute(sql)
    return changes
  }
  const lock = engine.schemaLock?.(orm)
  return await (lock?.hold(AbortSignal.timeout(limits.queryMs), change) ??
    orm.em.fork().transactional((em) => change(em as SqlEntityManager))) // The ORM is one of SQL.
}

class OpenKept implements KeptStore {
  readonly target: Target
  readonly engine: Engine
  readonly orm: MikroORM
  readonly statements: Statements
  readonly #journal: Journal | null

  constructor(target: Target, engine: Engine, orm: MikroORM, statements: Statements, journal: Journal | null) {
    this.target = target
    this.engine = engine
    this.orm = orm
    this.statements = statements
    this.#journal = journal
  }

  get hasJournal(): boolean {
    return this.#journal !== null
  }

  get journal(): Journal {
    assert.ok(this.#journal, 'the store has a journal')
    return this.#journal
  }

  async entries(): Promise<readonly Entry[]> {
    return await this.journal.waiting(0, 10_000)
  }

  async insert(row: Partial<ImagedRow> & { id: string }, attempt?: string): Promise<unknown> {
    const kysely = this.orm.em.getKysely<{ conformance_imaged: Record<string, unknown> }>()
    const { sql, parameters } = kysely.insertInto('conformance_imaged').values(row).compile()
    // The values are those of `row`.
    return await this.statements.write(sql, parameters as readonly Value[], attempt === undefined ? {} : { attempt })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.close(this.orm, 1_000)
  }
}

/** `operation key base before>after`, of the words. */
export function shortOf({ operation, key, base, old, new: now }: Entry): string {
  return `${operation} ${key} ${base} ${old?.words ?? null}>${now?.words ?? null}`
}

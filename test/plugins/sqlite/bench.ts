import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { EntitySchema } from '@mikro-orm/core'
import { type Options, SqlMikroORM } from '@mikro-orm/sql'
import type { FileEngine } from '../../../plugins/sqlite/engine.ts'
import driver from '../../../plugins/sqlite/sqlite.ts'
import type { SqliteTarget } from '../../../plugins/sqlite/target.ts'
import { Secret } from '../../../src/config/secret.ts'
import type { Settings } from '../../../src/config/settings.ts'
import type { Life, Parsed, Role } from '../../../src/driver/address.ts'
import type { Candidate, Facts, Limits } from '../../../src/driver/driver.ts'
import type { Statements } from '../../../src/driver/facet/statements.ts'
import type { Fault } from '../../../src/driver/fault.ts'
import type { MikroORM } from '../../../src/driver/orm.ts'

export interface Row {
  id: number
  name: string | null
}

export const Thing: EntitySchema<Row> = new EntitySchema<Row>({
  name: 'Thing',
  tableName: 'thing',
  properties: { id: { type: 'integer', primary: true }, name: { type: 'string', nullable: true, unique: true } },
})

export const limits: Limits = { connectMs: 2_000, queryMs: 500, transactionMs: 2_000, poolSize: 1, poolMaxOverflow: 0 }

/** A folder that is removed at the end of the test. */
export async function tempFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-sqlite-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface ParseOptions {
  readonly role?: Role
  /** What the file is for; the role is then that of a fallback, which is `local` unless told. `named`: a person named it. */
  readonly life?: Life | 'named'
  readonly folders?: readonly string[]
  readonly allow?: readonly string[]
  readonly sync?: 'auto' | 'async' | 'full'
  /** Whether an archive is configured. */
  readonly isArchived?: boolean
}

/** What the driver makes of a text. */
export function parse(text: string, options: ParseOptions = {}): Parsed<SqliteTarget> {
  // The driver reads nothing else of the settings.
  const settings = {
    data: { dir: '/data', durable: null, sqliteAllowPaths: options.allow ?? [] },
    plugins: { sqlite: { sync: options.sync ?? 'auto' } },
    archive: { url: options.isArchived === true ? new Secret('file:///archive') : null },
  } as unknown as Settings
  return driver.parse(
    {
      form: 'url',
      role: options.role ?? (options.life === undefined ? 'primary' : 'fallback'),
      ...lifeOf(options),
      setting: 'database.url',
      origin: { from: 'environment', name: 'DATABASE_URL' },
      folders: options.folders ?? ['/data'],
      scheme: 'sqlite',
      text: new Secret(text),
    },
    settings,
  )
}

function lifeOf({ role, life }: ParseOptions): { readonly life?: Life } {
  if (life === 'named') return {}
  if (life !== undefined) return { life }
  return role === 'fallback' ? { life: 'local' } : {}
}

/** A target that is usable. */
export function targetOf(text: string, options: ParseOptions = {}): SqliteTarget {
  const { target, problems } = parse(text, options)
  if (target === undefined) throw new Error(problems[0]?.message)
  return target
}

export interface Store {
  readonly candidate: Candidate
  readonly facts: Facts
  readonly engine: FileEngine
  readonly orm: MikroORM
  readonly run: Statements
  close(): Promise<void>
}

let made = 0

/** Proves, as the core does, the first candidate that can be opened. */
export async function prove(
  target: SqliteTarget,
  proof: 'open' | 'write' = 'open',
  given: Limits = limits,
): Promise<{ candidate: Candidate; facts: Facts }> {
  let failure: unknown
  for (const candidate of await driver.connect(target, given)) {
    try {
      const connection = await candidate.open(AbortSignal.timeout(given.connectMs))
      try {
        const signal = AbortSignal.timeout(given.connectMs)
        return { candidate, facts: await connection.verify({ role: target.role, proof }, signal) }
      } finally {
        await connection.close()
      }
    } catch (error) {
      failure ??= error
    }
  }
  throw failure
}

/** Opens a store with the table of `Thing`; closed at the end of the test. */
export async function open(t: TestContext, target: SqliteTarget, given: Limits = limits): Promise<Store> {
  const { candidate, facts } = await prove(target, 'open', given)
  made += 1
  const engine = candidate.engine(facts) as FileEngine // This driver's own.
  const options = { ...engine.ormOptions, contextName: `test-${made}`, entities: [Thing] }
  // The options are those of the plugin's own driver class.
  const orm: MikroORM = new SqlMikroORM(options as unknown as Options)
  const close = (): Promise<void> => engine.close(orm, 500)
  t.after(close)
  await orm.connect()
  await orm.schema.update({ safe: true })
  return { candidate, facts, engine, orm, run: engine.statements(), close }
}

/** The fault that a promise rejects with. */
export async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  try {
    await promise
  } catch (error) {
    return driver.classify(error, 'commit')
  }
  throw new Error('It did not reject.')
}

export async function count(run: Statements): Promise<number> {
  const [row] = await run.read('select count(*) as n from thing', [])
  return Number(row?.n)
}

/** A folder below another. */
export async function subfolder(parent: string, name: string): Promise<string> {
  const path = join(parent, name)
  await mkdir(path)
  return path
}

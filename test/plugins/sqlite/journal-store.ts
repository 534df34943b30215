import type { TestContext } from 'node:test'
import { type Options, SqlMikroORM } from '@mikro-orm/sql'
import type { FileEngine } from '../../../plugins/sqlite/engine.ts'
import type { SqliteTarget } from '../../../plugins/sqlite/target.ts'
import type { Limits } from '../../../src/driver/driver.ts'
import type { ImageTable } from '../../../src/driver/facet/image.ts'
import type { Entry, Journal } from '../../../src/driver/facet/journal.ts'
import type { Row, Statements } from '../../../src/driver/facet/statements.ts'
import type { MikroORM } from '../../../src/driver/orm.ts'
import { limits, prove, targetOf } from './bench.ts'

/** The table of these tests, as the journal knows it. */
export const noteTable: ImageTable = {
  name: 'note',
  columns: [
    { name: 'id', kind: 'text' },
    { name: 'words', kind: 'text' },
    { name: 'holdfast_attempt', kind: 'text' },
  ],
}

export interface JournalStore {
  readonly engine: FileEngine
  readonly orm: MikroORM
  readonly run: Statements
  readonly journal: Journal
  /** Executes a text on the handle of EntityManagers. */
  sql(text: string): Promise<unknown>
  close(): Promise<void>
}

let made = 0

/** Opens `x.db` of a folder as the fallback next to a primary, with the table and its triggers. Close it. */
export async function openJournal(
  folder: string,
  given: Limits = limits,
  sync: SqliteTarget['sync'] = 'auto',
): Promise<JournalStore> {
  return await openTarget(targetOf('sqlite:x.db', { folders: [folder], life: 'fallback', sync }), given)
}

/** As `openJournal`, closed at the end of the test. */
export async function openFor(t: TestContext, folder: string): Promise<JournalStore> {
  const store = await openJournal(folder)
  t.after(() => store.close())
  return store
}

async function openTarget(target: SqliteTarget, given: Limits): Promise<JournalStore> {
  const { candidate, facts } = await prove(target, 'open', given)
  made += 1
  const engine = candidate.engine(facts) as FileEngine // This driver's own.
  const options = { ...engine.ormOptions, contextName: `journal-${made}`, entities: [] }
  // The options are those of the plugin's own driver class.
  const orm: MikroORM = new SqlMikroORM({ ...options, discovery: { warnWhenNoEntities: false } } as unknown as Options)
  await orm.connect()
  const journal = engine.journal()
  if (journal === null) throw new Error('The file has no journal.')
  const sql = (text: string): Promise<unknown> => orm.em.fork().execute(text)
  await sql('create table if not exists note (id text primary key not null, words text unique, holdfast_attempt text)')
  for (const change of await journal.triggerChanges(noteTable, runOn(orm))) await sql(change)
  journal.serve(true)
  return { engine, orm, run: engine.statements(), journal, sql, close: () => engine.close(orm, 500) }
}

function runOn(orm: MikroORM): (sql: string, values: readonly unknown[]) => Promise<readonly Row[]> {
  return async (sql, values) => await orm.em.fork().execute(sql, [...values])
}

/** `operation key old>new`, of the words. */
export function shortly({ operation, key, old, new: now }: Entry): string {
  return `${operation} ${key} ${old?.words ?? null}>${now?.words ?? null}`
}

/** All that waits. */
export async function entriesOf({ journal }: JournalStore): Promise<readonly Entry[]> {
  return await journal.waiting(0, 1_000_000)
}
